"""All shapes of plans of up to four steps, and the covering array that crosses them with step kinds.

A shape is named by its edges: `dag4.ab.ac.bd` has four steps, the second and third after the first,
the fourth after the second. There are 1, 2, 6 and 31 unlabelled DAGs of one to four nodes.

The array is closed-form. With a prime number of kinds p, row r of a shape gives its step s the kind
(r + m s) mod p, where the slope m differs from shape to shape. So every shape has every kind in
every place within p rows, and any two places have any two kinds in a shape of some slope.
"""

import itertools
from collections.abc import Iterator, Sequence

MAX_STEPS = 4
_LETTERS = "abcd"

Edges = tuple[tuple[int, int], ...]
"""(earlier step, later step), by position."""


def shapes(steps: int) -> tuple[Edges, ...]:
    """Return one DAG of `steps` nodes for each class of isomorphic ones, sparse ones first.

    Nodes are numbered so that every edge leads to a higher number.
    """
    possible = list(itertools.combinations(range(steps), 2))
    found: dict[Edges, Edges] = {}
    for count in range(len(possible) + 1):
        for edges in itertools.combinations(possible, count):
            found.setdefault(_canonical(edges, steps), edges)
    return tuple(found.values())


def all_shapes() -> tuple[tuple[int, Edges], ...]:
    """Return (number of steps, edges) of every shape of up to four steps."""
    return tuple((steps, edges) for steps in range(1, MAX_STEPS + 1) for edges in shapes(steps))


def shape_name(steps: int, edges: Edges) -> str:
    """Return the name of a shape, for example "dag3.ab.bc"."""
    return ".".join([f"dag{steps}", *(_LETTERS[a] + _LETTERS[b] for a, b in edges)])


def parse_shape(name: str) -> tuple[int, Edges]:
    """Return (number of steps, edges) of a shape's name.

    Raises:
        ValueError: it is none; the message says what is wrong.
    """
    head, *pairs = name.split(".")
    count = head.removeprefix("dag")
    if not head.startswith("dag") or count not in {str(n) for n in range(1, MAX_STEPS + 1)}:
        raise ValueError(f"{name!r} is no shape; one looks like dag3.ab.bc")
    letters = _LETTERS[: int(count)]
    edges: list[tuple[int, int]] = []
    for pair in pairs:
        at = tuple(letters.find(letter) for letter in pair)
        if len(at) != 2 or not 0 <= at[0] < at[1]:  # noqa: PLR2004 - an edge has two ends
            raise ValueError(f"{pair!r} in {name!r} is no edge from an earlier step to a later one")
        edges.append((at[0], at[1]))
    return int(count), tuple(edges)


def covering_rows(kinds: Sequence[str]) -> Iterator[tuple[int, Edges, tuple[str, ...]]]:
    """Yield (number of steps, edges, kind of each step), pairwise complete.

    Raises:
        ValueError: the number of kinds is no prime, on which the construction rests.
    """
    prime = len(kinds)
    if prime < MAX_STEPS or any(prime % divisor == 0 for divisor in range(2, prime)):
        raise ValueError(f"the number of kinds must be a prime above {MAX_STEPS}, not {prime}")
    for slope, (steps, edges) in enumerate(all_shapes()):
        for row in range(prime):
            places = ((row + slope * step) % prime for step in range(steps))
            yield steps, edges, tuple(kinds[place] for place in places)


def _canonical(edges: Edges, steps: int) -> Edges:
    """Return the least of all renumberings: equal for isomorphic graphs, and only for those."""
    return min(
        tuple(sorted((order[a], order[b]) for a, b in edges))
        for order in itertools.permutations(range(steps))
    )
