"""Runs the units of a campaign on any executor of `concurrent.futures`, and adds up what they came to.

The order in which units end does not matter: results stand in the order in which units were planned.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field

from chaos.campaign.journal import Journal
from chaos.campaign.result import CampaignResult, Part, UnitResult
from chaos.campaign.tallying import Tallying
from chaos.campaign.unit import Unit
from chaos.campaign.working import work

LISTED_MAX = 200
"""Failures that a result lists; the rest is counted."""
AHEAD = 3
"""Units that are handed to the executor for each of its processes, so that none waits."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign is. `left_s` estimates the CPU time that is left, from what units took."""

    done: int
    units: int
    cases: int
    failures: int
    left_s: float


@dataclass(frozen=True, slots=True)
class Head:
    """What a result says of its campaign."""

    profile: str
    seed: int
    jobs: int
    version: str
    identity: str
    command: str
    started_at: str = ""


@dataclass(slots=True)
class Campaign:
    """One campaign under way.

    Attributes:
        units: all of it, in order.
        budget_s: real time after which nothing more is begun.
        strict: the budget holds for required units as well.
        told: called after each unit.
    """

    units: Sequence[Unit]
    head: Head
    budget_s: float = float("inf")
    strict: bool = False
    told: Callable[[Progress], object] | None = None
    _results: dict[str, UnitResult] = field(default_factory=dict)
    _continued: int = 0
    _spent_s: float = 0.0
    _weight_done: float = 0.0

    def run(self, executor: Executor, journal: Journal | None = None) -> CampaignResult:
        """Run what the journal does not have yet, and return what everything came to.

        Raises:
            Exception: the harness fails, or the executor does; the journal keeps what was done.
        """
        began_s = time.monotonic()
        for unit in self.units:
            if journal is not None and unit.id in journal.done:
                self._results[unit.id] = journal.done[unit.id]
                self._continued += 1
        left = iter([unit for unit in self.units if unit.id not in self._results])
        running: dict[Future[UnitResult], Unit] = {}
        while True:
            for unit in left:
                if self._is_late(unit, began_s):
                    continue
                running[executor.submit(work, unit)] = unit
                if len(running) >= AHEAD * self.head.jobs:
                    break
            if not running:
                break
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                self._take(running.pop(future), future.result(), journal)
        return self._sum(time.monotonic() - began_s)

    def _is_late(self, unit: Unit, began_s: float) -> bool:
        bound = self.strict or not unit.required
        return bound and time.monotonic() - began_s > self.budget_s

    def _take(self, unit: Unit, result: UnitResult, journal: Journal | None) -> None:
        self._results[unit.id] = result
        self._spent_s += result.seconds
        self._weight_done += unit.weight
        if journal is not None:
            journal.add(result)
        if self.told is None:
            return
        left = sum(one.weight for one in self.units if one.id not in self._results)
        pace = self._spent_s / self._weight_done if self._weight_done else 1.0
        self.told(
            Progress(
                done=len(self._results),
                units=len(self.units),
                cases=sum(one.cases for one in self._results.values()),
                failures=sum(len(one.failures) for one in self._results.values()),
                left_s=left * pace / self.head.jobs,
            )
        )

    def _sum(self, wall_s: float) -> CampaignResult:
        tally = Tallying()
        results = [self._results[unit.id] for unit in self.units if unit.id in self._results]
        for result in results:
            tally.merge(result)
        head = self.head
        return CampaignResult(
            profile=head.profile,
            seed=head.seed,
            jobs=head.jobs,
            version=head.version,
            identity=head.identity,
            command=head.command,
            started_at=head.started_at,
            wall_s=round(wall_s, 3),
            cpu_s=round(tally.seconds, 3),
            complete=len(results) == len(self.units),
            continued=self._continued,
            parts=_parts(self.units, self._results),
            cases=tally.cases,
            replayed=tally.replayed,
            kills=tally.kills,
            compared=tally.compared,
            disagreed=tuple(tally.disagreed),
            cells=tuple(tally.cells[key] for key in sorted(tally.cells)),
            sites=tuple(sorted(tally.sites)),
            tallies=tuple(tally.tallies[key] for key in sorted(tally.tallies)),
            measured=tuple(tally.measured[key] for key in sorted(tally.measured)),
            closures=tuple(one.closure for one in results if one.closure is not None),
            trials=tuple(one.trial for one in results if one.trial is not None),
            points=dict(sorted(tally.points.items())),
            failures=tuple(tally.failures[:LISTED_MAX]),
            overfull=max(0, len(tally.failures) - LISTED_MAX),
        )


def _parts(units: Iterable[Unit], results: dict[str, UnitResult]) -> tuple[Part, ...]:
    parts: dict[str, Part] = {}
    for unit in units:
        part = parts.setdefault(unit.part, Part(name=unit.part, units=0, required=unit.required))
        part.units += 1
        result = results.get(unit.id)
        if result is not None:
            part.done += 1
            part.cases += result.cases
            part.seconds = round(part.seconds + result.seconds, 3)
    return tuple(parts.values())
