"""`execute_segment(...)` becomes `execute_workflow(..., resume=False)`.

What: the arguments are bound to the legacy signature; plan, tools and ids stay where they stand, the
tools are adapted, the environment becomes store, clock, catalog and recovery, and what the engine
decides by itself (positions, segment numbers, claims) is left out. `resume=False` keeps one call
one segment.

Why it is safe: only arguments without effects are left out or written twice. A function that is
handed on, `*args`, a state or a trace callback, and a result that leaves the function are bridged;
arguments that the legacy function does not have are reported. The fields of the result keep their
names, or are read from its error.
"""

from codemods.mapping import shipped
from codemods.module_view import ModuleView, Site
from codemods.rules.call_sites import bind, called, drop_arguments, wrap_tools
from codemods.rules.results import follow_result
from codemods.rules.rule import Case, Rule


def migrate(view: ModuleView, site: Site) -> None:
    """Rewrite one call."""
    symbol = site.symbol
    node = called(view, site)
    call = bind(node, symbol.parameters, symbol)
    follow_result(view, node, view.mapped.symbols[symbol.result])
    view.replace(*view.span(site.node), view.use(symbol.target))
    wrap_tools(view, call)
    drop_arguments(view, call, symbol)
    _, end = view.span(view.parents[call.arguments["execution_id"]])
    view.insert(end, ", resume=False")


_BODY = "    return not result.is_partial\n"
CASES = (
    Case(
        "a call",
        "from LEGACY import execute_segment\n\n"
        "async def run(plan, tools, env):\n"
        '    result = await execute_segment(plan, tools, execution_id="x", environment=env)\n'
        + _BODY,
        "from engine import adapt_tools, execute_workflow, workflow_options\n\n"
        "async def run(plan, tools, env):\n"
        "    result = await execute_workflow("
        'plan, adapt_tools(tools, env), execution_id="x", resume=False,'
        " **workflow_options(env))\n" + _BODY,
    ),
    Case(
        "through the module, over lines, with comments and fields",
        "import LEGACY as de\n\n"
        "async def run(self, plan, env):\n"
        "    result = await de.execute_segment(\n"
        "        plan,  # the new one\n"
        "        self.tools,\n"
        "        environment=env,\n"
        "        segment_number=1,\n"
        "        execution_id=plan['id'],\n"
        "    )\n"
        "    return result.error_code, result.total_steps\n",
        "from engine import adapt_tools, execute_workflow, workflow_options\n\n"
        "async def run(self, plan, env):\n"
        "    result = await execute_workflow(\n"
        "        plan,  # the new one\n"
        "        adapt_tools(self.tools, env),\n"
        "        **workflow_options(env),\n"
        "        execution_id=plan['id'], resume=False,\n"
        "    )\n"
        "    return (result.error.code if result.error else None), result.total_steps\n",
    ),
    Case(
        "without an environment",
        "from LEGACY import execute_segment\n\n"
        "async def run(p, t):\n    await execute_segment(p, t, execution_id='x')\n",
    ),
    *(
        Case(name, text)
        for name, text in (
            (
                "a splat",
                (
                    "from LEGACY import execute_segment\n\n"
                    "async def run(*args, **more):\n    await execute_segment(*args, **more)\n"
                ),
            ),
            (
                "partial",
                (
                    "from functools import partial\nfrom LEGACY import execute_segment\n\n"
                    "go = partial(execute_segment, execution_id='x')\n"
                ),
            ),
            (
                "a removed field",
                (
                    "from LEGACY import execute_segment\n\n"
                    "async def run(p, t, e):\n"
                    "    r = await execute_segment(p, t, execution_id='x', environment=e)\n"
                    "    return r.next_step_index\n"
                ),
            ),
            (
                "a result that is returned",
                (
                    "from LEGACY import execute_segment\n\n"
                    "async def run(p, t, e):\n"
                    "    return await execute_segment(p, t, execution_id='x', environment=e)\n"
                ),
            ),
            (
                "another one's method",
                "class A:\n    def f(self):\n        self.execute_segment()\n",
            ),
        )
    ),
)
RULE = Rule(
    shipped().symbols["execute_segment"].rule,
    "Calls of execute_segment",
    __doc__ or "",
    CASES,
    migrate,
)
