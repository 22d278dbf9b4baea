"""From a module's tree to its facts: what each node binds, names and imports."""

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from codemods import string_roles
from codemods.bindings import Scope, Unknown
from codemods.callees import (
    ANNOTATING,
    ATTRIBUTE_CALLS,
    INTERESTING,
    RUNNERS,
    kind_of_argument,
    patches_object,
)
from codemods.facts import Facts, Mode, Origin, Reference
from codemods.occurrence import Kind
from codemods.source import Source, Word
from codemods.string_roles import ANNOTATION, DOCSTRING, EXPORTS, KEY, LOOKUP, PLAIN, Role
from codemods.syntax import Parsed
from codemods.walk import IDENTIFIER, Frame, Handler, Walk, chain_of


def _import(walk: Walk, node: ast.Import, frame: Frame) -> None:
    is_idle = walk.passes_by(node)
    for alias in node.names:
        parts = tuple(alias.name.split("."))
        origin = Origin(parts, certain=len(parts))
        if not is_idle:
            span = walk.span(alias, frame)
            walk.add(Reference(*span, Kind.IMPORT, Mode.MODULE, origin, context=frame.context))
        if alias.asname:
            walk.bind_import(alias.asname, origin, frame)
        else:
            walk.bind_import(parts[0], Origin(parts[:1], certain=len(parts)), frame)


def _import_from(walk: Walk, node: ast.ImportFrom, frame: Frame) -> None:
    parts = tuple(node.module.split(".")) if node.module else ()
    origin = Origin(parts, node.level, len(parts))
    names = tuple(alias.name for alias in node.names)
    if walk.passes_by(node):
        walk.bind_names(node, origin, frame)
        return
    if names == ("*",):
        form = Kind.STAR_IMPORT
    else:
        form = Kind.RELATIVE_IMPORT if node.level else Kind.FROM_IMPORT
    start, _ = walk.span(node, frame)
    head = walk.span(node.names[0], frame)[0]
    module = walk.add(
        Reference(start, head, form, Mode.MODULE, origin, names=names, context=frame.context)
    )
    walk.bind_names(node, origin, frame)
    if names == ("*",):
        return
    taken = Kind.RELATIVE_IMPORT if node.level else Kind.FROM_IMPORT
    for alias in node.names:
        walk.add(
            Reference(
                *walk.span(alias, frame), taken, Mode.TAKEN, origin.below(alias.name),
                context=frame.context, parent=module,
            )
        )  # fmt: skip


def _name(walk: Walk, node: ast.Name, frame: Frame) -> None:
    # A statement whose value says more has bound the name before.
    if not isinstance(node.ctx, ast.Load) and node.id not in frame.scope.bindings:
        frame.scope.bind(node.id, Unknown.OTHER)
    walk.name(node, frame)


def _attribute(walk: Walk, node: ast.Attribute, frame: Frame) -> None:
    chain = chain_of(node)
    if chain is not None:
        walk.name_chain(node, chain, frame)
        return
    if node.attr in walk.needles:
        walk.fix(walk.span(node, frame), IDENTIFIER)
    walk.push(node.value, frame.playing(PLAIN))


def _function(walk: Walk, node: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> None:
    frame.scope.bind(node.name, Unknown.OTHER)
    if frame.scope is walk.module and node.name == "__getattr__":
        walk.is_lazy = True
    if walk.passes_by(node):
        return
    _fix_header(walk, node, node.name, frame)
    outer = frame.playing(PLAIN)
    for decorator in node.decorator_list:
        walk.push(decorator, outer)
    walk.push(node.returns, frame.playing(ANNOTATION))
    context = f"in the function {node.name}"
    if "TYPE_CHECKING" in frame.context:
        context = frame.context
    inner = Frame(Scope(frame.scope), context)
    _arguments(walk, node.args, outer, inner)
    walk.push_body(node.body, inner)
    for parameter in getattr(node, "type_params", ()):
        walk.push(parameter, inner)


def _lambda(walk: Walk, node: ast.Lambda, frame: Frame) -> None:
    inner = frame.within(Scope(frame.scope))
    _arguments(walk, node.args, frame, inner)
    walk.push(node.body, inner)


def _class(walk: Walk, node: ast.ClassDef, frame: Frame) -> None:
    frame.scope.bind(node.name, Unknown.OTHER)
    if walk.passes_by(node):
        return
    _fix_header(walk, node, node.name, frame)
    outer = frame.playing(PLAIN)
    for child in (*node.decorator_list, *node.bases, *node.keywords):
        walk.push(child, outer)
    inner = Frame(Scope(frame.scope, is_class=True), frame.context)
    walk.push_body(node.body, inner)
    for parameter in getattr(node, "type_params", ()):
        walk.push(parameter, inner)


def _fix_header(walk: Walk, node: Any, name: str, frame: Frame) -> None:
    if name in walk.needles:
        start = walk.span(node, frame)[0]
        walk.fix((start, walk.span(node.body[0], frame)[0]), IDENTIFIER)


def _arguments(walk: Walk, arguments: ast.arguments, outer: Frame, inner: Frame) -> None:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [item for item in (arguments.vararg, arguments.kwarg) if item is not None]
    for item in every:
        inner.scope.bind(item.arg, Unknown.OTHER)
        if item.arg in walk.needles:
            walk.fix(walk.span(item, outer), IDENTIFIER)
        walk.push(item.annotation, outer.playing(ANNOTATION))
    walk.push_all(arguments.defaults, outer)
    for default in arguments.kw_defaults:
        walk.push(default, outer)


def _comprehension(walk: Walk, node: ast.AST, frame: Frame) -> None:
    walk.push_children(node, frame.within(Scope(frame.scope)))


def _assign(walk: Walk, node: ast.Assign, frame: Frame) -> None:
    role = PLAIN
    for target in node.targets:
        walk.bind_target(target, node.value, frame)
        walk.push(target, frame)
        if isinstance(target, ast.Name) and target.id == "__all__":
            role = EXPORTS
            walk.public = _literal_names(node.value)
    if not walk.passes_by(node):
        walk.push(node.value, frame.playing(role))


def _literal_names(node: ast.expr) -> tuple[str, ...] | None:
    """Return the names of a literal `__all__`, None for a computed one."""
    if not isinstance(node, ast.List | ast.Tuple):
        return None
    names = [item.value for item in node.elts if isinstance(item, ast.Constant)]
    texts = tuple(name for name in names if isinstance(name, str))
    return texts if len(texts) == len(node.elts) else None


def _annotated_assign(walk: Walk, node: ast.AnnAssign, frame: Frame) -> None:
    walk.bind_target(node.target, node.value, frame)
    walk.push(node.target, frame)
    if not walk.passes_by(node):
        walk.push(node.annotation, frame.playing(ANNOTATION))
        walk.push(node.value, frame.playing(PLAIN))


def _augmented_assign(walk: Walk, node: ast.AugAssign, frame: Frame) -> None:
    is_exports = isinstance(node.target, ast.Name) and node.target.id == "__all__"
    if is_exports:
        walk.public = None
    walk.push(node.target, frame)
    walk.push(node.value, frame.playing(EXPORTS if is_exports else PLAIN))


def _named(walk: Walk, node: ast.NamedExpr, frame: Frame) -> None:
    walk.bind_target(node.target, node.value, frame)
    walk.push_children(node, frame)


def _if(walk: Walk, node: ast.If, frame: Frame) -> None:
    test = chain_of(node.test)
    walk.push(node.test, frame.playing(KEY))
    inner = frame
    if test is not None and test[-1] == "TYPE_CHECKING":
        inner = replace(frame, context="in a TYPE_CHECKING block")
    elif isinstance(node.test, ast.Compare) and _compares_main(node.test):
        walk.is_script = True
    walk.push_body(node.body, inner)
    walk.push_body(node.orelse, frame)


def _try(walk: Walk, node: Any, frame: Frame) -> None:
    inner = frame if frame.context else replace(frame, context="in a try statement")
    walk.push_children(node, inner)


def _handler(walk: Walk, node: ast.ExceptHandler, frame: Frame) -> None:
    if node.name:
        frame.scope.bind(node.name, Unknown.OTHER)
        if node.name in walk.needles:
            walk.fix(walk.span(node, frame), IDENTIFIER)
    walk.push_children(node, frame)


def _outer_names(walk: Walk, node: ast.Global | ast.Nonlocal, frame: Frame) -> None:
    if isinstance(node, ast.Global):
        frame.scope.outer.update(node.names)
    if not walk.needles.isdisjoint(node.names):
        name = next(name for name in node.names if name in walk.needles)
        walk.name_chain(node, (name,), frame)


def _pattern(walk: Walk, node: Any, frame: Frame) -> None:
    name = getattr(node, "name", None) or getattr(node, "rest", None)
    if name:
        frame.scope.bind(name, Unknown.OTHER)
        if name in walk.needles:
            walk.fix(walk.span(node, frame), IDENTIFIER)
    attributes = getattr(node, "kwd_attrs", ())
    if not walk.needles.isdisjoint(attributes):
        walk.fix(walk.span(node, frame), IDENTIFIER)
    walk.push_children(node, frame)


def _call(walk: Walk, node: ast.Call, frame: Frame) -> None:
    function = node.func
    last = getattr(function, "attr", None) or getattr(function, "id", "")
    plain = frame.playing(PLAIN)
    if last not in INTERESTING:
        # Nearly every call: its arguments are ordinary expressions.
        walk.push_all(node.args, plain)
        for keyword in node.keywords:
            _keyword(walk, keyword, plain)
        walk.push(function, plain)
        return
    callee = tuple(chain_of(function) or (last,))
    string_roles.importer_call(walk, node, callee, plain)
    for index, argument in enumerate(node.args):
        walk.push(argument, _argument_frame(node, callee, index, frame))
    for keyword in node.keywords:
        _keyword(walk, keyword, _argument_frame(node, callee, -1, frame))
    walk.push(function, plain)


def _keyword(walk: Walk, node: ast.keyword, frame: Frame) -> None:
    if node.arg in walk.needles:
        start, _ = walk.span(node, frame)
        walk.fix((start, start + len(node.arg or "")), IDENTIFIER)
    walk.push(node.value, frame)


def _argument_frame(node: ast.Call, callee: tuple[str, ...], index: int, frame: Frame) -> Frame:
    last = callee[-1] if callee else ""
    if index == 1 and last in ATTRIBUTE_CALLS:
        kind = Kind.PATCH_TARGET if patches_object(callee) else Kind.REFERENCE
        return frame.playing(Role("attribute", kind=kind, owner=node.args[0]))
    if last in ANNOTATING:
        return frame.playing(ANNOTATION)
    if _is_module_table(node):
        return frame.playing(LOOKUP)
    kind = kind_of_argument(callee, index)
    role = PLAIN
    if kind is not Kind.STRING or last in RUNNERS:
        role = Role("call", kind=kind, callee=last, call=node, index=index)
    return frame.playing(role, is_patched=index == 0 and patches_object(callee))


def _subscript(walk: Walk, node: ast.Subscript, frame: Frame) -> None:
    value = chain_of(node.value)
    walk.push(node.value, frame.playing(PLAIN))
    if value in (["sys", "modules"], ["modules"]):
        role = LOOKUP
    elif frame.role.name == "annotation":
        role = PLAIN if value and value[-1] == "Literal" else frame.role
    else:
        role = KEY
    walk.push(node.slice, frame.playing(role))


def _dict(walk: Walk, node: ast.Dict, frame: Frame) -> None:
    is_lookup = frame.role.kind is Kind.MODULE_LOOKUP
    for key in node.keys:
        walk.push(key, frame if is_lookup else frame.playing(KEY))
    for value in node.values:
        walk.push(value, frame)


def _compare(walk: Walk, node: ast.Compare, frame: Frame) -> None:
    names = [chain_of(item) for item in (node.left, *node.comparators)]
    role = KEY
    if ["sys", "modules"] in names:
        role = LOOKUP
    walk.push_children(node, frame.playing(role))


def _expression_statement(walk: Walk, node: ast.Expr, frame: Frame) -> None:
    if walk.passes_by(node):
        return
    if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        walk.push(node.value, frame.playing(DOCSTRING))
    else:
        walk.push(node.value, frame)


def _constant(walk: Walk, node: ast.Constant, frame: Frame) -> None:
    string_roles.constant(walk, node, frame)


def _joined(walk: Walk, node: ast.JoinedStr, frame: Frame) -> None:
    span = walk.span(node, frame)
    string_roles.joined(walk, node, frame)
    inner = Frame(frame.scope, frame.context, PLAIN, span)
    for value in node.values:
        if not isinstance(value, ast.Constant):
            walk.push(value, inner)


def _is_module_table(node: ast.Call) -> bool:
    """Say whether the call changes `sys.modules`, as `monkeypatch.setitem` does."""
    first = node.args[0] if node.args else None
    if isinstance(first, ast.Constant):
        return first.value == "sys.modules"
    return isinstance(first, ast.Attribute) and chain_of(first) == ["sys", "modules"]


def _compares_main(test: ast.Compare) -> bool:
    return isinstance(test.left, ast.Name) and test.left.id == "__name__"


def extract(
    source: Source,
    parsed: Parsed,
    words: Sequence[Word],
    needles: Sequence[str],
    lines: Sequence[int] | None = None,
) -> Facts:
    """Return the facts of a parsed module whose legacy words are `words`.

    If `lines` are given, what is in a statement with none of them is passed by (see
    `codemods.idle_statements`).
    """
    return Walk(source, words, needles, _HANDLERS, lines).facts(parsed.tree, parsed.text)


_HANDLERS: dict[type[ast.AST], Handler] = {
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.Lambda: _lambda,
    ast.ClassDef: _class,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.DictComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated_assign,
    ast.AugAssign: _augmented_assign,
    ast.NamedExpr: _named,
    ast.If: _if,
    ast.Try: _try,
    ast.TryStar: _try,
    ast.ExceptHandler: _handler,
    ast.Global: _outer_names,
    ast.Nonlocal: _outer_names,
    ast.MatchAs: _pattern,
    ast.MatchStar: _pattern,
    ast.MatchMapping: _pattern,
    ast.MatchClass: _pattern,
    ast.Call: _call,
    ast.Subscript: _subscript,
    ast.Dict: _dict,
    ast.Compare: _compare,
    ast.Expr: _expression_statement,
    ast.Constant: _constant,
    ast.JoinedStr: _joined,
}
