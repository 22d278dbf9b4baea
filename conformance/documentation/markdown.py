"""Markdown as the generated pages need it: tables, and text that may stand in a cell."""

import re
from collections.abc import Iterable, Sequence

_BACKSLASHED = re.compile(r"([|<>*])")


def cell(text: str) -> str:
    """Return one line of prose that a cell of a table can hold."""
    parts = " ".join(text.split()).split("`")
    # What stands between backticks is code: there only a bar would end the cell.
    return "`".join(
        part.replace("|", r"\|") if at % 2 else _BACKSLASHED.sub(r"\\\1", part)
        for at, part in enumerate(parts)
    )


def code(text: str) -> str:
    """Return `text` as code; nothing for nothing."""
    return f"`{text}`" if text else ""


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose cells are escaped.

    Raises:
        ValueError: it would have no rows, or one with too many or too few cells.
    """
    lines = [[cell(each) for each in row] for row in rows]
    if not lines:
        raise ValueError(f"the table of {headings[0]!r} has no rows")
    if any(len(line) != len(headings) for line in lines):
        raise ValueError(f"the table of {headings[0]!r} has rows of another width")
    rule = "|".join("---" for _ in headings)
    return "\n".join(
        [f"| {' | '.join(headings)} |", f"|{rule}|", *(f"| {' | '.join(line)} |" for line in lines)]
    )
