"""Comments that hold a legacy word: plain ones are no use, type comments are read like code."""

import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codemods.source import Source, Word

_TYPE_COMMENT = re.compile(r"#\s*type:\s*+(?!ignore\b)")
_PATH = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True)
class CommentWord:
    """A legacy word in a comment; `path` is the dotted path it is part of in a type comment."""

    start: int
    end: int
    path: tuple[str, ...] = ()


def comment_words(source: Source, code: str, words: Sequence[Word]) -> Iterator[CommentWord]:
    """Find the words that stand in comments.

    Args:
        source: the text with its positions.
        code: the same text as the parser read it (see `codemods.syntax`).
        words: the legacy words in the text.
    """
    # Tokenizing costs three times as much as parsing, so only where a `#` stands before a word.
    if not any("#" in _before(source, word) for word in words):
        return
    for start, end in _comments(source, code):
        inside = [word for word in words if start <= word.start and word.end <= end]
        is_type = bool(_TYPE_COMMENT.match(source.text, start, end)) if inside else False
        for word in inside:
            path = _path_at(source.text, start, end, word) if is_type else ()
            yield CommentWord(word.start, word.end, path)


def _before(source: Source, word: Word) -> str:
    line, _ = source.line_column(word.start)
    return source.text[source.line_starts[line - 1] : word.start]


def _comments(source: Source, code: str) -> Iterator[tuple[int, int]]:
    lines = (line + "\n" for line in _lines(code))
    readline = lambda: next(lines, "")  # noqa: E731 - the tokenizer's protocol
    try:
        for token in tokenize.generate_tokens(readline):
            if token.type == tokenize.COMMENT:
                start = source.line_starts[token.start[0] - 1] + token.start[1]
                yield start, start + len(token.string)
    except (tokenize.TokenError, SyntaxError):
        # The parser accepted the text, so only its last lines are left (an open bracket of a
        # newer f-string); their words stay without a claim, which is reported.
        return


def _lines(code: str) -> Iterator[str]:
    # Only a line feed, a carriage return or both end a line, as for the parser.
    yield from code.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _path_at(text: str, start: int, end: int, word: Word) -> tuple[str, ...]:
    for match in _PATH.finditer(text, start, end):
        if match.start() <= word.start and word.end <= match.end():
            return tuple(match[0].split("."))
    return ()
