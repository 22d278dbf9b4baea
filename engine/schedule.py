"""Which steps are ready, kept up to date in time linear in the plan. Pure."""

from collections.abc import Iterable, Mapping, Sequence


class Frontier:
    """Ready steps of a DAG by in-degree counts: each edge is looked at once.

    Nodes are positions in the plan; ready ones come out in plan order.
    """

    def __init__(
        self,
        dependencies: Sequence[Sequence[int]],
        dependants: Sequence[Sequence[int]],
    ) -> None:
        """Take, for each node, the nodes it depends on and those that depend on it, each once."""
        self._blockers = [len(before) for before in dependencies]
        self._dependants = dependants
        self._ready = {node for node, count in enumerate(self._blockers) if count == 0}

    def ready(self) -> list[int]:
        """Return all nodes that are ready now, in plan order."""
        return sorted(self._ready)

    def take(self, node: int) -> None:
        """Note that `node` is not ready any more."""
        self._ready.discard(node)

    def put_back(self, node: int) -> None:
        """Note that `node`, whose blockers are all done, is ready again."""
        if self._blockers[node] == 0:
            self._ready.add(node)

    def complete(self, node: int) -> list[int]:
        """Note that `node` is done; return the dependants that became ready by it."""
        self._ready.discard(node)
        freed: list[int] = []
        for dependant in self._dependants[node]:
            self._blockers[dependant] -= 1
            if self._blockers[dependant] == 0:
                freed.append(dependant)
        self._ready.update(freed)
        return freed


def dependency_positions(
    order: Mapping[str, int], dependencies: Iterable[Sequence[str]]
) -> list[list[int]]:
    """Return dependencies by id as positions, each once."""
    return [list(dict.fromkeys([order[name] for name in before])) for before in dependencies]


def reversed_edges(dependencies: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return, for each node, the nodes that depend on it: the order of undoing."""
    dependants: list[list[int]] = [[] for _ in dependencies]
    for node, before in enumerate(dependencies):
        for dependency in before:
            dependants[dependency].append(node)
    return dependants
