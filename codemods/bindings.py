"""Which import a name stands for: a small scope model over `ast`, with Python's lookup rules."""

from dataclasses import dataclass, field
from enum import Enum

from codemods.facts import Origin


class Unknown(Enum):
    """A binding that is no import."""

    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Alias:
    """`fn = module.attribute`: stands for another name's attribute, one step away."""

    base: str
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Literal:
    """`NAME = "text"`: a constant, so that a dynamic import of `NAME` is decided by the text."""


Binding = Origin | Alias | Literal | Unknown


@dataclass(slots=True, eq=False)
class Scope:
    """A module, class, function or comprehension with what it binds."""

    parent: "Scope | None" = None
    is_class: bool = False
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    outer: set[str] = field(default_factory=set)

    def bind(self, name: str, binding: Binding) -> None:
        """Add one binding of `name`, in the module's scope if it is declared `global`."""
        scope = self
        if name in self.outer:
            while scope.parent is not None:
                scope = scope.parent
        scope.bindings.setdefault(name, []).append(binding)

    def lookup(self, name: str) -> list[Binding]:
        """Return all bindings of `name` in the scope where it is found; none if it is unbound."""
        scope: Scope | None = self
        while scope is not None:
            # A class's names are not seen from the functions in it.
            if name in scope.bindings and not (scope.is_class and scope is not self):
                return scope.bindings[name]
            scope = scope.parent
        return []

    def origins(self, name: str, depth: int = 3) -> list[Origin]:
        """Return the imports that `name` may stand for, through at most `depth` aliases."""
        found: list[Origin] = []
        for binding in self.lookup(name):
            if isinstance(binding, Origin):
                found.append(binding)
            elif isinstance(binding, Alias) and depth and binding.base != name:
                found += [
                    origin.below(*binding.attributes)
                    for origin in self.origins(binding.base, depth - 1)
                ]
        return found
