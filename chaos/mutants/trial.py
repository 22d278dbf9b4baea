"""What came of one mutant: which kinds of faults revealed it, and what random kills made of it. Plain data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from chaos.mutants.mutant import Mutant

UNDISTURBED = ""
"""Stands for the kind of a case without a fault."""


@dataclass(frozen=True, slots=True)
class Kill:
    """The first case of one kind of fault that revealed a mutant.

    Attributes:
        case: its fault id.
        cases: how many cases had been run until then.
        seconds: CPU time until then.
        predicates: what did not hold.
    """

    case: str
    cases: int
    seconds: float
    predicates: tuple[str, ...]


@dataclass(slots=True)
class Search:
    """What one way of looking for a mutant came to.

    Attributes:
        kills: by kind of fault.
        cases: how many were run.
        seconds: CPU time.
        errors: cases in which the harness failed; they prove nothing.
    """

    kills: dict[str, Kill] = field(default_factory=dict)
    cases: int = 0
    seconds: float = 0.0
    errors: list[str] = field(default_factory=list)

    def first(self, predicates: frozenset[str] | None = None) -> Kill | None:
        """Return the earliest kill, for one of these reasons where they are named."""
        found = [
            kill
            for kill in self.kills.values()
            if predicates is None or predicates & set(kill.predicates)
        ]
        return min(found, key=lambda kill: kill.cases, default=None)


@dataclass(slots=True)
class Trial:
    """One mutant tried: by enumeration, and by as much CPU time of random kills."""

    mutant: str
    enumerated: Search = field(default_factory=Search)
    random: Search = field(default_factory=Search)
    note: str = ""

    def passes(self, mutant: Mutant) -> bool:
        """Whether the suite did right: killed what is seeded, for its reason; flagged nothing else."""
        if self.note:
            return False
        if mutant.harmless:
            found = self.enumerated
            return bool(found.cases) and not found.kills and not found.errors
        return self.enumerated.first(mutant.predicates) is not None

    def document(self) -> dict[str, Any]:
        """Return a JSON form."""
        return asdict(self)


def read_trial(document: Mapping[str, Any]) -> Trial:
    """Return the trial that `Trial.document` wrote."""
    return Trial(
        document["mutant"],
        _search(document["enumerated"]),
        _search(document["random"]),
        document["note"],
    )


def _search(document: Mapping[str, Any]) -> Search:
    kills = {
        kind: Kill(kill["case"], kill["cases"], kill["seconds"], tuple(kill["predicates"]))
        for kind, kill in document["kills"].items()
    }
    return Search(kills, document["cases"], document["seconds"], list(document["errors"]))
