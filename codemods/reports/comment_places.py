"""Where a comment may stand in a file without changing what the file means.

Every answer is checked afterwards: the file with its comments has to parse to the same value. A
file that cannot be parsed here, and a format without comments, gets none.
"""

import ast
import configparser
import re
import tokenize
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

_OUTSIDE = frozenset(
    {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
)
_YAML_ITEM = re.compile(
    r"""(?P<dashes>(?:-[ ]+)*)(?:-$|(?:"[^"]*"|'[^']*'|[^\s#"'{\[&*!|>%@`][^#]*?)\s*:(?:\s|$)|(?<=-[ ])\S)"""
)
_YAML_BLOCK = re.compile(r"(?:^|[\s:-])[|>][-+1-9]{0,2}[ \t]*(?:#.*)?$")
_YAML_OPENS = re.compile(r"(?:^|[\s])?[:-](?:[ \t]+[&!]\S*)*[ \t]*(?:#.*)?$")
_YAML_QUOTED = re.compile(r"""(?<![^\s\[{,:-])("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')""")
_YAML_QUOTE = re.compile(r"""(?:^|[\s\[{,:-])(["'])""")


@dataclass(frozen=True, slots=True)
class Places:
    """What is known of a file's lines (numbers from 1).

    Attributes:
        above: for a line, the line above which its comment has to stand; a line without such a
            place is missing.
        comments: lines that hold a comment alone.
    """

    above: Mapping[int, int]
    comments: frozenset[int]


def is_commentable(name: str) -> bool:
    """Say whether files of this name can hold the comments."""
    return _suffix(name) in _FORMATS


def places(name: str, lines: Sequence[str]) -> Places | None:
    """Return where comments may stand in a file; None where that cannot be said.

    Args:
        name: the file's name, which tells the format.
        lines: the text with its line ends.
    """
    return _FORMATS[_suffix(name)].places(lines)


def meaning(name: str, lines: Sequence[str]) -> str | None:
    """Return the value of a file as text, for comparison; None if it cannot be parsed here."""
    text = "".join(lines).replace("\r\n", "\n").replace("\r", "\n")
    return _FORMATS[_suffix(name)].meaning(text)


def _suffix(name: str) -> str:
    return "." + name.rpartition(".")[2].lower() if "." in name else ""


def _unended(lines: Sequence[str]) -> list[str]:
    return [line.rstrip("\r\n") for line in lines]


# Python


def _python_places(lines: Sequence[str]) -> Places | None:
    above: dict[int, int] = {}
    comments: set[int] = set()
    bare = _unended(lines)
    first = 0
    read = iter([f"{line}\n" for line in bare])
    try:
        for token in tokenize.generate_tokens(lambda: next(read, "")):
            row = token.start[0]
            if token.type == tokenize.COMMENT and not bare[row - 1][: token.start[1]].strip():
                comments.add(row)
            if token.type not in _OUTSIDE and not first:
                first = row
            if token.type == tokenize.NEWLINE and first:
                above.update(dict.fromkeys(range(first, token.end[0] + 1), first))
                first = 0
    except (tokenize.TokenError, SyntaxError):
        return None
    starts = {start: _before_backslashes(start, bare, above, comments) for start in above.values()}
    placed = {row: starts[above[row]] if row in above else row for row in range(1, len(bare) + 1)}
    return Places(placed, frozenset(comments))


def _before_backslashes(
    row: int, bare: Sequence[str], above: Mapping[int, int], comments: set[int]
) -> int:
    """Go above lines that are empty but for a backslash, which belong to the statement."""
    while row > 1 and bare[row - 2].endswith("\\") and row - 1 not in comments:
        if row - 1 in above:
            break
        row -= 1
    return row


def _python_meaning(text: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.dump(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


# Configuration


def _toml_places(lines: Sequence[str]) -> Places:
    bare = _unended(lines)
    above: dict[int, int] = {}
    inside = _toml_strings(bare)
    for row in range(1, len(bare) + 1):
        # Line by line down from the one in which the string begins.
        above[row] = above[row - 1] if row in inside else row
    comments = {
        row
        for row, line in enumerate(bare, 1)
        if line.lstrip().startswith("#") and row not in inside
    }
    return Places(above, frozenset(comments))


def _toml_strings(bare: Sequence[str]) -> set[int]:
    """Return the lines that begin inside a string of several lines."""
    inside = set()
    mark = ""
    for row, line in enumerate(bare, 1):
        if mark:
            inside.add(row)
        position = 0
        while position < len(line):
            if mark:
                mark, position = _toml_inside(line, position, mark)
            elif line[position] == "#":
                break
            elif line.startswith(('"""', "'''"), position):
                mark, position = line[position : position + 3], position + 3
            elif line[position] in "\"'":
                mark, position = line[position], position + 1
            else:
                position += 1
        if len(mark) == 1:
            mark = ""  # such a string ends on its line
    return inside


def _toml_inside(line: str, position: int, mark: str) -> tuple[str, int]:
    if mark[0] == '"' and line[position] == "\\":
        return mark, position + 2
    if line.startswith(mark, position):
        return "", position + len(mark)
    return mark, position + 1


def _toml_meaning(text: str) -> str | None:
    try:
        return repr(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError):
        return None


def _ini_places(lines: Sequence[str]) -> Places:
    """Place comments above the option whose value goes on over several lines."""
    bare = _unended(lines)
    above = {}
    owner = 1
    for row, line in enumerate(bare, 1):
        if line.strip() and not line[0].isspace():
            owner = row
        above[row] = owner
    comments = {row for row, line in enumerate(bare, 1) if line.lstrip().startswith(("#", ";"))}
    return Places(above, frozenset(comments))


def _ini_meaning(text: str) -> str | None:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    found = [(name, list(parser.items(name))) for name in parser.sections()]
    return repr((found, list(parser.defaults().items())))


def _yaml_places(lines: Sequence[str]) -> Places | None:
    above: dict[int, int] = {}
    comments: set[int] = set()
    owner = 0
    for row, is_item, is_comment in _yaml_rows(_unended(lines)):
        if is_item:
            owner = row
        elif lines[row - 1].startswith("---"):
            owner = 0  # another document
        if is_comment:
            comments.add(row)
        if owner:
            above[row] = owner
    return Places(above, frozenset(comments))


def _yaml_rows(bare: Sequence[str]) -> Iterator[tuple[int, bool, bool]]:
    """Yield for each line whether it begins an item or a key, and whether it is a comment.

    A line inside a text of several lines (a block, quotes, brackets, a plain text that goes on) is
    neither.
    """
    state = _YamlState()
    for row, line in enumerate(bare, 1):
        if state.is_inside(line):
            yield row, False, False
            continue
        body = line.lstrip(" ")
        if not body or body.startswith("#"):
            yield row, False, body.startswith("#")
            continue
        is_item = state.begins_item(line)
        yield row, is_item, False
        state.go_on(line, is_item=is_item)


class _YamlState:
    """What a line of YAML leaves open for the next ones."""

    def __init__(self) -> None:
        self.block: int | None = None  # the column that a block's lines are indented beyond
        self.quote = ""
        self.depth = 0
        self.column = 0  # where a key of the last item's mapping begins
        self.opens = True  # whether a deeper line may begin a collection

    def is_inside(self, line: str) -> bool:
        """Say whether a line begins inside of a text; end what ends on it."""
        if self.quote:
            self._close(line)
            return True
        if self.depth:
            self._brackets(line)
            return True
        if self.block is None:
            return False
        if not line.strip() or len(line) - len(line.lstrip(" ")) > self.block:
            return True
        self.block = None
        return False

    def begins_item(self, line: str) -> bool:
        """Say whether a comment above the line ends nothing that goes on."""
        indent = len(line) - len(line.lstrip(" "))
        is_item = _YAML_ITEM.match(line, indent) is not None
        return is_item and (indent <= self.column or self.opens)

    def go_on(self, line: str, *, is_item: bool) -> None:
        """Note what the line leaves open."""
        if line.startswith(("---", "%", "...")):
            self.block = -1 if _YAML_BLOCK.search(line) else None
            self.column, self.opens = 0, True
            return
        indent = len(line) - len(line.lstrip(" "))
        dashes = re.match(r"(?:-[ ]+)*", line[indent:])
        key = indent + (dashes.end() if dashes else 0)
        plain = _YAML_QUOTED.sub("''", line)
        if _YAML_BLOCK.search(plain):
            is_bare = line[key : key + 1] in {"|", ">"}
            self.block = (key - 2 if is_bare else key) if key > indent or not is_bare else indent
        if is_item:
            self.column = key
        self.opens = is_item and _YAML_OPENS.search(plain) is not None
        self._brackets(line)
        opened = _YAML_QUOTE.search(_uncommented(plain).replace("''", ""))
        self.quote = opened[1] if opened and not self.depth else ""

    def _brackets(self, line: str) -> None:
        plain = _uncommented(_YAML_QUOTED.sub("''", line))
        value = plain if self.depth else plain.partition(": ")[2] or plain.lstrip(" -")
        if self.depth or value.lstrip().startswith(("[", "{")):
            opened = sum(plain.count(character) for character in "[{")
            self.depth = max(0, self.depth + opened - sum(plain.count(item) for item in "]}"))

    def _close(self, line: str) -> None:
        text = line.replace("''", "") if self.quote == "'" else re.sub(r"\\.", "", line)
        if self.quote in text:
            self.quote = ""


def _uncommented(line: str) -> str:
    return re.sub(r"(?:^|[ \t])#.*$", "", line)


def _yaml_meaning(text: str) -> str:
    """Return the lines that are neither blank nor comments: no parser comes with Python."""
    return "\n".join(
        line for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#")
    )


@dataclass(frozen=True, slots=True)
class _Format:
    places: Callable[[Sequence[str]], Places | None]
    meaning: Callable[[str], str | None]


_FORMATS: Mapping[str, _Format] = {
    **dict.fromkeys((".py", ".pyi", ".pyw"), _Format(_python_places, _python_meaning)),
    ".toml": _Format(_toml_places, _toml_meaning),
    **dict.fromkeys((".ini", ".cfg"), _Format(_ini_places, _ini_meaning)),
    **dict.fromkeys((".yaml", ".yml"), _Format(_yaml_places, _yaml_meaning)),
}
