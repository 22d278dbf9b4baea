"""What one file says, before anything is resolved: pure records that travel between processes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from codemods.occurrence import Kind, Status


class Mode(StrEnum):
    """How a reference names its target, which decides when it is an occurrence of its own."""

    MODULE = "module"  # the module of an import statement
    TAKEN = "taken"  # one name taken by `from ... import`
    CHAIN = "chain"  # a name bound by an import, with attributes
    PATCHED = "patched"  # the same, as the object of `patch.object` and its kin
    TEXT = "text"  # a dotted path in a string, a comment or a configuration file


# A path in a string: taken at its word as a whole.
TEXT = -1


@dataclass(frozen=True, slots=True)
class Origin:
    """A dotted path as written.

    Attributes:
        parts: the components; empty for `from . import ...` itself.
        level: leading dots of a relative import; 0 is absolute.
        certain: how many leading parts are modules for certain, because an import statement would
            fail otherwise; `TEXT` for a path that no import statement binds.
    """

    parts: tuple[str, ...]
    level: int = 0
    certain: int = TEXT

    def below(self, *names: str) -> "Origin":
        """Return the path of an attribute of this one."""
        return Origin((*self.parts, *names), self.level, self.certain)


@dataclass(frozen=True, slots=True)
class Reference:
    """A place that names something by a dotted path; resolution says what.

    Attributes:
        start: first character offset.
        end: offset after the last character.
        form: the kind of occurrence this is if it names a legacy module.
        mode: how it names it.
        origin: the path.
        bound: how many leading parts the local name stands for (mode `chain`).
        names: the names that a `from` import takes; `*` for all.
        context: where it stands (`in a TYPE_CHECKING block`), for the reason.
        parent: index of the reference of the statement's module (mode `taken`).
        is_key: the string is a bare word used as a key, so it may be the program's own.
    """

    start: int
    end: int
    form: Kind
    mode: Mode
    origin: Origin
    bound: int = 0
    names: tuple[str, ...] = ()
    context: str = ""
    parent: int | None = None
    is_key: bool = False


@dataclass(frozen=True, slots=True)
class Fixed:
    """The decision for a word that needs no resolution."""

    status: Status
    kind: Kind
    reason: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """A dynamic import of something that is not known before the program runs."""

    start: int
    end: int
    kind: Kind
    reason: str


@dataclass(frozen=True, slots=True)
class Facts:
    """One file's references, and for a module what it binds.

    Attributes:
        references: in no particular order.
        claims: word index -> reference index or the fixed decision.
        doubts: dynamic imports that cannot be decided.
        exports: module-level name -> the paths that it may stand for.
        stars: modules whose names are all imported at module level.
        bound: every name bound at module level.
        public: the names of a literal `__all__`; None if there is none or it is computed.
        is_lazy: the module has a `__getattr__` of its own.
        is_script: the module looks like a program that is run from its own folder.
    """

    references: tuple[Reference, ...] = ()
    claims: Mapping[int, int | Fixed] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()
    exports: Mapping[str, tuple[Origin, ...]] = field(default_factory=dict)
    stars: tuple[Origin, ...] = ()
    bound: frozenset[str] = frozenset()
    public: tuple[str, ...] | None = None
    is_lazy: bool = False
    is_script: bool = False
