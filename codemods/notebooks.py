"""Jupyter notebooks: the code cells as one module, everything else as documentation.

All code cells share one namespace, so they are read together; positions are those of the cell.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_MAGIC = re.compile(r"^([ \t]*)(%|!|\?)(.*)$")
_CODE_MAGICS = ("capture", "prun", "python", "python3", "pypy", "time", "timeit", "debug")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell's text, with its number from 1 among all cells."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Notebook:
    """What a notebook holds: Python cells, shell texts, and texts that only people read."""

    code: tuple[Cell, ...]
    commands: tuple[Cell, ...]
    documents: tuple[Cell, ...]
    outputs: tuple[Cell, ...]


def read_notebook(data: bytes) -> Notebook:
    """Read a notebook of format 3 or 4.

    Raises:
        ValueError: the bytes are no JSON, or hold no list of cells.
    """
    document = json.loads(data.decode("utf-8-sig"))
    cells = _cells(document)
    code: list[Cell] = []
    commands: list[Cell] = []
    documents: list[Cell] = []
    outputs: list[Cell] = []
    for number, cell in enumerate(cells, start=1):
        source = cell.get("source", cell.get("input", ""))
        text = "".join(source) if isinstance(source, list) else str(source)
        rest = {key: value for key, value in cell.items() if key not in {"source", "input"}}
        outputs.extend(Cell(number, item) for item in _strings(rest))
        if cell.get("cell_type") != "code":
            documents.append(Cell(number, text))
            continue
        python, magics = _split_magics(text)
        code.append(Cell(number, python))
        commands.append(Cell(number, magics))
    around = {key: value for key, value in document.items() if key not in {"cells", "worksheets"}}
    outputs.extend(Cell(0, item) for item in _strings(around))
    return Notebook(tuple(code), tuple(commands), tuple(documents), tuple(outputs))


def _cells(document: Any) -> Sequence[dict[str, Any]]:
    if not isinstance(document, dict):
        raise ValueError("a notebook is a JSON object")  # noqa: TRY004 - one error for one fault: a broken file
    cells = document.get("cells")
    if cells is None and isinstance(document.get("worksheets"), list):
        cells = [cell for sheet in document["worksheets"] for cell in sheet.get("cells", ())]
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise ValueError("a notebook has a list of cells")
    return cells


def _strings(value: Any) -> Iterator[str]:
    """Yield every key and string, so that no occurrence escapes the accounting."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            pending.extend(item.keys())
            pending.extend(item.values())


def _split_magics(text: str) -> tuple[str, str]:
    """Return the Python of a cell and its magics, each with the lines of the other left blank."""
    lines = text.split("\n")
    first = lines[0].strip()
    if first.startswith("%%"):
        if first[2:].split(maxsplit=1)[0:1] and first[2:].split()[0] in _CODE_MAGICS:
            return "\n".join(["", *lines[1:]]), lines[0]
        return "\n" * (len(lines) - 1), text
    python, magics = [], []
    for line in lines:
        match = _MAGIC.match(line)
        # A magic in an indented block leaves a statement, so that the block is not empty.
        python.append(line if match is None else f"{match[1]}pass")
        magics.append("" if match is None else line)
    return "\n".join(python), "\n".join(magics)
