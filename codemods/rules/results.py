"""Where the result of a migrated call goes, and which of its fields may be read afterwards."""

import ast

from codemods.mapping import Symbol
from codemods.module_view import BlockedError, ModuleView

_RUNNERS = frozenset({"run", "run_until_complete"})


def follow_result(view: ModuleView, call: ast.Call, record: Symbol) -> None:
    """Rewrite the fields read from the result of `call`, which has to stay within its function.

    Raises:
        BlockedError: the result leads where it cannot be followed, or a removed field is read.
    """
    parent = view.parents[call]
    runs = isinstance(parent, ast.Call) and getattr(parent.func, "attr", "") in _RUNNERS
    if not (isinstance(parent, ast.Await) or (runs and call in getattr(parent, "args", ()))):
        raise BlockedError(call, "the coroutine is handed on, so its result cannot be followed")
    _follow_value(view, parent, record)


def _follow_value(view: ModuleView, value: ast.AST, record: Symbol) -> None:
    target = view.parents[value]
    match target:
        case ast.Expr():
            return
        case ast.Assign(targets=[ast.Name() as name]) | ast.AnnAssign(target=ast.Name() as name):
            _follow_name(view, name, value, record)
        case ast.Attribute() | ast.Compare():
            _use(view, value, record)
        case _:
            raise BlockedError(value, "the result leaves the statement, so it cannot be followed")


def _follow_name(view: ModuleView, name: ast.Name, value: ast.AST, record: Symbol) -> None:
    scope = view.scope(name)
    if isinstance(scope, ast.Module | ast.ClassDef):
        raise BlockedError(value, f"{name.id} may be read by other modules")
    results = view.results.setdefault((scope, name.id), set())
    results.add(name)
    for binding in view.bindings[name.id]:
        if binding in results or view.scope(binding) is not scope:
            continue
        if not _is_pending(view, binding, record):
            raise BlockedError(value, f"{name.id} also stands for something else")
    for node in view.inside(scope):
        if isinstance(node, ast.Name) and node.id == name.id and isinstance(node.ctx, ast.Load):
            _use(view, node, record)


def _is_pending(view: ModuleView, binding: ast.AST, record: Symbol) -> bool:
    """Say whether the name is bound here by a call of the same record, which is followed too."""
    value = getattr(view.parents.get(binding), "value", None)
    inside = value.args if isinstance(value, ast.Call) else ()
    calls = [getattr(value, "value", None), *inside]
    return any(view.calls.get(call) == record.name for call in calls if call is not None)


def _use(view: ModuleView, node: ast.AST, record: Symbol) -> None:
    parent = view.parents[node]
    if parent in view.proven:
        return
    match parent:
        case ast.Attribute(attr=attr, ctx=ast.Load()) if attr in record.same:
            pass
        case ast.Attribute(attr=attr, ctx=ast.Load()) if attr in record.fields:
            if not isinstance(node, ast.Name):
                raise BlockedError(parent, f"{attr} is read from a value without a name")
            view.demand_position(parent)
            view.replace(*view.span(parent), record.fields[attr].format(value=node.id))
        case ast.Attribute(attr=attr) if attr in record.removed:
            raise BlockedError(parent, f"{attr}: {record.removed[attr]}")
        case ast.Compare(ops=[ast.Is() | ast.IsNot()]):
            return
        case ast.If() | ast.While() | ast.UnaryOp(op=ast.Not()):
            return
        case _:
            raise BlockedError(parent, "the result is handed on, so its fields cannot be followed")
    view.proven.add(parent)
