"""One place where the legacy module is named, and the closed vocabularies that describe it."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The form of an occurrence."""

    IMPORT = "import"
    FROM_IMPORT = "from_import"
    STAR_IMPORT = "star_import"
    RELATIVE_IMPORT = "relative_import"
    REEXPORT = "reexport"
    REFERENCE = "reference"
    DYNAMIC_IMPORT = "dynamic_import"
    MODULE_LOOKUP = "module_lookup"
    RESOURCE = "resource"
    PATCH_TARGET = "patch_target"
    STRING = "string"
    EMBEDDED_CODE = "embedded_code"
    ANNOTATION = "annotation"
    TYPE_COMMENT = "type_comment"
    ENTRY_POINT = "entry_point"
    CONFIGURATION = "configuration"
    COMMAND = "command"
    PATH = "path"
    DOCSTRING = "docstring"
    DOCTEST = "doctest"
    PROSE = "prose"
    DOCUMENT = "document"
    OUTPUT = "output"
    COMMENT = "comment"
    IDENTIFIER = "identifier"
    SCANNER_SETTINGS = "scanner_settings"
    UNREADABLE = "unreadable"
    UNPARSABLE = "unparsable"
    OVERSIZE = "oversize"


# Stable ids for reports and suppressions; an id is never reused.
RULES: dict[Kind, str] = {
    Kind.IMPORT: "DE001",
    Kind.FROM_IMPORT: "DE002",
    Kind.STAR_IMPORT: "DE003",
    Kind.RELATIVE_IMPORT: "DE004",
    Kind.REEXPORT: "DE005",
    Kind.REFERENCE: "DE006",
    Kind.DYNAMIC_IMPORT: "DE010",
    Kind.MODULE_LOOKUP: "DE011",
    Kind.RESOURCE: "DE012",
    Kind.PATCH_TARGET: "DE013",
    Kind.STRING: "DE014",
    Kind.EMBEDDED_CODE: "DE015",
    Kind.ANNOTATION: "DE020",
    Kind.TYPE_COMMENT: "DE021",
    Kind.ENTRY_POINT: "DE030",
    Kind.CONFIGURATION: "DE031",
    Kind.COMMAND: "DE032",
    Kind.PATH: "DE033",
    Kind.DOCSTRING: "DE040",
    Kind.DOCTEST: "DE041",
    Kind.PROSE: "DE042",
    Kind.DOCUMENT: "DE043",
    Kind.OUTPUT: "DE044",
    Kind.COMMENT: "DE045",
    Kind.IDENTIFIER: "DE050",
    Kind.SCANNER_SETTINGS: "DE051",
    Kind.UNREADABLE: "DE090",
    Kind.UNPARSABLE: "DE091",
    Kind.OVERSIZE: "DE092",
}


class Scope(StrEnum):
    """Which code an occurrence belongs to, by path rules."""

    PRODUCTION = "production"
    TEST = "test"


class Status(StrEnum):
    """What an occurrence means. Every one of them has exactly one status.

    `use` has to be migrated. `undecided` may be a use: the reason says what is not known.
    `documentation` and `comment` are read by people only. `namesake` resolves to another module
    of the same name, `unrelated` is a variable, attribute or file of that name. `allowed` is a use
    that an allow entry accepts. `unexamined` could not be read or parsed, and is red.
    """

    USE = "use"
    UNDECIDED = "undecided"
    DOCUMENTATION = "documentation"
    COMMENT = "comment"
    NAMESAKE = "namesake"
    UNRELATED = "unrelated"
    ALLOWED = "allowed"
    UNEXAMINED = "unexamined"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One place in one file.

    Attributes:
        path: posix path relative to the report's root.
        line: line, from 1; within the cell when `cell` is given.
        column: first column, from 1, in characters.
        end_column: the column after the last one.
        kind: the form.
        scope: production or test code.
        status: what it means.
        text: the line, without surrounding blanks.
        target: dotted name of the legacy module or object; empty where nothing is named.
        rule_id: stable id of the form.
        reason: why this status; empty for an ordinary use.
        needle: the legacy word that stands here; empty for a use through a facade, which names
            the legacy module by another word.
        cell: number of the notebook cell, from 1, counting cells of all types.
    """

    path: str
    line: int
    column: int
    end_column: int
    kind: Kind
    scope: Scope
    status: Status
    text: str
    target: str
    rule_id: str
    reason: str
    needle: str
    cell: int | None = None

    @property
    def place(self) -> str:
        """Return `path:line:column`, with the cell of a notebook."""
        cell = f"cell {self.cell}:" if self.cell is not None else ""
        return f"{self.path}:{cell}{self.line}:{self.column}"
