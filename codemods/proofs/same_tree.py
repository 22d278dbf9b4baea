"""P0: a second, independent way from the mapping to the expected result agrees with the edits.

Python is compared as trees, after call templates; notebooks cell by cell; other text by replacing
the dotted names on both sides. The rules edit text in place and share none of this.
"""

import ast
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

from codemods.expected_tree import Bridged, bridged_in, canonical
from codemods.mapping import shipped
from codemods.migration import Change
from codemods.notebooks import read_notebook
from codemods.proofs.proof import Claim, Proof
from codemods.relevant_statements import narrowed
from codemods.settings import ScanSettings
from codemods.source import decode_python
from codemods.syntax import Unparsable, parse

LEVEL = "P0"
PYTHON = (".py", ".pyi", ".pyw")
_MARK = "\0legacy"

Roots = Sequence[tuple[str, ...]]


def prove(claim: Claim) -> Iterator[Proof]:
    """Compare every changed file with what is expected of it."""
    for change in claim.changes:
        try:
            fault = _fault(change, claim.settings)
        except (SyntaxError, ValueError, LookupError, RecursionError) as error:
            fault = f"{type(error).__name__}: {error}"
        yield Proof(change.shown, LEVEL, fault)


def _fault(change: Change, settings: ScanSettings) -> str:
    roots = settings.all_roots
    suffix = PurePath(change.shown).suffix
    if suffix in PYTHON:
        texts = [decode_python(change.before), decode_python(change.after)]
        before, after = narrowed((_tree(texts[0]), texts[0]), (_tree(texts[1]), texts[1]), roots)
        bridged = bridged_in(after)
        expected, actual = (canonical(tree, roots, bridged) for tree in (before, after))
    elif suffix == ".ipynb":
        bridged = bridged_in(_code(change.after))
        expected, actual = (
            _notebook(data, roots, bridged) for data in (change.before, change.after)
        )
    else:
        expected, actual = (
            _plain(data.decode("latin-1"), roots) for data in (change.before, change.after)
        )
    return _difference(expected, actual)


def _tree(text: str) -> ast.Module:
    """Parse a module, also one whose syntax is newer than the running Python's.

    Raises:
        SyntaxError: nothing here reads it.
    """
    parsed = parse(text)
    if isinstance(parsed, Unparsable):
        raise SyntaxError(f"line {parsed.line}: {parsed.reason}")  # noqa: TRY004 - it is the text that is wrong
    return parsed.tree


def _difference(expected: str, actual: str) -> str:
    if expected == actual:
        return ""
    pairs = zip(expected.splitlines(), actual.splitlines(), strict=False)
    differing = next((pair for pair in pairs if pair[0] != pair[1]), ("", "another length"))
    return f"expected {differing[0].strip()!r}, got {differing[1].strip()!r}"


def _plain(text: str, roots: Roots) -> str:
    """Return a text with every dotted name of a legacy module, or of its successor, the same."""
    names = "|".join(r"\.".join(map(re.escape, root)) for root in roots)
    legacy = re.compile(rf"(?<![\w.])(?:\w+\.)*(?:{names})(?!\w)")
    successor = re.compile(rf"(?<![\w.]){re.escape(shipped().bridge)}(?!\w)")
    return successor.sub(_MARK, legacy.sub(_MARK, text))


def _notebook(data: bytes, roots: Roots, bridged: Bridged) -> str:
    """Return the code of a notebook as one canonical module, and everything else as text."""
    notebook = read_notebook(data)
    rest: Any = json.loads(data.decode("utf-8-sig"))
    for cell in rest.get("cells", ()):
        if cell.get("cell_type") == "code":
            cell["source"] = None
    # The lines of the code stand as blanks among them, and their number may change.
    magics = "\n".join(
        f"{cell.number}: {line}"
        for cell in notebook.commands
        for line in cell.text.splitlines()
        if line.strip()
    )
    around = json.dumps(rest, sort_keys=True, ensure_ascii=False)
    code = canonical(_code(data), roots, bridged)
    return "\n".join((code, _plain(magics, roots), _plain(around, roots)))


def _code(data: bytes) -> ast.Module:
    return ast.parse("\n".join(cell.text for cell in read_notebook(data).code))
