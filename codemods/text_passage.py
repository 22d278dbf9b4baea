"""A place in a text where the legacy module is named, as the text rules see it, and what they answer."""

import re
from dataclasses import dataclass
from functools import cached_property

from codemods.discovery import Language
from codemods.errors import CodemodError
from codemods.mapping import Mapped
from codemods.migration_settings import MigrationSettings
from codemods.occurrence import Occurrence
from codemods.source import Source

_PATH_CHARACTER = re.compile(r"[\w.]")
_REST = re.compile(r"(?:\.[^\W\d]\w*)*(?::[^\W\d]\w*(?:\.[^\W\d]\w*)*)?")
_PACKAGE = re.compile(r"(?:[^\W\d]\w*\.)*")
_PYTHON_LINE = re.compile(r"#![^\n]*python")


@dataclass(frozen=True, slots=True)
class TextEdit:
    """Replace the characters from `start` to `end`, which read `old`, by `new`; `rule` is its id."""

    start: int
    end: int
    old: str
    new: str
    rule: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an occurrence stays as it is; `rule` is the id of the rule that looked at it.

    `is_data` says that the program compares the text or looks something up by it, so the same
    text elsewhere must stay as well.
    """

    reason: str
    rule: str
    is_data: bool = False


class RefusedError(CodemodError):
    """A text rule leaves an occurrence as it is; the message is the reason.

    `is_data` says that the program compares the text or looks something up by it.
    """

    code = "CODEMOD_REFUSED"

    def __init__(self, message: str, *, is_data: bool = False) -> None:
        super().__init__(message)
        self.is_data = is_data


@dataclass(frozen=True, slots=True)
class DottedPath:
    """A path that names the legacy module: `package.module.Name.attribute` or with a colon.

    Attributes:
        start: offset of its first character.
        end: offset after its last one.
        package: what stands before the module's name, with its last dot.
        rest: what follows the module's name, with its separators.
    """

    start: int
    end: int
    package: str
    rest: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names after the module's."""
        return tuple(name for name in re.split("[.:]", self.rest) if name)


@dataclass(frozen=True)
class Passage:
    """One occurrence in one text, with what is needed to judge it.

    Attributes:
        source: the whole decoded text.
        item: the occurrence; its line and column are those of `source`.
        language: how the file is read.
        options: the migration's settings.
        mapped: the mapping.
        offset: where the legacy word begins, in characters of the whole text.
    """

    source: Source
    item: Occurrence
    language: Language
    options: MigrationSettings
    mapped: Mapped
    offset: int

    @property
    def name(self) -> str:
        """The file's name."""
        return self.item.path.rpartition("/")[2]

    @property
    def is_python(self) -> bool:
        """Whether the text is a Python module (or the code of a notebook)."""
        if self.language is Language.BARE:
            return bool(_PYTHON_LINE.match(self.source.text))
        return self.language in {Language.PYTHON, Language.NOTEBOOK}

    @cached_property
    def path(self) -> DottedPath:
        """The longest dotted path around the word."""
        text, end = self.source.text, self.offset + len(self.item.needle)
        start = self.offset
        while start and _PATH_CHARACTER.match(text[start - 1]):
            start -= 1
        match = _PACKAGE.fullmatch(text, start, self.offset)
        package = match[0] if match else ""
        rest = _REST.match(text, end)
        last = rest.end() if rest else end
        return DottedPath(self.offset - len(package), last, package, text[end:last])

    def successor(self, path: DottedPath) -> str:
        """Return the same path in the bridge module.

        Raises:
            RefusedError: the bridge is switched off, or the name is not in the mapping.
        """
        if not self.options.bridge:
            raise RefusedError("text can only name the bridge, which the settings switch off")
        names = path.names
        if names and names[0] not in self.mapped.symbols:
            raise RefusedError(f"{names[0]} is not in the mapping")
        if self.item.needle in names:
            raise RefusedError("the path is only a part of this text")
        return self.mapped.bridge + path.rest

    def rewrite(self, start: int, end: int) -> TextEdit:
        """Return the edit of a path that must fill the characters from `start` to `end`.

        Raises:
            RefusedError: the path is only a part of what stands there, or cannot be followed.
        """
        path = self.path
        if (path.start, path.end) != (start, end):
            raise RefusedError("the path is only a part of this text")
        return self.replace(path.start, path.end, self.successor(path))

    def replace(self, start: int, end: int, new: str) -> TextEdit:
        """Return an edit of this text; the rule's id is filled in later."""
        return TextEdit(start, end, self.source.text[start:end], new, "")
