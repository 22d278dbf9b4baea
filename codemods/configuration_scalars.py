"""The key and the section that a value of a configuration file stands below, by its position.

No format is parsed, as in `codemods.configuration`: an edit needs positions to the character, and
what cannot be told from the lines around a value is not told at all (the value stays).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from codemods.configuration import section_at
from codemods.source import Source

_WORD = r"[^\W\d]\w*"
_PATH = rf"{_WORD}(?:\.{_WORD})*(?::{_WORD}(?:\.{_WORD})*)?"
_PATHS = re.compile(rf"{_PATH}(?:\s*,\s*{_PATH})*")
_BEFORE = re.compile(rf"(?:{_PATH}\s*,\s*)*$")
_AFTER_QUOTE = re.compile(r"\s*(?:[,}\]]|//|#|;|$)")
_AFTER_BARE = re.compile(rf"(?:\s*,\s*{_PATH})*\s*(?:[,}}\]]|\s#|\s;|$)")
_KEY = re.compile(
    r"""(?:^\s*(?:export\s+|-\s+)*|[{,\[]\s*)(?P<quote>["']?)(?P<key>[\w()][\w.()/-]*)(?P=quote)\s*(?P<sign>=|:(?P<gap>\s*))\s*$"""
)
_ITEM = re.compile(r"\s*(?:-\s+)*$")
_BLOCK_KEY = re.compile(
    r"""\s*(?:-\s+)*["']?(?P<key>[\w()][\w.()/-]*)["']?\s*[:=]\s*(?:[#;].*)?$"""
)
_BLOCK_TEXT = re.compile(r":\s*(?:[!&]\S+\s+)*[|>][-+\d]*\s*(?:#.*)?$")
_STRING = re.compile(r""""(?:\\.|[^"\\])*"|'[^']*'""")
_COMMENT = re.compile(r"(?:^|\s)#.*|\s//.*")
_TRIPLES = ('"""', "'''")

_FAMILIES = {
    **dict.fromkeys(("toml",), "toml"),
    **dict.fromkeys(("json", "jsonc", "json5"), "json"),
    **dict.fromkeys(("yaml", "yml"), "yaml"),
    **dict.fromkeys(("ini", "cfg", "conf", "properties"), "ini"),
    **dict.fromkeys(("env",), "env"),
}

# An opening bracket further up than this belongs to generated data.
_LINES_BACK = 400
# Where a quote opens a string: elsewhere it is an apostrophe.
_BEFORE_QUOTE = " \t=:([{,"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a value is of: its key, and the section that it stands in ("" in other formats)."""

    key: str
    section: str


def family_of(name: str) -> str:
    """Return `toml`, `json`, `yaml`, `ini` or `env` by a file's name, "" for any other format."""
    if name == "entry_points.txt":
        return "ini"
    if name.startswith(".env"):
        return "env"
    return _FAMILIES.get(name.rpartition(".")[2].lower(), "")


def setting_at(source: Source, start: int, end: int, name: str) -> Setting | None:
    """Return what the path from `start` to `end` is the value of, alone or in a list of paths.

    None if the path is only a part of a value, or if the key cannot be told from the text.
    """
    family = family_of(name)
    line, column = source.line_column(start)
    text = source.line_text(line)
    if not family or _is_in_long_text(source, start, line, family):
        return None
    first = column - 1
    opened = _quote_before(text, first, family)
    if opened is not None:
        lead = text[:opened] if _is_whole(text, opened) else None
    elif family in {"json", "toml"} or not _AFTER_BARE.match(text, first + end - start):
        lead = None
    else:
        lead = _BEFORE.sub("", text[:first])
    if lead is None:
        return None
    key = _key_of(source, line, lead, family, is_quoted=opened is not None)
    return None if key is None else Setting(key, section_at(source, start, name))


def _is_whole(text: str, opened: int) -> bool:
    """Say whether the quotes that open there hold paths only, and the value ends with them."""
    close = text.find(text[opened], opened + 1)
    is_paths = close > 0 and _PATHS.fullmatch(text, opened + 1, close) is not None
    return is_paths and _AFTER_QUOTE.match(text, close + 1) is not None


def _quote_before(text: str, first: int, family: str) -> int | None:
    """Return where the quote opens that `first` stands in, None outside of quotes."""
    quotes = '"' if family == "json" else "\"'"
    opened: int | None = None
    for index, character in enumerate(text[:first]):
        if opened is not None:
            opened = None if character == text[opened] else opened
        elif character in quotes and (index == 0 or text[index - 1] in _BEFORE_QUOTE):
            opened = index
    return opened


def _key_of(source: Source, line: int, lead: str, family: str, *, is_quoted: bool) -> str | None:
    """Return the key of a value that `lead` stands before on its line; None if there is none."""
    found = (_KEY.match if family in {"ini", "env"} else _KEY.search)(lead)
    if found is not None:
        is_word = not found["quote"] and not is_quoted and found["gap"] == ""
        # In YAML `a:b` is one word.
        return None if family == "yaml" and is_word else found["key"]
    bracket = _open_bracket(lead)
    if bracket is not None:
        if lead[bracket] != "[":
            return None
        inner = lead[:bracket]
        if inner.strip():
            return _key_of(source, line, inner, family, is_quoted=True)
        return _owner(source, line, inner, family)
    if _ITEM.match(lead) or lead.rstrip().endswith(","):
        return _owner(source, line, lead, family)
    return None


def _owner(source: Source, line: int, lead: str, family: str) -> str | None:
    """Return the key of the list that an item on a line of its own belongs to."""
    is_item = lead.lstrip().startswith("-")
    if family == "ini" or (family == "yaml" and is_item):
        indent = len(lead) - len(lead.lstrip()) if is_item else len(lead)
        for text, depth in _lines_above(source, line):
            is_beside = depth == indent and is_item and not text.lstrip().startswith("-")
            if depth < indent or is_beside:
                match = _BLOCK_KEY.match(text)
                return match["key"] if match else None
        return None
    closed = 0
    for above in range(line - 1, max(0, line - _LINES_BACK), -1):
        text = source.line_text(above)
        bracket = _open_bracket(text, closed)
        if bracket is not None:
            found = _KEY.search(text[:bracket]) if text[bracket] == "[" else None
            return found["key"] if found else None
        closed += _balance(text)
    return None


def _open_bracket(text: str, closed: int = 0) -> int | None:
    """Return the last bracket that is still open after `text` and `closed` closing ones."""
    plain = _blanked(text)
    for index in range(len(plain) - 1, -1, -1):
        closed += (plain[index] in "]})") - (plain[index] in "[{(")
        if closed < 0:
            return index
    return None


def _balance(text: str) -> int:
    """Return how many more brackets a line closes than it opens."""
    plain = _blanked(text)
    return sum(plain.count(mark) for mark in "]})") - sum(plain.count(mark) for mark in "[{(")


def _blanked(text: str) -> str:
    """Return a line with its strings and comments as blanks."""
    plain = _STRING.sub(lambda match: " " * len(match[0]), text)
    return _COMMENT.sub(lambda match: " " * len(match[0]), plain)


def _lines_above(source: Source, line: int) -> Iterator[tuple[str, int]]:
    """Yield the lines above that say something, with their indents."""
    for above in range(line - 1, 0, -1):
        text = source.line_text(above)
        if text.strip() and not text.lstrip().startswith(("#", ";")):
            yield text, len(text) - len(text.lstrip())


def _is_in_long_text(source: Source, offset: int, line: int, family: str) -> bool:
    """Say whether an offset is in a text of several lines, which is a value as a whole."""
    if family == "toml":
        return any(source.text.count(mark, 0, offset) % 2 for mark in _TRIPLES)
    if family != "yaml":
        return False
    if _is_in_open_quotes(source, line):
        return True
    text = source.line_text(line)
    indent = len(text) - len(text.lstrip())
    for above, depth in _lines_above(source, line):
        if depth < indent:
            if _BLOCK_TEXT.search(above):
                return True
            indent = depth
    return False


def _is_in_open_quotes(source: Source, line: int) -> bool:
    """Say whether a quoted string of YAML goes on from the lines above."""
    mark = ""
    for above in range(1, line):
        text = source.line_text(above)
        if mark and mark in text:
            text, mark = text[text.index(mark) + 1 :], ""
        if not mark:
            plain = _blanked(text)
            opened = _quote_before(plain, len(plain), "yaml")
            mark = plain[opened] if opened is not None else ""
    return bool(mark)
