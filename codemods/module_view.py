"""A parsed module as the rules see it: nodes with parents and spans, and who binds which name."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from codemods.edits import Edit
from codemods.mapping import Mapped, Symbol
from codemods.source import Source

Import = ast.Import | ast.ImportFrom
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Blocker:
    """Why a file is not rewritten: a place in it (line and column from 1), rule and reason.

    `symbol` is what would have to be bridged to get around it; empty where nothing would help.
    """

    line: int
    column: int
    rule: str
    reason: str
    symbol: str = ""


class BlockedError(Exception):
    """A rule cannot rewrite this node safely."""

    is_final = False

    def __init__(self, node: ast.AST, reason: str) -> None:
        """Name the node and why."""
        super().__init__(reason)
        self.node = node
        self.reason = reason


class FinalBlockedError(BlockedError):
    """The use is none of the legacy interface, so the bridge would not serve it either."""

    is_final = True


@dataclass(slots=True)
class ModuleView:
    """One module: text, tree, and what the rules decided so far.

    Attributes:
        locals: local name of each engine target that the new code uses.
        edits: the spans to replace.
        proven: attribute nodes whose value is known to be a migrated result.
        calls: legacy calls whose result is followed, with its record.
        retired: import aliases that go away, and their names with them.
        results: names that hold such a result, by scope.
    """

    source: Source
    tree: ast.Module
    mapped: Mapped
    locals: dict[str, str] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)
    proven: set[ast.AST] = field(default_factory=set)
    calls: dict[ast.AST, str] = field(default_factory=dict)
    retired: set[ast.AST] = field(default_factory=set)
    results: dict[tuple[ast.AST, str], set[ast.AST]] = field(default_factory=dict)
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)
    bindings: dict[str, list[ast.AST]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        """Index parents and bindings."""
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
            for name in _bound_names(node):
                self.bindings[name].append(node)

    def span(self, node: Any) -> tuple[int, int]:
        """Return the character offsets of a node."""
        return (
            self.source.offset(node.lineno, node.col_offset),
            self.source.offset(node.end_lineno, node.end_col_offset),
        )

    def text(self, node: ast.AST) -> str:
        """Return the source text of a node."""
        start, end = self.span(node)
        return self.source.text[start:end]

    def demand_position(self, node: ast.AST) -> None:
        """Refuse a node inside an f-string, whose position is not reliable.

        Raises:
            BlockedError: it is inside one.
        """
        above: ast.AST | None = node
        while above is not None:
            if isinstance(above, ast.JoinedStr):
                raise BlockedError(above, "a use inside an f-string")
            above = self.parents.get(above)

    def replace(self, start: int, end: int, new: str) -> None:
        """Record an edit."""
        self.edits.append(Edit(start, end, self.source.text[start:end], new))

    def insert(self, at: int, new: str) -> None:
        """Record an insertion."""
        self.edits.append(Edit(at, at, "", new))

    def use(self, target: str) -> str:
        """Return the local name for an engine target; an alias where its own name is taken."""
        if target not in self.locals:
            self.locals[target] = self._free(*self.mapped.place(target))
        return self.locals[target]

    def use_module(self, module: str) -> str:
        """Return the local name for a module of the engine."""
        return self._free(*module.rsplit(".", 1))

    def _free(self, module: str, name: str) -> str:
        """Return `name`, or another one where something else has it.

        Raises:
            BlockedError: both are taken.
        """
        for local in (name, f"engine_{name}"):
            if all(
                node in self.retired or self.takes(node, module, name)
                for node in self.bindings.get(local, ())
            ):
                return local
        raise BlockedError(self.tree, f"the names {name} and engine_{name} are both taken")

    def takes(self, node: ast.AST, module: str, name: str) -> bool:
        """Say whether a binding is the import of `name` from `module`, under its own name."""
        statement = self.parents.get(node)
        return (
            isinstance(node, ast.alias)
            and isinstance(statement, ast.ImportFrom)
            and (statement.module, statement.level, node.name) == (module, 0, name)
            and node.asname in {None, f"engine_{name}"}
        )

    def scope(self, node: ast.AST) -> ast.AST:
        """Return the function, class or module around a node."""
        current = self.parents.get(node, self.tree)
        while not isinstance(current, (*_SCOPES, ast.Module)):
            current = self.parents[current]
        return current

    def inside(self, scope: ast.AST) -> Iterator[ast.AST]:
        """Yield the nodes below `scope`, nested functions included."""
        return (node for node in ast.walk(scope) if node is not scope)

    def blocker(self, error: BlockedError, rule: str, symbol: str = "") -> Blocker:
        """Return a refusal with its place, and the symbol that it concerns."""
        node: Any = error.node
        symbol = "" if error.is_final else symbol
        if not hasattr(node, "lineno"):
            return Blocker(1, 1, rule, error.reason, symbol)
        start, _ = self.span(node)
        return Blocker(*self.source.line_column(start), rule, error.reason, symbol)


@dataclass(frozen=True, slots=True)
class Site:
    """One reference to a legacy symbol: its node, and what the mapping says."""

    node: ast.expr
    symbol: Symbol


def _bound_names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(ctx=ast.Store() | ast.Del()):
            yield node.id
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.arg():
            yield node.arg
        case ast.alias():
            yield node.asname or node.name.partition(".")[0]
        case ast.ExceptHandler() | ast.MatchAs() | ast.MatchStar():
            if node.name:
                yield node.name
        case ast.MatchMapping():
            if node.rest:
                yield node.rest
        case ast.Global() | ast.Nonlocal():
            yield from node.names
        case _:
            pass
