"""Parsing: the standard `ast`, and a way around syntax that is newer than the running Python.

The spans of newer syntax are replaced by older syntax *of the same length*, so that one extraction
serves both cases and every position stays true: the commonest forms at once (`codemods.newer_syntax`),
the rest with LibCST, an extra (`codemods.older_syntax`). What stood in a replaced span is not lost:
a legacy word in it that belongs to no node is reported by the accounting as undecided.
"""

import ast
import re
import subprocess
import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from itertools import compress
from operator import ne
from pathlib import Path

from codemods.newer_syntax import MOST_REPLACEMENTS, replaced

NEEDS_EXTRA = "LibCST is needed to tell broken from newer syntax: pip install 'planproof[codemods]'"

# `a + a + ...` of some thousand terms is valid; the parser's own stack overflows far above this.
DEEP_RECURSION_LIMIT = 10_000

_WORD = re.compile(r"\w+")

# LibCST reads 1 MB of ordinary code in about 5 s; deeply nested brackets take it for ever.
OLDER_SYNTAX_DEADLINE_S = 60
# Every file is parsed by the scan, the plan and each proof, and LibCST starts in about a second.
OLDER_SYNTAX_KEPT = 64


@dataclass(frozen=True, slots=True)
class Unparsable:
    """The text is no module that the running Python or LibCST reads."""

    line: int
    reason: str
    may_be_newer: bool = False


@dataclass(frozen=True, slots=True)
class Parsed:
    """A module, and the text whose positions it has.

    `original` has the same length and the same lines as `text`, so a span of the tree is a span of
    the original too. They differ only where newer syntax was replaced: see `hides`.
    """

    tree: ast.Module
    text: str
    original: str

    @property
    def is_older(self) -> bool:
        """Whether newer syntax was replaced, so that the running Python cannot compile it."""
        return self.text is not self.original and self.text != self.original

    def replaced(self) -> list[tuple[int, int]]:
        """Return the spans of whole words and marks that the tree does not show as they are."""
        if not self.is_older:
            return []
        spans: list[tuple[int, int]] = []
        offsets = range(len(self.text))
        for at in compress(offsets, map(ne, self.text, self.original)):
            if spans and spans[-1][1] == at:
                spans[-1] = (spans[-1][0], at + 1)
            else:
                spans.append((at, at + 1))
        return spans

    def hides(self, names: Iterable[str]) -> bool:
        """Say whether one of `names` stands in the original where the tree does not show it."""
        wanted = frozenset(names)
        return self.is_older and any(
            match[0] in wanted and self.text[match.start() : match.end()] != match[0]
            for match in _WORD.finditer(self.original)
        )


def parse(text: str) -> Parsed | Unparsable:
    """Parse a module's text."""
    first = _parse_standard(text)
    if isinstance(first, ast.Module):
        return Parsed(first, text, text)
    if not first.may_be_newer:
        return first
    known = _parse_known(text)
    if known is not None:
        return known
    older = _older_syntax(text)
    if isinstance(older, Unparsable):
        return Unparsable(first.line, f"{first.reason}{older.reason}")
    second = _parse_standard(older)
    if not isinstance(second, ast.Module) or len(older) != len(text):
        return first
    return Parsed(second, older, text)


def _parse_known(text: str) -> Parsed | None:
    """Parse with the known newer forms replaced one by one; None if that is not enough."""
    older = text
    for _ in range(MOST_REPLACEMENTS):
        try:
            return Parsed(_quiet_parse(older), older, text)
        except SyntaxError as error:
            next_older = replaced(older, error)
        except (ValueError, RecursionError, MemoryError):
            return None
        if next_older is None or len(next_older) != len(text):
            return None
        older = next_older
    return None


def _parse_standard(text: str) -> ast.Module | Unparsable:
    try:
        try:
            return _quiet_parse(text)
        except RecursionError:
            return _deep_parse(text)
    except SyntaxError as error:
        reason = f"syntax error: {error.msg}"
        return Unparsable(error.lineno or 1, reason, may_be_newer="\0" not in text)
    except (ValueError, RecursionError, MemoryError) as error:
        return Unparsable(1, f"cannot be parsed: {str(error) or type(error).__name__}")


def _quiet_parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        # Invalid escapes in somebody's source are not our caller's warnings.
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _deep_parse(text: str) -> ast.Module:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(DEEP_RECURSION_LIMIT)
    try:
        return _quiet_parse(text)
    finally:
        sys.setrecursionlimit(limit)


@lru_cache(maxsize=OLDER_SYNTAX_KEPT)
def _older_syntax(text: str) -> str | Unparsable:
    if find_spec("libcst") is None:
        return Unparsable(1, f" ({NEEDS_EXTRA})")
    script = str(Path(__file__).with_name("older_syntax.py"))
    try:
        done = subprocess.run(  # noqa: S603 - our own script and interpreter
            # -P: this package's folder must not shadow LibCST's own imports.
            [sys.executable, "-P", script],
            input=text.encode("utf-8", "surrogatepass"),
            capture_output=True,
            check=False,
            timeout=OLDER_SYNTAX_DEADLINE_S,
        )
    except subprocess.TimeoutExpired:
        return Unparsable(1, f" (LibCST was stopped after {OLDER_SYNTAX_DEADLINE_S} s)")
    if done.returncode:
        return Unparsable(1, "")
    return done.stdout.decode("utf-8", "surrogatepass")
