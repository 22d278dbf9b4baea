"""A string constant of a module and what it is used for: the callee, the key, the variable.

Read from the tree, because only the tree tells a whole value from a piece of an expression.
"""

import ast
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from codemods.source import Source
from codemods.syntax import Parsed, parse
from codemods.text_passage import Passage, RefusedError
from codemods.walk import chain_of

_LITERAL = re.compile(r"([a-zA-Z]{0,2})('''|\"\"\"|'|\")(.*)\2", re.DOTALL)
_PLAIN_PREFIXES = frozenset({"", "r", "u"})

# Through these a value passes as a whole.
_TRANSPARENT = (ast.List, ast.Tuple, ast.Set, ast.Starred, ast.BoolOp, ast.IfExp, ast.NamedExpr)
# In these a value is a piece of another one.
_PIECES = (ast.BinOp, ast.JoinedStr, ast.FormattedValue, ast.Attribute)
# Of a call `f(key, default)` the second argument is a value of that key.
_DEFAULTING = frozenset({"get", "getenv", "pop", "setdefault", "str"})


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant that one plain literal spells, without escapes: `start` to `end` is its value."""

    start: int
    end: int
    node: ast.Constant


@dataclass(frozen=True, slots=True)
class Use:
    """What a value is used for.

    Attributes:
        keys: the names that it stands below, the nearest first: a keyword, the key of a mapping,
            a variable, a parameter.
        call: the call that it is an argument of.
        callee: that call's function as a chain of names.
        index: the position among the arguments, -1 for a keyword.
        is_piece: it is only a piece of another value.
        is_key: it is itself the key of a mapping.
        is_compared: it is compared with something; the keys are the names of the other side.
    """

    keys: tuple[str, ...] = ()
    call: ast.Call | None = None
    callee: tuple[str, ...] = ()
    index: int = -1
    is_piece: bool = False
    is_key: bool = False
    is_compared: bool = False


@dataclass(frozen=True)
class Module:
    """A parsed module with its strings and the parents of its nodes."""

    tree: ast.Module
    parents: dict[ast.AST, ast.AST]
    strings: tuple[tuple[int, int, ast.Constant | ast.JoinedStr], ...]
    text: str

    def string_at(self, offset: int) -> ast.Constant | ast.JoinedStr | None:
        """Return the string (or f-string) that covers an offset."""
        index = bisect_right(self.strings, offset, key=lambda item: item[0]) - 1
        around = [node for start, end, node in self.strings[: index + 1] if start <= offset < end]
        formatted = [node for node in around if isinstance(node, ast.JoinedStr)]
        return next(iter(formatted or around), None)

    def literal(self, node: ast.Constant) -> Literal | None:
        """Return where the value of a string stands; None if it is escaped or pieced together."""
        start, end = next((a, b) for a, b, item in self.strings if item is node)
        match = _LITERAL.fullmatch(self.text, start, end)
        if match is None or match[1].lower() not in _PLAIN_PREFIXES or match[3] != node.value:
            return None
        return Literal(match.start(3), match.end(3), node)

    def use(self, node: ast.AST) -> Use:
        """Return what a node's value is used for."""
        found = Use()
        while (parent := self.parents.get(node)) is not None:
            step = _step(parent, node, found)
            if step is None:
                return found
            found, goes_on = step
            if not goes_on:
                return found
            node = parent
        return found


def string_and_use(passage: Passage) -> tuple[Literal, Use]:
    """Return the literal around a passage, and what it is used for.

    Raises:
        RefusedError: the passage is no text, or text that is put together or escaped.
    """
    module = module_of(passage.source.text)
    if module is None:
        raise RefusedError("the module cannot be parsed")
    node = module.string_at(passage.offset)
    if node is None:
        raise RefusedError("a name in the code, no text")
    if not isinstance(node, ast.Constant):
        raise RefusedError("an f-string: what it names is known only when it runs")
    literal, use = module.literal(node), module.use(node)
    if literal is None:
        raise RefusedError("a string that is escaped or put together from several literals")
    if use.is_piece:
        raise RefusedError("a piece of a longer expression, whose value is not known")
    return literal, use


@lru_cache(maxsize=4)
def module_of(text: str) -> Module | None:
    """Return a text as a module; None if it cannot be parsed."""
    parsed = parse(text)
    if not isinstance(parsed, Parsed):
        return None
    source = Source.of(text)
    parents: dict[ast.AST, ast.AST] = {}
    strings: list[tuple[int, int, ast.Constant | ast.JoinedStr]] = []
    pending: list[ast.AST] = [parsed.tree]
    while pending:
        node = pending.pop()
        for child in ast.iter_child_nodes(node):
            parents[child] = node
            pending.append(child)
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
        # `TemplateStr` came with Python 3.14.
        is_formatted = type(node).__name__ in {"JoinedStr", "TemplateStr"}
        if (is_text and not isinstance(parents.get(node), ast.JoinedStr)) or is_formatted:
            strings.append((*_span(source, node), node))  # type: ignore[arg-type]  # one of the two
    strings.sort(key=lambda item: item[:2])
    return Module(parsed.tree, parents, tuple(strings), text)


def _span(source: Source, node: Any) -> tuple[int, int]:
    return (
        source.offset(node.lineno, node.col_offset),
        source.offset(node.end_lineno, node.end_col_offset),
    )


def _step(parent: ast.AST, node: ast.AST, found: Use) -> tuple[Use, bool] | None:
    """Return what a parent adds, and whether its own parent may add more; None for nothing."""
    if isinstance(parent, _PIECES):
        return replace(found, is_piece=not found.keys), False
    if isinstance(parent, ast.IfExp) and node is parent.test:
        return None
    if isinstance(parent, _TRANSPARENT):
        return found, True
    if isinstance(parent, ast.Dict):
        return _mapping(parent, node, found)
    if isinstance(parent, ast.Compare):
        others = [item for item in (parent.left, *parent.comparators) if item is not node]
        names = tuple(name for item in others for name in _name(item))
        return replace(found, keys=(*found.keys, *names), is_compared=True), False
    if isinstance(parent, ast.keyword):
        return replace(found, keys=(*found.keys, *([parent.arg] if parent.arg else ()))), True
    if isinstance(parent, ast.Call):
        return _call(parent, node, found), False
    if isinstance(parent, ast.Assign | ast.AnnAssign | ast.arguments):
        return replace(found, keys=(*found.keys, *_names(parent, node))), False
    return None


def _mapping(parent: ast.Dict, node: ast.AST, found: Use) -> tuple[Use, bool]:
    if node in parent.keys:
        return replace(found, is_key=not found.keys), True
    key = parent.keys[parent.values.index(node)] if isinstance(node, ast.expr) else None
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        return replace(found, keys=(*found.keys, key.value)), True
    return found, bool(found.keys)


def _call(parent: ast.Call, node: ast.AST, found: Use) -> Use:
    function = parent.func
    last = str(getattr(function, "attr", None) or getattr(function, "id", ""))
    callee = tuple(chain_of(function) or (last,))
    index = parent.args.index(node) if node in parent.args else -1
    found = replace(found, call=parent, callee=callee, index=index)
    first = parent.args[0] if parent.args else None
    if index == 1 and last in _DEFAULTING and isinstance(first, ast.Constant):
        return replace(found, keys=(*found.keys, str(first.value)))
    return found


def _names(parent: ast.Assign | ast.AnnAssign | ast.arguments, node: ast.AST) -> Iterator[str]:
    if isinstance(parent, ast.arguments):
        positional = [*parent.posonlyargs, *parent.args]
        defaults = [*zip(positional[::-1], parent.defaults[::-1], strict=False)]
        given = [*defaults, *zip(parent.kwonlyargs, parent.kw_defaults, strict=True)]
        yield from (argument.arg for argument, default in given if default is node)
        return
    targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
    yield from _name(targets[0])


def _name(node: ast.expr) -> Iterator[str]:
    """Yield the last name of a variable, an attribute, or an entry by a constant key."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        yield str(node.slice.value)
