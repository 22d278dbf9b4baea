"""`CheckpointManager(environment).load(id)` becomes `load_state(id, environment)`.

What: the manager that is made only to read one checkpoint. Both answer None when there is nothing.

Why it is safe: nothing else of the manager is rewritten. A manager that is kept, handed on, derived
from or told to save is bridged: the engine writes by itself, and the bridge checks that it has.
"""

import ast

from codemods.mapping import shipped
from codemods.module_view import BlockedError, ModuleView, Site
from codemods.rules.call_sites import bind, called, is_pure
from codemods.rules.results import follow_result
from codemods.rules.rule import Case, Rule


def migrate(view: ModuleView, site: Site) -> None:
    """Rewrite one use."""
    symbol = site.symbol
    made = called(view, site)
    method = view.parents[made]
    call = view.parents.get(method)
    if not (
        isinstance(method, ast.Attribute)
        and method.attr == symbol.method
        and isinstance(call, ast.Call)
        and call.func is method
    ):
        raise BlockedError(site.node, symbol.note)
    environment = bind(made, symbol.parameters, symbol).arguments["environment"]
    execution_id = bind(call, symbol.method_parameters, symbol).arguments["execution_id"]
    start, end = view.span(method)
    if not is_pure(environment) or "#" in view.source.text[start:end]:
        raise BlockedError(environment, "the environment would be evaluated in another order")
    tail = view.source.text[view.span(execution_id)[1] : view.span(call)[1]]
    if isinstance(view.parents[execution_id], ast.keyword) or tail.strip() != ")":
        raise BlockedError(execution_id, "the id is given by keyword, or in brackets")
    follow_result(view, call, view.mapped.symbols[symbol.result])
    text = view.text(environment)
    view.replace(start, end, view.use(symbol.target))
    view.insert(view.span(execution_id)[1], f", {text}")


CASES = (
    Case(
        "a checkpoint is read",
        "from LEGACY import CheckpointManager\n\n"
        "async def known(x, env):\n"
        "    found = await CheckpointManager(env).load(x)\n"
        "    return found is not None\n",
        "from engine import load_state\n\n"
        "async def known(x, env):\n"
        "    found = await load_state(x, env)\n"
        "    return found is not None\n",
    ),
    Case("another one's class", "x.CheckpointManager(env).load(1)\n"),
    *(
        Case(name, text)
        for name, text in (
            (
                "a manager is kept",
                (
                    "from LEGACY import CheckpointManager\n\n"
                    "def make(env):\n    return CheckpointManager(env)\n"
                ),
            ),
            (
                "a subclass",
                (
                    "from LEGACY import CheckpointManager\n\n"
                    "class Mine(CheckpointManager):\n    pass\n"
                ),
            ),
        )
    ),
)
RULE = Rule(
    shipped().symbols["CheckpointManager"].rule,
    "Reading a checkpoint",
    __doc__ or "",
    CASES,
    migrate,
)
