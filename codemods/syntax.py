"""Parsing: the standard `ast`, and a way around syntax that is newer than the running Python.

When `ast` rejects a file, LibCST (an extra) may still read it. The spans of the newer syntax are
then replaced by older syntax *of the same length* (`codemods.older_syntax`), so that one
extraction serves both cases and every position stays true. What stood in a replaced span is not
lost: a legacy word in it belongs to no node, and the accounting reports it as undecided.
"""

import ast
import subprocess
import sys
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

NEEDS_EXTRA = "LibCST is needed to tell broken from newer syntax: pip install 'planproof[codemods]'"

# `a + a + ...` of some thousand terms is valid; the parser's own stack overflows far above this.
DEEP_RECURSION_LIMIT = 10_000

# LibCST reads 1 MB of ordinary code in about 5 s; deeply nested brackets take it for ever.
OLDER_SYNTAX_DEADLINE_S = 60


@dataclass(frozen=True, slots=True)
class Unparsable:
    """The text is no module that the running Python or LibCST reads."""

    line: int
    reason: str
    may_be_newer: bool = False


@dataclass(frozen=True, slots=True)
class Parsed:
    """A module, and the text whose positions it has (of the same length as the original)."""

    tree: ast.Module
    text: str


def parse(text: str) -> Parsed | Unparsable:
    """Parse a module's text."""
    first = _parse_standard(text)
    if isinstance(first, ast.Module):
        return Parsed(first, text)
    if not first.may_be_newer:
        return first
    older = _older_syntax(text)
    if isinstance(older, Unparsable):
        return Unparsable(first.line, f"{first.reason}{older.reason}")
    second = _parse_standard(older)
    return Parsed(second, older) if isinstance(second, ast.Module) else first


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
