"""Planning a parsed module: collect its legacy imports and their uses, rewrite or bridge each.

Imports are edited where they stand, never hoisted.
"""

import ast
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from string import Formatter

from codemods.bridging import (
    BRIDGE_RULE,
    EVERYTHING,
    MODULE,
    WHOLE_NAMES,
    Bridging,
    bridge_module,
    local_of,
    module_names,
)
from codemods.edits import Edit
from codemods.import_edits import Given, ImportEdit, edit_statement
from codemods.mapping import How, Symbol
from codemods.module_view import BlockedError, Blocker, Import, ModuleView, Site
from codemods.rules import RULES
from codemods.source import find_words

IMPORT_RULE = "CM001"
# What may be an annotation or a dotted path, and no sentence.
_NAMES = re.compile(r"[\w.\[\],| :]*")
_TYPE_COMMENT = re.compile(r"#\s*type:.*")


@dataclass(frozen=True, slots=True)
class ModulePlan:
    """What is to be done to one module: edits, or the blockers that forbid them.

    Attributes:
        edits: the spans to replace.
        blockers: why nothing is done; then there are no edits.
        rules: the rules that took part.
        notes: what is bridged, and why.
        covered: offsets of words that stay, and mean the bridge from now on.
        assigned: symbols that the module sets on the legacy module.
        uses: symbols that the module names, or `EVERYTHING`.
        gone: local names that the module loses, with the symbols that they stood for.
    """

    edits: tuple[Edit, ...] = ()
    blockers: tuple[Blocker, ...] = ()
    rules: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    covered: frozenset[int] = frozenset()
    assigned: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()
    gone: tuple[tuple[str, str], ...] = ()


class Planner:
    """Plans one module that could be parsed."""

    def __init__(
        self,
        view: ModuleView,
        roots: Sequence[tuple[str, ...]],
        offsets: Collection[int] | None,
        kept: frozenset[str],
        bridging: Bridging,
    ) -> None:
        """Take the module and what is known of its surroundings; see `plan_module`."""
        self.view = view
        self.roots = roots
        self.offsets = offsets
        self.kept = kept | frozenset(module_names(view.tree))
        self.bridging = bridging
        self.imports: list[ImportEdit] = []
        self.sites: list[tuple[Site, ImportEdit]] = []
        self.blockers: list[Blocker] = []
        self.renamed: set[ast.AST] = set()
        self.uses: set[str] = set()

    def plan(self) -> ModulePlan:
        """Collect, migrate every site, then write the imports."""
        for statement in self._statements():
            for alias in statement.names:
                self._collect(statement, alias)
        self.view.retired = {item.alias for item in self.imports if not item.keeps}
        self.view.calls = {
            call: site.symbol.result
            for site, _ in self.sites
            if (call := _outer_call(self.view, site, site.symbol)) is not None
        }
        # Calls first: they prove which fields belong to a result.
        for site, owner in sorted(self.sites, key=lambda item: item[0].symbol.how is not How.CALL):
            symbol = site.symbol
            self._attempt(symbol.rule, symbol.name, partial(self._migrate, site, owner))
        self._share_targets()
        given: Given = {}
        for statement in dict.fromkeys(item.statement for item in self.imports):
            items = [item for item in self.imports if item.statement is statement]
            if not self.blockers:
                action = partial(edit_statement, self.view, statement, items, given)
                self._attempt(IMPORT_RULE, EVERYTHING, action)
        assigned = frozenset(self.bridging.assigned)
        if self.blockers:
            blockers = tuple(dict.fromkeys(self.blockers))
            return ModulePlan(blockers=blockers, assigned=assigned, uses=frozenset(self.uses))
        return ModulePlan(
            tuple(self.view.edits),
            (),
            tuple(sorted(self._rules())),
            tuple(self._notes()),
            frozenset(self.bridging.covered),
            assigned,
            frozenset(self.uses),
            tuple(sorted(set(self._gone()))),
        )

    def _gone(self) -> Iterator[tuple[str, str]]:
        for item in self.imports:
            if not item.bridged and not item.keeps:
                if item.symbol is not None:
                    yield item.local, item.symbol.name
                yield from (
                    (item.local, site.symbol.name) for site, owner in self.sites if owner is item
                )

    def _rules(self) -> set[str]:
        rules = {site.symbol.rule for site, _ in self.sites} | {IMPORT_RULE}
        for item in self.imports:
            if item.bridged:
                rules.add(BRIDGE_RULE)
            elif item.symbol is not None:
                rules.add(item.symbol.rule)
        return rules

    def _notes(self) -> Iterator[str]:
        if not any(item.bridged for item in self.imports):
            return
        for symbol, note in sorted(self.bridging.notes.items()):
            if symbol in {EVERYTHING, MODULE} or symbol in self.uses:
                yield note.removeprefix(f"{EVERYTHING}: ")

    def _share_targets(self) -> None:
        """Give imports of one name, in several functions, the same successors."""
        for item in self.imports:
            for other in self.imports:
                if (other.local, other.symbol) == (item.local, item.symbol):
                    item.targets |= other.targets

    def _attempt(self, rule: str, symbol: str, action: Callable[[], None]) -> None:
        try:
            action()
        except BlockedError as error:
            self.blockers.append(self.view.blocker(error, rule, symbol))

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

    def _collect(self, statement: Import, alias: ast.alias) -> None:
        """Collect one alias of an import and its uses."""
        inner = getattr(statement, "module", None) or ""
        whole = f"{inner}.{alias.name}".lstrip(".")
        item = ImportEdit(statement, alias, is_module=True)
        if isinstance(statement, ast.ImportFrom) and self._is_root(inner):
            item.is_module = False
            symbol = alias.name if alias.name in self.view.mapped.symbols else ""
            symbol = EVERYTHING if alias.name in WHOLE_NAMES else symbol
            self._attempt(IMPORT_RULE, symbol, partial(self._name, item))
        elif self._is_root(whole):
            self._attempt(IMPORT_RULE, MODULE, partial(self._module, item))
        elif any(root[-1] in whole.split(".") for root in self.roots):
            reason = f"{inner or alias.name} is not in the mapping"
            self.blockers.append(self.view.blocker(BlockedError(alias, reason), IMPORT_RULE))

    def _symbol(self, name: str, node: ast.AST) -> Symbol:
        symbol = self.view.mapped.symbols.get(name)
        if symbol is None:
            raise BlockedError(node, f"{name} is not in the mapping")
        return symbol

    def _module(self, item: ImportEdit) -> None:
        """Collect the uses of a module that is imported as a whole."""
        self.imports.append(item)
        local, _ = local_of(item)
        is_exported = self._is_exported(item, local)
        found = list(self._module_uses(item, local))
        self.uses |= {name or EVERYTHING for _, name in found} or {MODULE}
        bridged = next((name for _, name in found if self.bridging.takes(name)), None)
        if bridged or self.bridging.takes(MODULE):
            self._demand_known(found)
            in_text = self._in_text(local, self.bridging.named_in_text | self.bridging.paths)
            action = partial(
                bridge_module,
                self.view,
                item,
                self.bridging,
                is_kept=is_exported or in_text,
                done=self.renamed,
            )
            self._attempt(IMPORT_RULE, "", action)
            return
        again = [node for node in self.view.bindings[local] if not self._same(node, item)]
        if again or is_exported or self._in_text(local, self.bridging.paths):
            reason = f"{local} is bound again, named in a string, or used by other modules"
            raise BlockedError(item.alias, reason)
        for node, name in found:
            if not isinstance(node, ast.Attribute):
                raise BlockedError(node, f"the module {local} itself is handed on")
            self._site(node, self._symbol(name, node), item)
        if not found:
            raise BlockedError(item.alias, f"{local} is imported and not used here")

    def _demand_known(self, found: Sequence[tuple[ast.expr, str]]) -> None:
        """Report attributes of the module that the bridge has not either."""
        known = self.view.mapped.symbols.keys() | WHOLE_NAMES
        for node, name in [*found, *self._looked_up(found)]:
            if name and name not in known:
                reason = f"{name} is not in the mapping"
                self.blockers.append(self.view.blocker(BlockedError(node, reason), IMPORT_RULE))

    def _looked_up(self, found: Sequence[tuple[ast.expr, str]]) -> Iterator[tuple[ast.expr, str]]:
        """Yield names that `getattr` and its kin look up on the module by a constant."""
        for node, name in found:
            call = self.view.parents.get(node)
            if not name and isinstance(call, ast.Call) and _looks_up(call, node):
                for argument in call.args[1:2]:
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                        yield argument, argument.value

    def _module_uses(self, item: ImportEdit, local: str) -> Iterator[tuple[ast.expr, str]]:
        """Yield what names a symbol through the module; "" where the module itself is used."""
        depth = local_of(item)[1] + 1
        for node in ast.walk(self.view.tree):
            if isinstance(node, ast.Name) and node.id == local:
                reference: ast.expr = node
                name = ""
                for _ in range(depth):
                    parent = self.view.parents[reference]
                    name = parent.attr if isinstance(parent, ast.Attribute) else ""
                    if not isinstance(parent, ast.Attribute):
                        break
                    reference = parent
                is_whole = not name
                yield (node if is_whole else reference), name

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
        name = item.alias.name
        self.uses.add(name)
        if name in WHOLE_NAMES:
            if not self.bridging.takes(EVERYTHING):
                raise BlockedError(item.alias, f"{name} stands for every name")
            item.bridged = True
            item.keeps = item.alias.asname or name
            self.imports.append(item)
            return
        item.symbol = self._symbol(name, item.alias)
        self.imports.append(item)
        local = item.alias.asname or name
        if self.bridging.takes(name):
            item.bridged = True
            item.keeps = local
            return
        again = [node for node in self.view.bindings[local] if not self._same(node, item)]
        self._keep(item, item.symbol, local, is_bound_again=bool(again))
        if item.keeps and item.symbol.how is How.NAME:
            return
        for node in ast.walk(self.view.tree):
            if not (isinstance(node, ast.Name) and node.id == local) or node in again:
                continue
            if isinstance(node.ctx, ast.Load):
                self._site(node, item.symbol, item)

    def _keep(self, item: ImportEdit, symbol: Symbol, local: str, *, is_bound_again: bool) -> None:
        """Decide whether the local name stays, where the successor may have another name.

        Raises:
            BlockedError: it has to stay, and the successor is called in another way.
        """
        must = (
            is_bound_again
            or self.bridging.keeps_locals
            or self._is_exported(item, local)
            or self._in_text(local)
        )
        if symbol.how in {How.NAME, How.ERROR, How.RECORD}:
            item.keeps = local if must or item.alias.asname is not None else ""
        elif must:
            reason = f"{local} is bound again, named in a string, or used by other modules"
            raise BlockedError(item.alias, reason)
        if not symbol.is_rewritten:
            raise BlockedError(item.alias, symbol.reason)

    def _is_exported(self, item: ImportEdit, local: str) -> bool:
        """Say whether others may read the name: other modules, or users of the class around it."""
        return local in self.kept or isinstance(self.view.scope(item.statement), ast.ClassDef)

    def _in_text(self, local: str, known: Collection[int] = ()) -> bool:
        """Say whether a string or a type comment may mean the name: an annotation, a patch.

        `known` are offsets of words that are dealt with.
        """
        word = re.compile(rf"\b{re.escape(local)}\b")
        spans = [
            self.view.span(node)
            for node in ast.walk(self.view.tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and _NAMES.fullmatch(node.value)
            and word.search(node.value)
        ]
        text = self.view.source.text
        spans += [
            found.span() for found in _TYPE_COMMENT.finditer(text) if word.search(found.group())
        ]
        return any(not any(start <= at < end for at in known) for start, end in spans)

    def _site(self, node: ast.expr, symbol: Symbol, item: ImportEdit) -> None:
        """Add a reference once, also where several functions import the name."""
        self.view.demand_position(node)
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            self.bridging.assigned.add(node.attr)
            raise BlockedError(node, f"{node.attr} is replaced on the module")
        if not any(site.node is node for site, _ in self.sites):
            self.sites.append((Site(node, symbol), item))

    def _migrate(self, site: Site, item: ImportEdit) -> None:
        before = len(self.view.edits)
        known = set(self.view.locals)
        migrate = RULES[site.symbol.rule].migrate
        assert migrate is not None  # noqa: S101 - the mapping's test has seen to it
        migrate(self.view, site)
        if item.keeps:
            # The rule has agreed; the name itself stays.
            del self.view.edits[before:]
            for target in set(self.view.locals) - known:
                del self.view.locals[target]
            return
        used = _targets(site.symbol)
        item.targets.update(used & set(self.view.locals))


def _looks_up(call: ast.Call, node: ast.expr) -> bool:
    is_known = isinstance(call.func, ast.Name) and call.func.id in {"getattr", "hasattr"}
    return is_known and bool(call.args) and call.args[0] is node


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
