"""The plan for one module: all its legacy imports and what uses them, or why it is left alone.

A module is migrated as a whole or not at all. Imports are edited where they stand, never hoisted.
"""

import ast
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from string import Formatter

from codemods.edits import Edit
from codemods.import_edits import ImportEdit, edit_statement
from codemods.mapping import How, Mapped, Symbol, shipped
from codemods.module_view import BlockedError, Blocker, Import, ModuleView, Site
from codemods.rules import RULES
from codemods.source import Source, find_words
from codemods.syntax import Unparsable, parse

IMPORT_RULE = "CM001"
_NOTHING: frozenset[str] = frozenset()
_GENERATED = re.compile(r"@generated|DO NOT EDIT", re.IGNORECASE)
# What may be an annotation or a dotted path, and no sentence.
_NAMES = re.compile(r"[\w.\[\],| :]*")
_TYPE_COMMENT = re.compile(r"#\s*type:.*")
# The verification visits trees recursively, with some five frames a level.
_DEEPEST = 120
_HEAD_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class ModulePlan:
    """What is to be done to one module: edits, or the blockers that forbid them."""

    edits: tuple[Edit, ...] = ()
    blockers: tuple[Blocker, ...] = ()
    rules: tuple[str, ...] = ()


def plan_module(
    text: str,
    roots: Sequence[tuple[str, ...]],
    *,
    wanted: Collection[tuple[int, int]] | None = None,
    kept: Collection[str] = _NOTHING,
    mapped: Mapped | None = None,
) -> ModulePlan:
    """Plan one module.

    Args:
        text: the module.
        roots: the legacy modules.
        wanted: line and column of the words in legacy imports; None: every import of a root.
        kept: names that other modules take from this one, so they must stay.
        mapped: the mapping; the shipped one if None.
    """
    if _GENERATED.search(text[:_HEAD_CHARACTERS]):
        return _refused("a generated file: change its generator")
    source = Source.of(text)
    parsed = parse(text)
    if isinstance(parsed, Unparsable):
        return ModulePlan(blockers=(Blocker(parsed.line, 1, IMPORT_RULE, parsed.reason),))
    if parsed.text != text:
        return _refused("its syntax is newer than the Python that runs this")
    if _depth(parsed.tree) > _DEEPEST:
        return _refused("its expressions are nested too deeply to be verified")
    view = ModuleView(source, parsed.tree, mapped or shipped())
    offsets = None if wanted is None else {source.line_starts[a - 1] + b - 1 for a, b in wanted}
    return _Planner(view, roots, offsets, frozenset(kept)).plan()


def _refused(reason: str) -> ModulePlan:
    return ModulePlan(blockers=(Blocker(1, 1, IMPORT_RULE, reason),))


def _depth(tree: ast.Module) -> int:
    deepest = 0
    pending: list[tuple[ast.AST, int]] = [(tree, 0)]
    while pending:
        node, depth = pending.pop()
        deepest = max(deepest, depth)
        pending += [(child, depth + 1) for child in ast.iter_child_nodes(node)]
    return deepest


class _Planner:
    """Plans one module that could be parsed."""

    def __init__(
        self,
        view: ModuleView,
        roots: Sequence[tuple[str, ...]],
        offsets: Collection[int] | None,
        kept: frozenset[str],
    ) -> None:
        self.view = view
        self.roots = roots
        self.offsets = offsets
        self.kept = kept | _public(view.tree)
        self.imports: list[ImportEdit] = []
        self.sites: list[tuple[Site, ImportEdit]] = []
        self.blockers: list[Blocker] = []

    def plan(self) -> ModulePlan:
        """Collect, migrate every site, then write the imports."""
        for statement in self._statements():
            self._attempt(IMPORT_RULE, partial(self._collect, statement))
        self.view.retired = {item.alias for item in self.imports if not item.keeps}
        self.view.calls = {
            call: site.symbol.result
            for site, _ in self.sites
            if (call := _outer_call(self.view, site, site.symbol)) is not None
        }
        # Calls first: they prove which fields belong to a result.
        for site, owner in sorted(self.sites, key=lambda item: item[0].symbol.how is not How.CALL):
            self._attempt(site.symbol.rule, partial(self._migrate, site, owner))
        self._share_targets()
        for statement in dict.fromkeys(item.statement for item in self.imports):
            items = [item for item in self.imports if item.statement is statement]
            if not self.blockers:
                self._attempt(IMPORT_RULE, partial(edit_statement, self.view, statement, items))
        if self.blockers:
            return ModulePlan(blockers=tuple(dict.fromkeys(self.blockers)))
        rules = {site.symbol.rule for site, _ in self.sites} | {IMPORT_RULE}
        rules |= {item.symbol.rule for item in self.imports if item.symbol is not None}
        return ModulePlan(tuple(self.view.edits), (), tuple(sorted(rules)))

    def _share_targets(self) -> None:
        """Give imports of one name, in several functions, the same successors."""
        for item in self.imports:
            for other in self.imports:
                if (other.local, other.symbol) == (item.local, item.symbol):
                    item.targets |= other.targets

    def _attempt(self, rule: str, action: Callable[[], None]) -> None:
        try:
            action()
        except BlockedError as error:
            self.blockers.append(self.view.blocker(error, rule))

    def _statements(self) -> Iterator[Import]:
        needles = [root[-1] for root in self.roots]
        for node in ast.walk(self.view.tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                start, end = self.view.span(node)
                words, _ = find_words(self.view.source.text[start:end], needles)
                if any(self.offsets is None or start + w.start in self.offsets for w in words):
                    yield node

    def _is_root(self, module: str) -> bool:
        parts = tuple(module.split("."))
        return any(parts[-len(root) :] == root for root in self.roots)

    def _collect(self, statement: Import) -> None:
        for alias in statement.names:
            if isinstance(statement, ast.Import):
                if self._is_root(alias.name):
                    self._module(ImportEdit(statement, alias, is_module=True))
                elif any(root[-1] in alias.name.split(".") for root in self.roots):
                    raise BlockedError(statement, f"{alias.name} is not in the mapping")
                continue
            module = statement.module or ""
            if self._is_root(module):
                self._name(ImportEdit(statement, alias, is_module=False))
            elif self._is_root(f"{module}.{alias.name}".lstrip(".")):
                self._module(ImportEdit(statement, alias, is_module=True))
            elif any(root[-1] in module.split(".") for root in self.roots):
                raise BlockedError(statement, f"{module} is not in the mapping")

    def _symbol(self, name: str, node: ast.AST) -> Symbol:
        if name == "*":
            raise BlockedError(node, "a star import: name what is taken")
        symbol = self.view.mapped.symbols.get(name)
        if symbol is None:
            raise BlockedError(node, f"{name} is not in the mapping")
        return symbol

    def _module(self, item: ImportEdit) -> None:
        """Collect the uses of a module that is imported as a whole."""
        self.imports.append(item)
        local = item.alias.asname or item.alias.name.split(".")[0]
        depth = 1 if item.alias.asname else len(item.alias.name.split("."))
        if isinstance(item.statement, ast.ImportFrom):
            depth = 1
        same = [node for node in self.view.bindings[local] if not self._same(node, item)]
        if same or self._is_exported(item, local) or self._in_text(local):
            reason = f"{local} is bound again, named in a string, or used by other modules"
            raise BlockedError(item.alias, reason)
        found = False
        for node in ast.walk(self.view.tree):
            if isinstance(node, ast.Name) and node.id == local:
                reference: ast.AST = node
                for _ in range(depth):
                    reference = self.view.parents[reference]
                    if not isinstance(reference, ast.Attribute):
                        raise BlockedError(node, f"the module {local} itself is handed on")
                assert isinstance(reference, ast.Attribute)  # noqa: S101 - the loop has seen to it
                symbol = self._symbol(reference.attr, reference)
                self._site(reference, symbol, item)
                found = True
        if not found:
            raise BlockedError(item.alias, f"{local} is imported and not used here")

    def _same(self, node: ast.AST, item: ImportEdit) -> bool:
        statement = self.view.parents.get(node)
        return (
            isinstance(node, ast.alias)
            and (node.name, node.asname) == (item.alias.name, item.alias.asname)
            and isinstance(statement, type(item.statement))
            and getattr(statement, "module", "") == getattr(item.statement, "module", "")
        )

    def _name(self, item: ImportEdit) -> None:
        """Collect the uses of one name."""
        symbol = self._symbol(item.alias.name, item.alias)
        self.imports.append(item)
        item.symbol = symbol
        local = item.alias.asname or item.alias.name
        again = [node for node in self.view.bindings[local] if not self._same(node, item)]
        in_text = self._in_text(local)
        is_exported = self._is_exported(item, local)
        is_kept = bool(again) or is_exported or in_text or item.alias.asname is not None
        if symbol.how in {How.NAME, How.ERROR, How.RECORD} and is_kept:
            item.keeps = local
        elif again or is_exported or in_text:
            reason = f"{local} is bound again, named in a string, or used by other modules"
            raise BlockedError(item.alias, reason)
        if not symbol.is_rewritten:
            raise BlockedError(item.alias, symbol.reason)
        if item.keeps and symbol.how is How.NAME:
            return
        for node in ast.walk(self.view.tree):
            if isinstance(node, ast.Name) and node.id == local and node not in again:
                if not isinstance(node.ctx, ast.Load):
                    continue
                self._site(node, symbol, item)

    def _is_exported(self, item: ImportEdit, local: str) -> bool:
        """Say whether others may read the name: other modules, or users of the class around it."""
        return local in self.kept or isinstance(self.view.scope(item.statement), ast.ClassDef)

    def _in_text(self, local: str) -> bool:
        """Say whether a string or a type comment may mean the name: an annotation, a patch."""
        word = re.compile(rf"\b{re.escape(local)}\b")
        texts = [
            node.value
            for node in ast.walk(self.view.tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        if any(_NAMES.fullmatch(text) and word.search(text) for text in texts):
            return True
        return any(word.search(found) for found in _TYPE_COMMENT.findall(self.view.source.text))

    def _site(self, node: ast.expr, symbol: Symbol, item: ImportEdit) -> None:
        """Add a reference once, also where several functions import the name."""
        self.view.demand_position(node)
        if not any(site.node is node for site, _ in self.sites):
            self.sites.append((Site(node, symbol), item))

    def _migrate(self, site: Site, item: ImportEdit) -> None:
        before = len(self.view.edits)
        known = set(self.view.locals)
        RULES[site.symbol.rule].migrate(self.view, site)
        if item.keeps:
            # The rule has agreed; the name itself stays.
            del self.view.edits[before:]
            for target in set(self.view.locals) - known:
                del self.view.locals[target]
            return
        used = _targets(site.symbol)
        item.targets.update(used & set(self.view.locals))


def _targets(symbol: Symbol) -> set[str]:
    if symbol.how is not How.CALL:
        return {symbol.target}
    slots = {name for _, name, _, _ in Formatter().parse(symbol.template) if name}
    return slots - {*symbol.parameters, *symbol.method_parameters}


def _outer_call(view: ModuleView, site: Site, symbol: Symbol) -> ast.AST | None:
    if symbol.how is not How.CALL:
        return None
    call = view.parents.get(site.node)
    if symbol.method and call is not None:
        call = view.parents.get(view.parents.get(call, call))
    return call if isinstance(call, ast.Call) else None


def _public(tree: ast.Module) -> frozenset[str]:
    """Return the names in `__all__`."""
    found: set[str] = set()
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(item, ast.Name) and item.id == "__all__" for item in targets):
            for item in ast.walk(node):
                if isinstance(item, ast.Constant) and isinstance(item.value, str):
                    found.add(item.value)
    return frozenset(found)
