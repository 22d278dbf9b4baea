"""How a flawed executor says which clauses it breaks."""

from collections.abc import Callable
from typing import TypeAlias

from conformance.kit.exemplar import Exemplar

Flaws: TypeAlias = dict[str, type[Exemplar]]


def breaker(flaws: Flaws) -> Callable[..., Callable[[type[Exemplar]], type[Exemplar]]]:
    """Return the decorator that enters a class in `flaws` under each clause that it breaks."""

    def breaks(*clauses: str) -> Callable[[type[Exemplar]], type[Exemplar]]:
        def note(flawed: type[Exemplar]) -> type[Exemplar]:
            flaws.update(dict.fromkeys(clauses, flawed))
            return flawed

        return note

    return breaks
