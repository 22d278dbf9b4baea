"""Edits of the code in a notebook: planned over all cells as one module, made in the JSON text.

All code cells share one namespace: an import in one cell is used in another, so they change
together or not at all. The JSON's layout, outputs and metadata keep every byte.
"""

import ast
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from codemods.edits import Edit, EditError, apply_to_bytes
from codemods.notebook_tokens import Located, Token, locate_sources
from codemods.notebooks import Cell, Notebook, read_notebook
from codemods.occurrence import Occurrence
from codemods.source import Source
from codemods.syntax import Parsed, parse

_SHELLS = ("%%bash", "%%sh", "%%script", "!")
_WORD = re.compile(r"[^\W\d]\w*")
_INTERPOLATED = re.compile(r"\{([^{}]*)\}|\$(\w+)")


@dataclass(frozen=True, slots=True)
class CellRefusal:
    """Why a notebook stays as it is, and where: the cell from 1, 0 for the notebook itself."""

    cell: int
    line: int
    column: int
    reason: str


@dataclass(frozen=True, slots=True)
class NotebookPlan:
    """Edits in characters of the JSON text (without a BOM), or the refusals that forbid them."""

    edits: tuple[Edit, ...] = ()
    refusals: tuple[CellRefusal, ...] = ()


@dataclass(frozen=True, slots=True)
class NotebookModule:
    """The code cells of a notebook as one module.

    Magics are blank or `pass` in it, as for the scanner; cells that cannot be parsed are left out.

    Attributes:
        text: the module.
        cells: offset of each cell's text in `text`, its first line there, and its number.
    """

    text: str
    cells: tuple[tuple[int, int, int], ...]

    def find(self, item: Occurrence) -> Occurrence | None:
        """Return an occurrence with its place in the module; None if it is not in the code."""
        line = next((first for _, first, number in self.cells if number == item.cell), None)
        if line is None:
            return None
        moved = replace(item, cell=None, line=line + item.line - 1)
        starts = Source.of(self.text).line_starts
        if moved.line > len(starts):
            return None
        offset = starts[moved.line - 1] + item.column - 1
        return moved if self.text.startswith(item.needle, offset) else None

    def place(self, line: int, column: int) -> tuple[int, int, int]:
        """Return the cell, line and column of a place in the module, all from 1."""
        index = bisect_right(self.cells, line, key=lambda item: item[1]) - 1
        _, first, number = self.cells[max(index, 0)]
        return number, line - first + 1, column


def plan_notebook(
    data: bytes,
    plan_code: Callable[[NotebookModule], Sequence[Edit]],
    *,
    needles: Sequence[str],
) -> NotebookPlan:
    """Plan the code of a notebook.

    Args:
        data: the notebook.
        plan_code: returns the edits of all code as one module, in characters of its text; it may
            raise `EditError` with the reason for none.
        needles: the legacy words.
    """
    try:
        document = json.loads(data.decode("utf-8-sig"))
        notebook = read_notebook(data)
        located = _located(document, data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return _refused(f"cannot be read as a notebook: {error}")
    language = _language(document)
    if language not in {"", "python"}:
        return _refused(f"its language is {language}")
    module = module_of_notebook(notebook)
    names = frozenset(needles) | _legacy_names(module.text, needles)
    refusals = tuple(_magics(notebook, names)) + tuple(_left_out(notebook, module, names))
    if refusals:
        return NotebookPlan(refusals=refusals)
    try:
        edits = tuple(_in_json(module, located, plan_code(module), data))
        _demand_same_rest(document, apply_to_bytes(data, edits))
    except EditError as error:
        return _refused(error.message)
    return NotebookPlan(edits)


def apply(data: bytes, plan: NotebookPlan) -> bytes:
    """Return the notebook with its edits made.

    Raises:
        codemods.edits.EditError: the edits do not fit the bytes, or change more than code.
    """
    after = apply_to_bytes(data, plan.edits)
    _demand_same_rest(json.loads(data.decode("utf-8-sig")), after)
    return after


def module_of_notebook(notebook: Notebook) -> NotebookModule:
    """Join the code cells that can be parsed, as the scanner does."""
    cells: list[tuple[int, int, int]] = []
    texts: list[str] = []
    offset, line = 0, 1
    for cell in notebook.code:
        if isinstance(parse(cell.text), Parsed):
            cells.append((offset, line, cell.number))
            texts.append(cell.text)
            offset += len(cell.text) + 1
            line += len(Source.of(cell.text).line_starts)
    return NotebookModule("\n".join(texts), tuple(cells))


def _refused(reason: str) -> NotebookPlan:
    return NotebookPlan(refusals=(CellRefusal(0, 1, 1, reason),))


def _language(document: Any) -> str:
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    for table, key in (("language_info", "name"), ("kernelspec", "language")):
        value = metadata.get(table)
        if isinstance(value, dict) and isinstance(value.get(key), str):
            return str(value[key]).lower()
    return ""


def _located(document: Any, text: str) -> dict[int, Located]:
    """Return the strings of every cell's source by the cell's number."""
    found = locate_sources(text)
    paths: list[tuple[str | int, ...]]
    if document.get("cells") is not None:
        paths = [("cells", index) for index in range(len(document["cells"]))]
    else:
        paths = [
            ("worksheets", sheet, "cells", index)
            for sheet, content in enumerate(document["worksheets"])
            for index in range(len(content.get("cells", ())))
        ]
    return {number: found[path] for number, path in enumerate(paths, start=1) if path in found}


# What forbids edits


def _legacy_names(text: str, needles: Sequence[str]) -> frozenset[str]:
    """Return the local names that imports of the legacy module bind."""
    parsed = parse(text)
    if not isinstance(parsed, Parsed):
        return frozenset()
    names: set[str] = set()
    for node in ast.walk(parsed.tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        module = getattr(node, "module", None) or ""
        for alias in node.names:
            if not set(f"{module}.{alias.name}".split(".")).isdisjoint(needles):
                names.add(alias.asname or alias.name.partition(".")[0])
    return frozenset(names - {"*"})


def _magics(notebook: Notebook, names: frozenset[str]) -> Iterator[CellRefusal]:
    """Refuse magics that use what changes; a shell of its own only by what is put into it."""
    for cell in notebook.commands:
        is_shell = cell.text.startswith(_SHELLS)
        for number, line in enumerate(cell.text.split("\n"), start=1):
            text = line
            if is_shell or line.lstrip().startswith("!"):
                text = " ".join(" ".join(match) for match in _INTERPOLATED.findall(line))
            used = next((word for word in _WORD.findall(text) if word in names), None)
            if used is not None:
                column = line.find(used) + 1
                yield CellRefusal(cell.number, number, column, f"a magic that uses {used}")


def _left_out(
    notebook: Notebook, module: NotebookModule, names: frozenset[str]
) -> Iterator[CellRefusal]:
    """Refuse cells that cannot be parsed and use what changes."""
    known = {number for _, _, number in module.cells}
    for cell in notebook.code:
        if cell.number not in known:
            used = _first_use(cell, names)
            if used is not None:
                yield CellRefusal(*used, "a cell that cannot be parsed uses what changes")


def _first_use(cell: Cell, names: frozenset[str]) -> tuple[int, int, int] | None:
    source = Source.of(cell.text)
    for match in _WORD.finditer(cell.text):
        if match[0] in names:
            return cell.number, *source.line_column(match.start())
    return None


def _demand_same_rest(document: Any, after: bytes) -> None:
    """Raise `EditError` unless everything but the source of code cells is the same."""
    try:
        changed = json.loads(after.decode("utf-8-sig"))
        same = _without_code(document) == _without_code(changed)
    except (ValueError, AttributeError, TypeError) as error:
        raise EditError(f"would be no notebook any more: {error}") from None
    if not same:
        raise EditError("more than the code would change")


def _without_code(document: Any) -> Any:
    sheets = [document, *(document.get("worksheets") or ())]
    copies = []
    for sheet in sheets:
        cells = [
            {key: value for key, value in cell.items() if key not in {"source", "input"}}
            if cell.get("cell_type") == "code"
            else cell
            for cell in sheet.get("cells") or ()
        ]
        rest = {key: value for key, value in sheet.items() if key not in {"cells", "worksheets"}}
        copies.append((rest, cells))
    return copies


# From the module to the JSON


@dataclass(frozen=True, slots=True)
class _CellEdit:
    """An edit in characters of a cell's own text."""

    start: int
    end: int
    new: str


def _in_json(
    module: NotebookModule, located: dict[int, Located], edits: Sequence[Edit], data: bytes
) -> Iterator[Edit]:
    text = data.decode("utf-8-sig")
    by_cell: dict[int, list[_CellEdit]] = {}
    for edit in sorted(edits, key=lambda item: (item.start, item.end)):
        index = bisect_right(module.cells, edit.start, key=lambda item: item[0]) - 1
        first, _, number = module.cells[index] if module.cells else (0, 0, 0)
        if number not in located or not located[number].tokens:
            raise EditError(f"cell {number}: an edit where there is no code")
        cell = located[number].text
        start = _raw_offset(module.text[first : edit.start], cell)
        end = start + len(edit.old)
        if cell[start:end] != edit.old or module.text[edit.start : edit.end] != edit.old:
            raise EditError(f"cell {number}: an edit that reaches beyond the cell, or over a magic")
        by_cell.setdefault(number, []).append(_CellEdit(start, end, edit.new))
    for number, found in by_cell.items():
        yield from _CellWriter(located[number], text).edits(found)


def _raw_offset(before: str, cell: str) -> int:
    """Return the offset in a cell's text of a place that `before` stands before in the module.

    Raises:
        EditError: the line is a magic, which the module has other words for.
    """
    above, last = before.count("\n"), before.rpartition("\n")[2]
    lines = cell.split("\n")
    if not lines[above].startswith(last):
        raise EditError("an edit on the line of a magic")
    return sum(len(line) + 1 for line in lines[:above]) + len(last)


class _CellWriter:
    """Writes edits of one cell into the strings of its source."""

    def __init__(self, located: Located, text: str) -> None:
        self.tokens = located.tokens
        self.is_list = located.is_list
        self.code = located.text
        self.text = text
        self.starts: list[int] = []
        position = 0
        for token in self.tokens:
            self.starts.append(position)
            position += len(token.value)

    def edits(self, edits: Sequence[_CellEdit]) -> Iterator[Edit]:
        """Yield edits of the JSON; lines that come or go make items of the array come or go."""
        pending = list(edits)
        while pending:
            group = [pending.pop(0)]
            first, last = self._token_at(group[0].start), self._last(group[0])
            while True:
                while pending and self._token_at(pending[0].start) <= last:
                    last = max(last, self._last(pending[0]))
                    group.append(pending.pop(0))
                units = self._edited(first, last, group)
                if self._is_inline(first, last, units) or last + 1 == len(self.tokens):
                    break
                if units and _is_line_end(units[-1]):
                    break
                last += 1  # a line that has lost its end goes on in the next item
            if self._is_inline(first, last, units):
                yield from (self._inline(item) for item in group)
            else:
                yield self._anew(first, last, units)

    def _is_inline(self, first: int, last: int, units: Sequence[str]) -> bool:
        """Say whether the lines stay in their items, so that only characters change."""
        if not self.is_list:
            return True
        before = self.tokens[first].units
        ends = [sum(_is_line_end(unit) for unit in item[-1:]) for item in (before, units)]
        inner = [sum(_is_line_end(unit) for unit in item[:-1]) for item in (before, units)]
        return first == last and bool(units) and ends[0] == ends[1] and inner[0] == inner[1]

    def _token_at(self, offset: int) -> int:
        return max(bisect_right(self.starts, offset) - 1, 0)

    def _last(self, item: _CellEdit) -> int:
        return self._token_at(max(item.end - 1, item.start))

    def _inline(self, item: _CellEdit) -> Edit:
        index = self._token_at(item.start)
        token, first = self.tokens[index], item.start - self.starts[index]
        start = token.start + sum(len(unit) for unit in token.units[:first])
        units = token.units[first : item.end - self.starts[index]]
        end = start + sum(len(unit) for unit in units)
        return Edit(start, end, self.text[start:end], "".join(self._units(item.new)))

    def _units(self, new: str) -> list[str]:
        is_ascii = self.text.isascii()
        return [json.dumps(character, ensure_ascii=is_ascii)[1:-1] for character in new]

    def _anew(self, first: int, last: int, units: Sequence[str]) -> Edit:
        """Write some items of the array again, one for each line."""
        lines: list[str] = [""]
        for unit in units:
            lines[-1] += unit
            if _is_line_end(unit):
                lines.append("")
        items = [f'"{line}"' for line in lines if line]
        start, end = self.tokens[first].start - 1, self.tokens[last].end + 1
        if not items and first > 0:
            start = self.tokens[first - 1].end + 1
        return Edit(start, end, self.text[start:end], self._separator().join(items))

    def _edited(self, first: int, last: int, group: Sequence[_CellEdit]) -> list[str]:
        units: list[str] = [unit for token in self.tokens[first : last + 1] for unit in token.units]
        base = self.starts[first]
        for item in reversed(group):
            units[item.start - base : item.end - base] = self._units(item.new)
        return units

    def _separator(self) -> str:
        if len(self.tokens) > 1:
            return self.text[self.tokens[0].end + 1 : self.tokens[1].start - 1]
        token: Token = self.tokens[0]
        bracket = self.text.rfind("[", 0, token.start - 1)
        blank = self.text[bracket + 1 : token.start - 1]
        return f",{blank}" if blank else ", "


def _is_line_end(unit: str) -> bool:
    return unit in {"\\n", "\\u000a", "\\u000A"}
