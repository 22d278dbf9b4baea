"""The records that calls return change their names where they are annotations.

What: `DurableExecutionResult` becomes `ExecutionResult`, `ExecutionCheckpoint` becomes
`ExecutionState`, in annotations and in the second argument of `isinstance`.

Why it is safe: a module that reads a field which has another name, or none, from a value that does
not provably come from a migrated call is bridged, as is one that makes such a record itself. The
bridge's record is an `ExecutionResult` with the further fields.
"""

import ast

from codemods.mapping import shipped
from codemods.module_view import BlockedError, ModuleView, Site
from codemods.rules.rule import Case, Rule


def migrate(view: ModuleView, site: Site) -> None:
    """Rewrite one annotation."""
    record = site.symbol
    if not (is_annotation(view, site.node) or _is_type_test(view, site.node)):
        raise BlockedError(site.node, f"{record.name} is made or handed on here")
    changed = {*record.fields, *record.removed}
    for node in ast.walk(view.tree):
        if isinstance(node, ast.Attribute) and node.attr in changed and node not in view.proven:
            reason = f"{node.attr} may be read from {record.name}, which the engine's record lacks"
            raise BlockedError(node, reason)
    view.replace(*view.span(site.node), view.use(record.target))


def is_annotation(view: ModuleView, node: ast.AST) -> bool:
    """Say whether the node stands in an annotation."""
    while True:
        parent = view.parents.get(node)
        match parent:
            case ast.arg() | ast.AnnAssign():
                return parent.annotation is node
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return parent.returns is node
            case ast.Subscript() | ast.BinOp(op=ast.BitOr()) | ast.Tuple() | ast.List():
                node = parent
            case _:
                return False


def _is_type_test(view: ModuleView, node: ast.AST) -> bool:
    parent = view.parents[node]
    if isinstance(parent, ast.Tuple):
        node, parent = parent, view.parents[parent]
    return (
        isinstance(parent, ast.Call)
        and getattr(parent.func, "id", "") in {"isinstance", "issubclass"}
        and node in parent.args[1:]
    )


CASES = (
    Case(
        "a stub",
        "from LEGACY import DurableExecutionResult\n"
        "def f() -> list[DurableExecutionResult | None]: ...\n",
        "from engine import ExecutionResult\ndef f() -> list[ExecutionResult | None]: ...\n",
    ),
    Case("another one's class", "x: other.ExecutionCheckpoint\n"),
    *(
        Case(name, text)
        for name, text in (
            (
                "a field that has gone is read",
                (
                    "from LEGACY import DurableExecutionResult\n\n"
                    "def f(r: DurableExecutionResult):\n    return r.next_step_index\n"
                ),
            ),
            (
                "a record is made",
                "from LEGACY import ExecutionCheckpoint\n\nx = ExecutionCheckpoint(1)\n",
            ),
        )
    ),
)
RULE = Rule(
    shipped().symbols["DurableExecutionResult"].rule,
    "Records in annotations",
    __doc__ or "",
    CASES,
    migrate,
)
