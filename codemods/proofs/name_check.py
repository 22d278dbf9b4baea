"""Names that are undefined or unused after the migration and were not before.

By ruff where it is installed; else by the compiler's own symbol tables, which know undefined
names and unused imports, but no redefinitions.
"""

import ast
import builtins
import json
import shutil
import symtable
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from codemods.mapping import shipped
from codemods.migration import Change
from codemods.proofs.child_process import ChildError, run
from codemods.settings import ScanSettings
from codemods.source import decode_python, find_words

CODES = ("F401", "F811", "F821", "F822", "F841")
_DEADLINE_S = 120
_GIVEN = frozenset({*dir(builtins), "__file__", "__path__", "__builtins__", "__annotations__"})


@dataclass(frozen=True, slots=True)
class NameFault:
    """One name that a file did not lose before: line (from 1), ruff's code, and which name."""

    line: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class NameCheck:
    """What is new in each file, and which tool says so."""

    tool: str
    faults: dict[str, tuple[NameFault, ...]]


def check_names(changes: Sequence[Change], settings: ScanSettings) -> NameCheck:
    """Compare every changed module before and after."""
    found = _by_ruff(changes)
    if found is None:
        tool = "symbol tables (ruff is not installed): F401 and F821 only"
        sides = [(_by_symbols(item.before), _by_symbols(item.after)) for item in changes]
    else:
        tool, before, after = found
        sides = [(before.get(i, ()), after.get(i, ())) for i in range(len(changes))]
    faults = {
        change.shown: tuple(_new(*pair, settings))
        for change, pair in zip(changes, sides, strict=True)
    }
    return NameCheck(tool, faults)


def _new(
    before: Sequence[NameFault], after: Sequence[NameFault], settings: ScanSettings
) -> Iterator[NameFault]:
    """Yield what is more than before.

    An unused legacy import that became an unused import of the engine is none: only the number of
    such faults may not grow.
    """
    known = Counter(_key(item, settings) for item in before)
    for item in after:
        key = _key(item, settings)
        if known[key]:
            known[key] -= 1
        else:
            yield item


def _key(item: NameFault, settings: ScanSettings) -> tuple[str, str]:
    words, _ = find_words(item.message, (*settings.needles, shipped().engine))
    is_ours = bool(words) and item.code == "F401"
    return item.code, "" if is_ours else item.message


Found = dict[int, tuple[NameFault, ...]]


def _by_ruff(changes: Sequence[Change]) -> tuple[str, Found, Found] | None:
    """Examine all files in one run; None without ruff."""
    beside = Path(sys.executable).with_name("ruff")
    path = str(beside) if beside.is_file() else shutil.which("ruff")
    if path is None:
        return None
    with TemporaryDirectory(prefix="planproof-") as folder:
        for side in ("before", "after"):
            for index, change in enumerate(changes):
                target = Path(folder, side, str(index), Path(change.shown).name)
                target.parent.mkdir(parents=True)
                target.write_bytes(change.before if side == "before" else change.after)
        options = ["--isolated", "--no-cache", "--exit-zero", "--quiet", "--output-format=json"]
        words = [path, "check", *options, f"--select={','.join(CODES)}", "--preview", "."]
        try:
            done = run(words, folder=Path(folder), deadline_s=_DEADLINE_S)
            items = json.loads(done.output)
            version = run([path, "--version"], deadline_s=_DEADLINE_S).last_line
        except (ChildError, ValueError):
            return None
        sides: dict[str, dict[int, list[NameFault]]] = {"before": {}, "after": {}}
        for item in items:
            side, number, *_ = Path(item["filename"]).relative_to(Path(folder).resolve()).parts
            sides[side].setdefault(int(number), []).append(_fault(item))
    before, after = (
        {index: tuple(items) for index, items in sides[side].items()}
        for side in ("before", "after")
    )
    return version, before, after


def _fault(item: Any) -> NameFault:
    return NameFault(item["location"]["row"], item["code"] or "syntax", item["message"])


def _by_symbols(data: bytes) -> tuple[NameFault, ...]:
    try:
        text = decode_python(data)
        tree = ast.parse(text)
        table = symtable.symtable(text, "module", "exec")
    except (SyntaxError, ValueError, LookupError, RecursionError):
        return ()  # the compilation says so
    return tuple(sorted(_lost_names(tree, table), key=lambda item: (item.line, item.message)))


def _lost_names(tree: ast.Module, table: symtable.SymbolTable) -> Iterator[NameFault]:
    if any(alias.name == "*" for alias, _ in _aliases(tree)):
        return  # any name may come from there
    bound = {item.get_name() for item in table.get_symbols() if _is_bound(item)}
    tables = [table]
    for each in tables:
        tables += each.get_children()
        bound |= {
            item.get_name()
            for item in each.get_symbols()
            if item.is_declared_global() and item.is_assigned()
        }
    missing = {
        item.get_name()
        for each in tables
        for item in each.get_symbols()
        if item.is_referenced() and (item.is_global() or each is table) and not _is_bound(item)
    }
    lines: dict[str, int] = {}
    used = set(_public(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            lines.setdefault(node.id, node.lineno)
            used.add(node.id)
    for name in sorted(missing - bound - _GIVEN):
        yield NameFault(lines.get(name, 1), "F821", f"Undefined name `{name}`")
    for alias, statement in _aliases(tree):
        local = alias.asname or alias.name.partition(".")[0]
        is_handed_on = alias.asname is not None and alias.asname == alias.name
        if local not in used and not is_handed_on and statement != "__future__":
            full = f"{statement}.{alias.name}" if statement else alias.name
            yield NameFault(alias.lineno, "F401", f"`{full}` imported but unused")


def _is_bound(item: symtable.Symbol) -> bool:
    return item.is_assigned() or item.is_imported() or item.is_parameter() or item.is_namespace()


def _aliases(tree: ast.Module) -> Iterator[tuple[ast.alias, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias, node.module or ".") for alias in node.names)


def _public(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(item, ast.Name) and item.id == "__all__" for item in targets):
            for item in ast.walk(node):
                if isinstance(item, ast.Constant) and isinstance(item.value, str):
                    yield item.value
