"""Which faults of a case are still to come, and which have happened."""

from collections.abc import Iterable, Sequence

from chaos.case import FaultPoint
from chaos.fault_kinds import BY_KIND, Target

SERVER_SITE = "server"
"""The site of a fault of the store that comes between a life and the next."""


class Agenda:
    """The faults of one case by the point at which they strike."""

    def __init__(self, faults: Iterable[FaultPoint], fired: Iterable[FaultPoint] = ()) -> None:
        """Plan `faults`, of which `fired` have happened already."""
        self.fired: list[FaultPoint] = list(fired)
        self._open: dict[tuple[int, str, int], list[FaultPoint]] = {}
        for point in faults:
            if point not in self.fired:
                self._open.setdefault((point.life, point.site, point.nth), []).append(point)

    def strike(self, life: int, site: str, nth: int) -> Sequence[FaultPoint]:
        """Return what happens at this point, and count it as fired."""
        points = self._open.pop((life, site, nth), [])
        self.fired += points
        return points

    def between(self, life: int) -> Sequence[FaultPoint]:
        """Return what happens to the store after this life."""
        return self.strike(life, SERVER_SITE, 1)

    @property
    def left(self) -> tuple[FaultPoint, ...]:
        """What has not happened."""
        return tuple(point for points in self._open.values() for point in points)


def of_target(points: Sequence[FaultPoint], target: Target) -> Sequence[FaultPoint]:
    """Return those of the points that happen to `target`."""
    return [point for point in points if BY_KIND[point.kind].target is target]
