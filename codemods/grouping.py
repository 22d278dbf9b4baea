"""Which files have to change together, and what must not change because something else cannot."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Groups:
    """Files that depend on each other, as disjoint sets."""

    parents: dict[str, str] = field(default_factory=dict)

    def find(self, name: str) -> str:
        """Return the representative of a file's group."""
        above = self.parents.setdefault(name, name)
        while above != self.parents[above]:
            self.parents[above] = self.parents[self.parents[above]]
            above = self.parents[above]
        self.parents[name] = above
        return above

    def join(self, names: Iterable[str]) -> None:
        """Put files into one group."""
        first, *others = [self.find(name) for name in names] or [""]
        for other in others:
            self.parents[other] = first

    def numbers(self, names: Iterable[str]) -> Mapping[str, int]:
        """Return a number from 1 for each file's group, in the order of the files."""
        numbers: dict[str, int] = {}
        return {name: numbers.setdefault(self.find(name), len(numbers) + 1) for name in names}
