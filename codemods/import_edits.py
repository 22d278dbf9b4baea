"""Import statements: what each legacy one is replaced by, where it stands."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from codemods.mapping import How, Symbol
from codemods.module_view import BlockedError, Import, ModuleView

_MODULE = re.compile(r"from(?:\s|\\)*(?P<module>[\w.][\w. ]*?)(?:\s|\\)+import\b")


# Module and clause of what is imported, by block.
Given = dict[int, set[tuple[str, str]]]


@dataclass(slots=True)
class ImportEdit:
    """One alias of a legacy import.

    Attributes:
        is_module: the alias is the legacy module itself.
        symbol: what it takes, where it is a name.
        keeps: the local name that has to stay; empty if it may change.
        bridged: it is taken from the bridge, under its legacy name.
        local_module: the bridge's local name, where the module itself is imported.
        targets: the engine names that stand for it in the new code.
    """

    statement: Import
    alias: ast.alias
    is_module: bool
    symbol: Symbol | None = None
    keeps: str = ""
    bridged: bool = False
    local_module: str = ""
    targets: set[str] = field(default_factory=set)

    @property
    def local(self) -> str:
        """The name that the alias binds."""
        return self.alias.asname or self.alias.name.partition(".")[0]


def edit_statement(
    view: ModuleView, statement: Import, items: Sequence[ImportEdit], given: Given
) -> None:
    """Replace one statement.

    Args:
        view: the module.
        statement: what is replaced.
        items: its legacy aliases.
        given: what the statements edited before import, by the block that they stand in.

    Raises:
        BlockedError: nothing would take its place, or a comment in it would be lost.
    """
    listed = [_clauses(view, item) for item in items]
    before = given.setdefault(_block(view, statement), set())
    seen = {*_there_already(view, statement), *before}
    fresh: list[list[tuple[str, str]]] = []
    for pairs in listed:
        fresh.append([pair for pair in pairs if pair not in seen])
        seen.update(pairs)
    before.update(pair for pairs in fresh for pair in pairs)
    modules = {module for pairs in fresh for module, _ in pairs}
    in_place = (
        isinstance(statement, ast.ImportFrom)
        and not any(item.is_module for item in items)
        and len(items) == len(statement.names)
        and len(modules) == 1
        and all(fresh)
    )
    if in_place:
        _edit_in_place(view, statement, items, fresh)
    else:
        _write_anew(view, statement, items, [pair for pairs in fresh for pair in pairs])


def _block(view: ModuleView, statement: Import) -> int:
    """Return what identifies the list of statements that this one stands in."""
    lists = (value for _, value in ast.iter_fields(view.parents[statement]))
    return next(id(item) for item in lists if isinstance(item, list) and statement in item)


def _there_already(view: ModuleView, statement: Import) -> Iterator[tuple[str, str]]:
    """Yield what earlier statements of the module's own body import, if this one is there too."""
    if view.parents.get(statement) is not view.tree:
        return
    for node in view.tree.body:
        if node is statement:
            return
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                if alias.asname is None and len(view.bindings[alias.name]) == 1:
                    yield node.module, alias.name


def _clauses(view: ModuleView, item: ImportEdit) -> list[tuple[str, str]]:
    """Return module and clause (`name` or `name as local`) of each new import."""
    symbol = item.symbol
    if item.bridged:
        return [_bridge_clause(view, item)]
    if symbol is not None and symbol.how is not How.CALL:
        module, name = view.mapped.place(symbol.target)
        local = item.keeps or view.use(symbol.target)
        return [(module, name if local == name else f"{name} as {local}")]
    if not item.targets:
        raise BlockedError(item.alias, f"{item.local} is imported and not used here")
    pairs = []
    for target in sorted(item.targets, key=lambda text: (not text[0].isupper(), text)):
        module, name = view.mapped.place(target)
        local = view.locals[target]
        pairs.append((module, name if local == name else f"{name} as {local}"))
    return pairs


def _bridge_clause(view: ModuleView, item: ImportEdit) -> tuple[str, str]:
    if not item.is_module:
        return view.mapped.bridge, view.text(item.alias)
    module, _, name = view.mapped.bridge.rpartition(".")
    local = item.keeps or item.local_module
    return module, name if local == name else f"{name} as {local}"


def _edit_in_place(
    view: ModuleView,
    statement: Import,
    items: Sequence[ImportEdit],
    clauses: Sequence[Sequence[tuple[str, str]]],
) -> None:
    start, end = view.span(statement)
    match = _MODULE.match(view.source.text[start:end])
    if match is None:
        raise BlockedError(statement, "the form of this statement is not known")
    module = clauses[0][0][0]
    view.replace(start + match.start("module"), start + match.end("module"), module)
    for item, pairs in zip(items, clauses, strict=True):
        view.replace(*view.span(item.alias), ", ".join(clause for _, clause in pairs))


def _write_anew(
    view: ModuleView,
    statement: Import,
    items: Sequence[ImportEdit],
    clauses: Sequence[tuple[str, str]],
) -> None:
    start, end = view.span(statement)
    if "#" in view.source.text[start:end]:
        raise BlockedError(statement, "a comment inside a statement that has to be divided")
    gone = [item.alias for item in items]
    rest = ", ".join(view.text(alias) for alias in statement.names if alias not in gone)
    lines: list[str] = []
    is_gone = not rest and not clauses
    if is_gone and view.source.text[view.source.line_starts[statement.lineno - 1] : start].strip():
        raise BlockedError(statement, "nothing would stand in the place of this statement")
    if rest and isinstance(statement, ast.Import):
        lines.append(f"import {rest}")
    elif rest and isinstance(statement, ast.ImportFrom):
        lines.append(f"from {'.' * statement.level}{statement.module or ''} import {rest}")
    for module in sorted({module for module, _ in clauses}):
        names = ", ".join(clause for other, clause in clauses if other == module)
        lines.append(f"from {module} import {names}")
    if is_gone:
        end = _line_end(view, end)
    first = view.source.line_starts[statement.lineno - 1]
    indent = view.source.text[first:start]
    ending = "\r\n" if "\r\n" in view.source.text else "\n"
    view.replace(start, end, (f"{ending}{indent}" if not indent.strip() else "; ").join(lines))


def _line_end(view: ModuleView, end: int) -> int:
    """Return where the next line begins.

    Raises:
        BlockedError: something else stands on the line.
    """
    text = view.source.text
    following = text.find("\n", end) + 1 or len(text)
    if text[end:following].strip():
        raise BlockedError(view.tree, "a comment or statement beside an import that goes away")
    return following
