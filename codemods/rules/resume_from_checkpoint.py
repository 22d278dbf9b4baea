"""`resume_from_checkpoint(...)` becomes `WorkflowMachine.resume(...)`.

What: id and tools stay where they stand, the tools are adapted, the environment becomes store,
clock, catalog and recovery; a claim service is left out.

Why it is safe: both are coroutines of the same first arguments; what cannot be bound, or whose
result leaves the function, is bridged.
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
    view.replace(*view.span(site.node), f"{view.use('WorkflowMachine')}.resume")
    wrap_tools(view, call)
    drop_arguments(view, call, symbol)


CASES = (
    Case(
        "a call",
        "from LEGACY import resume_from_checkpoint\n\n"
        "async def run(x, tools, env):\n"
        "    await resume_from_checkpoint(x, tools, environment=env, trace=None)\n",
        "from engine import WorkflowMachine, adapt_tools, workflow_options\n\n"
        "async def run(x, tools, env):\n"
        "    await WorkflowMachine.resume("
        "x, adapt_tools(tools, env), **workflow_options(env))\n",
    ),
    Case("another one's method", "x.resume_from_checkpoint()\n"),
    *(
        Case(name, text)
        for name, text in (
            (
                "a trace callback",
                (
                    "from LEGACY import resume_from_checkpoint as go\n\n"
                    "async def run(x, t, e):\n    await go(x, t, environment=e, trace=print)\n"
                ),
            ),
            (
                "a result handed on",
                (
                    "from LEGACY import resume_from_checkpoint as go\n\n"
                    "async def run(x, t, e):\n    return await go(x, t, environment=e)\n"
                ),
            ),
        )
    ),
)
RULE = Rule(
    shipped().symbols["resume_from_checkpoint"].rule,
    "Calls of resume_from_checkpoint",
    __doc__ or "",
    CASES,
    migrate,
)
