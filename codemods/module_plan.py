"""The plan for one module: all its legacy imports and what uses them, or why it is left alone.

A module is migrated as a whole or not at all. A symbol that no rule can rewrite everywhere in the
module is bridged: planned again with that symbol's names kept.
"""

import ast
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from codemods.bridging import EVERYTHING, Bridging, pinned_note
from codemods.mapping import Mapped, shipped
from codemods.module_view import Blocker, ModuleView
from codemods.planner import IMPORT_RULE, ModulePlan, Planner
from codemods.source import Source
from codemods.syntax import Parsed, Unparsable, parse

_NOTHING: frozenset[str] = frozenset()
_GENERATED = re.compile(r"@generated|DO NOT EDIT", re.IGNORECASE)
# The verification visits trees recursively, with some five frames a level.
_DEEPEST = 120
_HEAD_CHARACTERS = 2_000

Place = tuple[int, int]


def plan_module(
    text: str,
    roots: Sequence[tuple[str, ...]],
    *,
    wanted: Collection[Place] | None = None,
    named: Collection[Place] = (),
    paths: Collection[Place] = (),
    kept: Collection[str] = _NOTHING,
    pinned: Collection[str] = _NOTHING,
    keeps_locals: bool = False,
    mapped: Mapped | None = None,
    bridge: bool = True,
) -> ModulePlan:
    """Plan one module.

    Args:
        text: the module.
        roots: the legacy modules.
        wanted: line and column of the words in legacy imports; None: every import of a root.
        named: line and column of the words in string annotations and type comments.
        paths: line and column of the words in strings that are import paths of their own.
        kept: names that other modules take from this one, so they must stay.
        pinned: symbols that have to be bridged (`EVERYTHING`: all), because tests replace them by
            name.
        keeps_locals: every local name stays.
        mapped: the mapping; the shipped one if None.
        bridge: False: what no rule can rewrite is reported.
    """
    if _GENERATED.search(text[:_HEAD_CHARACTERS]):
        return _refused("a generated file: change its generator")
    source = Source.of(text)
    parsed = parse(text)
    if isinstance(parsed, Unparsable):
        return _refused(parsed.reason, parsed.line)
    if _depth(parsed.tree) > _DEEPEST:
        return _refused("its expressions are nested too deeply to be verified")
    offsets = None if wanted is None else {source.line_starts[a - 1] + b - 1 for a, b in wanted}
    bridging = Bridging(
        set(pinned) if bridge else set(),
        keeps_locals=keeps_locals,
        is_replaced=EVERYTHING in pinned,
        named_in_text=frozenset(source.line_starts[a - 1] + b - 1 for a, b in named),
        paths=frozenset(source.line_starts[a - 1] + b - 1 for a, b in paths),
    )
    if pinned and bridge:
        bridging.notes.update({symbol: pinned_note(symbol) for symbol in pinned})
    if parsed.text != text:
        bridging.keeps_locals = True
        bridging.symbols.add(EVERYTHING)
        bridging.notes[EVERYTHING] = "its syntax is newer than the Python that runs this"
        if not bridge:
            return _refused(bridging.notes[EVERYTHING])
    module = _Module(source, parsed, roots, offsets, frozenset(kept), mapped or shipped())
    planned = module.plan(bridging)
    while bridge:
        more = {item.symbol: item for item in planned.blockers if item.symbol}
        if not more.keys() - bridging.symbols:
            break
        for symbol, item in more.items():
            note = f"{symbol}: {item.line}:{item.column} {item.reason}"
            bridging.notes.setdefault(symbol, note)
        bridging.symbols |= more.keys() | _makers(more, module.mapped)
        planned = module.plan(bridging)
    return planned


@dataclass(frozen=True, slots=True)
class _Module:
    """What is planned, once for each set of bridged symbols."""

    source: Source
    parsed: Parsed
    roots: Sequence[tuple[str, ...]]
    offsets: Collection[int] | None
    kept: frozenset[str]
    mapped: Mapped

    def plan(self, bridging: Bridging) -> ModulePlan:
        bridging.covered.clear()
        view = ModuleView(self.source, self.parsed.tree, self.mapped)
        return Planner(view, self.roots, self.offsets, self.kept, bridging).plan()


def _makers(symbols: Collection[str], mapped: Mapped) -> set[str]:
    """Return the functions whose results are such records: both are of one kind or the other."""
    return {item.name for item in mapped.symbols.values() if item.result in symbols}


def _refused(reason: str, line: int = 1) -> ModulePlan:
    """Return the plan of a module that was not looked into: it may use every name."""
    blocker = Blocker(line, 1, IMPORT_RULE, reason)
    return ModulePlan(blockers=(blocker,), uses=frozenset({EVERYTHING}))


def _depth(tree: ast.Module) -> int:
    deepest = 0
    pending: list[tuple[ast.AST, int]] = [(tree, 0)]
    while pending:
        node, depth = pending.pop()
        deepest = max(deepest, depth)
        pending += [(child, depth + 1) for child in ast.iter_child_nodes(node)]
    return deepest
