"""Legacy words in configuration files, shell scripts and build files: whole dotted tokens.

No format is parsed: positions are needed to the character, broken files must be read too, and
one reading serves some twenty formats. Comments and sections are recognised line by line.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from codemods.dotted_text import DOTTED, FILE_SUFFIXES, Form, path_parts, read_text
from codemods.facts import Facts, Fixed, Mode, Origin, Reference
from codemods.occurrence import Kind, Status
from codemods.source import Source, Word

_DELIMITERS = " \t\r\n\f\"'`=,;[](){}<>|&!"
_TOKEN = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+(?::[^\W\d]\w*)?")
_SECTION = re.compile(r"^[ \t]*\[+([^\]\n]+)\]+", re.MULTILINE)
_ENTRY_SECTION = re.compile(
    r"entry[-_]points|\bscripts\b|gui-scripts|poetry\.plugins|console_scripts"
)
_FREE_TEXT = re.compile(
    r"""^[\s\-{,"']*(?:about|comment|description|doc|help|message|note|summary|title)s?["']?\s*[:=]""",
    re.IGNORECASE,
)
_COMMAND = re.compile(r"(?:^|[\s\"',\[])-m[\s\"',]*$")
_KEY_BEFORE = re.compile(r"""(?:^\s*(?:-\s+)?[{,\s"']*(?:export\s+)?|[{,]\s*["']?)$""")
_KEY_AFTER = re.compile(r"""^["']?\s*(?::(?!\w)|=(?!=))""")

_SECTIONED = (".toml", ".ini", ".cfg", ".conf", "entry_points.txt")

# A value of as many words is a sentence.
_SENTENCE_WORDS = 3

_COMMENT = Fixed(Status.COMMENT, Kind.COMMENT, "a comment")
_PROSE = Fixed(Status.DOCUMENTATION, Kind.PROSE, "a sentence that mentions the name")
_ADDRESS = Fixed(Status.DOCUMENTATION, Kind.PROSE, "an address")
_SETTINGS = Fixed(Status.UNRELATED, Kind.SCANNER_SETTINGS, "the scanner's own settings")
_OTHER = Fixed(Status.UNRELATED, Kind.IDENTIFIER, "a part of another name")
_FILE = Fixed(Status.UNRELATED, Kind.IDENTIFIER, "the name of a file that is no module")
_PARTIAL = Fixed(Status.UNDECIDED, Kind.CONFIGURATION, "a part of this path is not known")


@dataclass(frozen=True, slots=True)
class _Sections:
    """Headers of a sectioned file by offset."""

    starts: tuple[int, ...]
    names: tuple[str, ...]

    def at(self, offset: int) -> str:
        index = bisect_right(self.starts, offset)
        return self.names[index - 1] if index else ""


def extract_configuration(source: Source, words: Sequence[Word], name: str) -> Facts:
    """Return the references and decisions of a text whose file is called `name`."""
    sections = _sections(source, name)
    references: list[Reference] = []
    claims: dict[int, int | Fixed] = {}
    taken: list[tuple[int, int]] = []
    for index, word in enumerate(words):
        found = _read(source, word, name, sections.at(word.start))
        if isinstance(found, Reference):
            references.append(found)
            claims[index] = len(references) - 1
            taken.append((found.start, found.end))
        else:
            claims[index] = found
    references += _other_paths(source, name, taken)
    return Facts(references=tuple(references), claims=claims)


def section_at(source: Source, offset: int, name: str) -> str:
    """Return the header above an offset of a sectioned file called `name`, "" if there is none."""
    return _sections(source, name).at(offset)


def _sections(source: Source, name: str) -> _Sections:
    if not name.endswith(_SECTIONED):
        return _Sections((), ())
    found = list(_SECTION.finditer(source.text))
    return _Sections(
        tuple(item.start() for item in found), tuple(item[1].strip() for item in found)
    )


def _other_paths(source: Source, name: str, taken: Sequence[tuple[int, int]]) -> list[Reference]:
    """Keep every other dotted path: it may lead through a facade to a legacy name."""
    starts = {start for start, _ in taken}
    found = []
    for match in _TOKEN.finditer(source.text):
        if match.start() in starts or _is_comment(source, match.start(), name):
            continue
        parts = tuple(match[0].replace(":", ".").split("."))
        form = Kind.CONFIGURATION
        found.append(Reference(match.start(), match.end(), form, Mode.TEXT, Origin(parts)))
    return found


def _read(source: Source, word: Word, name: str, section: str) -> Reference | Fixed:
    line, column = source.line_column(word.start)
    text = source.line_text(line)
    before, after = text[: column - 1], text[column - 1 + word.end - word.start :]
    if _is_comment(source, word.start, name):
        return _COMMENT
    if name == "pyproject.toml" and re.match(r"tool\.planproof(?:\.|$)", section):
        return _SETTINGS
    if _FREE_TEXT.match(text) and len(text.split()) > _SENTENCE_WORDS:
        return _PROSE
    start, end = _token(source.text, word)
    token = source.text[start:end]
    stripped = token.rstrip(":.")
    end -= len(token) - len(stripped)
    if stripped.startswith("-m") and stripped[2:3] not in {"-", ""}:
        stripped, start = stripped[2:], start + 2
    kind = Kind.COMMAND if _COMMAND.search(source.text[max(0, start - 40) : start]) else None
    kind = kind or (Kind.ENTRY_POINT if _ENTRY_SECTION.search(section) else Kind.CONFIGURATION)
    is_key = bool(_KEY_BEFORE.search(before) and _KEY_AFTER.match(after)) or section == word.needle
    return _classify(stripped, (start, end), word, kind, is_key=is_key)


def _token(text: str, word: Word) -> tuple[int, int]:
    start, end = word.start, word.end
    while start and text[start - 1] not in _DELIMITERS:
        start -= 1
    while end < len(text) and text[end] not in _DELIMITERS:
        end += 1
    return start, end


def _classify(
    token: str, span: tuple[int, int], word: Word, kind: Kind, *, is_key: bool
) -> Reference | Fixed:
    if "://" in token:
        return _ADDRESS
    if "/" in token or "\\" in token:
        parts = path_parts(token, word.needle)
        return Reference(*span, Kind.PATH, Mode.TEXT, Origin(parts)) if parts else _OTHER
    reading = read_text(token, word.needle)
    if reading.form is Form.FILE:
        return _FILE
    if reading.form in {Form.RELATIVE, Form.TEMPLATE} or token.startswith("."):
        return _PARTIAL
    if reading.form is Form.PATH:
        return Reference(*span, Kind.PATH, Mode.TEXT, Origin(reading.parts))
    if reading.form is Form.DOTTED:
        key = is_key and len(reading.parts) == 1
        return Reference(*span, kind, Mode.TEXT, Origin(reading.parts), is_key=key)
    for piece in re.split(r"[:@*]", token):
        if DOTTED.fullmatch(piece) and word.needle in piece.split("."):
            parts = tuple(piece.split("."))
            is_file = len(parts) > 1 and parts[-1] in FILE_SUFFIXES
            return _FILE if is_file else Reference(*span, kind, Mode.TEXT, Origin(parts))
    return _OTHER


def _is_comment(source: Source, offset: int, name: str) -> bool:
    line, column = source.line_column(offset)
    text = source.line_text(line)
    suffix = name.rpartition(".")[2].lower()
    if suffix == "json":
        return False
    if suffix in {"jsonc", "json5", "hcl", "tf"} and "//" in text[: column - 1]:
        return text.find("//") < column and '"' not in text[: text.find("//")]
    if suffix in {"ini", "cfg", "conf"} and text.lstrip().startswith(";"):
        return True
    if suffix == "bat":
        return text.lstrip().lower().startswith(("rem ", "::"))
    return _hash_before(text[: column - 1])


def _hash_before(text: str) -> bool:
    """Say whether a `#` outside of quotes begins a comment in `text`."""
    quote = ""
    for index, character in enumerate(text):
        before = text[index - 1 : index] or " "
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'" and before in " \t=:([{,":
            quote = character
        elif character == "#" and before in " \t":
            return True
    return False
