"""Newer syntax replaced by older syntax of the same length, with LibCST, in a process of its own.

Run as a script by `codemods.syntax`: the text comes on standard input, the older text goes to
standard output. A process because LibCST's parser is native code that takes exponential time
for deeply nested brackets and overflows the stack for very long expressions: a file that does
that costs itself, not the scan. Therefore nothing of this package is imported here.
"""

import ast
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

_LINE_END = re.compile(r"\r\n|\r|\n")


def older_syntax(text: str) -> str:
    """Return `text` with newer syntax replaced in place; all positions stay true.

    Raises:
        ImportError: LibCST is not installed.
        libcst.ParserSyntaxError: LibCST does not read the text either.
        ValueError: LibCST does not print the text as it was, so its positions would be wrong.
    """
    import libcst  # noqa: PLC0415 - an extra
    from libcst.metadata import MetadataWrapper, PositionProvider  # noqa: PLC0415 - the same

    module = libcst.parse_module(text)
    if module.code != text:
        raise ValueError("LibCST does not reproduce the text")  # `except X :` loses its blank
    wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
    positions = wrapper.resolve(PositionProvider)
    starts = (0, *(match.end() for match in _LINE_END.finditer(text)))

    def span(node: Any) -> tuple[int, int]:
        place = positions[node]
        return (
            starts[place.start.line - 1] + place.start.column,
            starts[place.end.line - 1] + place.end.column,
        )

    pieces: list[str] = []
    done = 0
    for start, end, older in sorted(_replacements(module, text, span)):
        if start >= done:  # an inner span is covered by the outer one
            pieces += (text[done:start], older)
            done = end
    return "".join((*pieces, text[done:]))


def _replacements(
    module: Any, text: str, span: Callable[[Any], tuple[int, int]]
) -> Iterator[tuple[int, int, str]]:
    pending: list[Any] = [module]
    while pending:
        node = pending.pop()
        pending.extend(node.children)
        replace = _REPLACE.get(type(node).__name__)
        if replace is None:
            continue
        place = node.type if "Except" in type(node).__name__ else node
        if place is None:
            continue
        start, end = span(place)
        older = replace(node, text[start:end])
        if older is not None:
            yield start, end, older


def _is_readable(expression: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(f"({expression})")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _soft_keyword(_node: Any, old: str) -> str:
    # `type X = int` and `lazy import x`: `0000;` is a statement of the keyword's length.
    return f"0000;{old[5:]}"


def _string(_node: Any, old: str) -> str | None:
    if old[:1] in "tT":
        old = f"f{old[1:]}"  # a template string reads like an f-string
    elif old[1:2] in "tT" and old[:1] in "rR":
        old = f"{old[0]}f{old[2:]}"
    if _is_readable(old):
        return old
    return f"(0{_blank(old[2:-1])})"


def _concatenated(_node: Any, old: str) -> str | None:
    # One part that cannot be read makes the whole implicit concatenation unreadable.
    if _is_readable(old):
        return None
    return f"(0{_blank(old[2:-1])})"


def _type_parameters(_node: Any, old: str) -> str:
    return blank_brackets(old)


def blank_brackets(old: str) -> str:
    """Return blanks of the length of `old`; its lines are joined, as they were by the brackets."""
    blank = list(_blank(old))
    for index, character in enumerate(blank):
        if character in "\r\n" and index and blank[index - 1] == " ":
            blank[index - 1] = "\\"
    return "".join(blank)


def _bare_exceptions(node: Any, old: str) -> str | None:
    if type(node.type).__name__ != "Tuple" or node.type.lpar:
        return None
    return joined_exceptions(old) or f"0{_blank(old[1:])}"


def joined_exceptions(old: str) -> str | None:
    """Return `A, B` as `A| B`, which older parsers read; None if its commas are not plain to see."""
    pieces: list[str] = []
    depth = 0
    for character in old:
        if character in "\"'#":
            return None
        depth += (character in "([{") - (character in ")]}")
        pieces.append("|" if character == "," and depth == 0 else character)
    return "".join(pieces)


def _blank(text: str) -> str:
    return "".join(character if character in "\r\n" else " " for character in text)


_REPLACE: dict[str, Callable[[Any, str], str | None]] = {
    "TypeAlias": _soft_keyword,
    "LazyImport": _soft_keyword,
    "LazyImportFrom": _soft_keyword,
    "TypeParameters": _type_parameters,
    "FormattedString": _string,
    "TemplatedString": _string,
    "ConcatenatedString": _concatenated,
    "ExceptHandler": _bare_exceptions,
    "ExceptStarHandler": _bare_exceptions,
}


def main() -> None:
    """Filter standard input to standard output; a traceback and exit status 1 on failure."""
    text = sys.stdin.buffer.read().decode("utf-8", "surrogatepass")
    older = older_syntax(text)
    sys.stdout.buffer.write(older.encode("utf-8", "surrogatepass"))


if __name__ == "__main__":
    main()
