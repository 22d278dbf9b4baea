"""Which statements of a module a walk may pass by: those with nothing in them that it looks for.

Most of a module is functions, classes and values without a legacy word in them. What is in such a
statement matters only if it reaches a module that hands legacy names on; whether a file can do that
at all is told by its bytes (`codemods.facade_filter`), and then the file is walked whole.
"""

import ast
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from codemods.callees import CERTAIN_IMPORTERS, OBJECT_PATCHERS
from codemods.source import Source

# Wherever these stand, they say something about the module around them, about the file as a whole,
# or about an object of which an attribute is replaced by its name.
_TELLING = (
    ":=",
    "global",
    "__all__",
    "__name__",
    "patch",
    *CERTAIN_IMPORTERS,
    *(OBJECT_PATCHERS - {"object"}),  # that one only in `patch.object`
)


def telling_lines(source: Source, needles: Iterable[str]) -> tuple[int, ...]:
    """Return the lines, in order, whose statements are to be walked."""
    words = chain(needles, _TELLING)
    return tuple(sorted({line for word in words for line in _lines(source, word)}))


def _lines(source: Source, word: str) -> Iterator[int]:
    text = source.text
    start = text.find(word)
    while start >= 0:
        yield source.line_column(start)[0]
        start = text.find(word, start + 1)


def is_idle(statement: ast.stmt, lines: Sequence[int]) -> bool:
    """Say whether none of `lines`, which are in order, belongs to a statement."""
    first = statement.lineno
    decorators = getattr(statement, "decorator_list", ())
    if decorators:
        first = min(first, decorators[0].lineno)
    at = bisect_left(lines, first)
    return at == len(lines) or lines[at] > (statement.end_lineno or statement.lineno)
