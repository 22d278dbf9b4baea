"""Who goes on when several processes work on one execution: a schedule, not chance.

A schedule is text, part of a fault id. `2.5` is: the first process makes two operations of the store,
then the next one five, then the first goes on to its end, and the others after it. `pct3-17` samples:
seed 17 gives each process a priority, and takes the running one's away at two (of three, less one)
operations. Whoever is not on turn waits before its next operation.
"""

import asyncio
import random
import re
from collections.abc import Iterator

PCT_HORIZON = 24
"""Operations among which a sampled change of priority falls: two short lives have as many."""
_SAMPLED = re.compile(r"pct(?P<depth>[1-9])-(?P<seed>[0-9]+)")
_COUNTED = re.compile(r"[0-9]+(\.[0-9]+)*")


class ScheduleError(ValueError):
    """A text is no schedule."""


class Turns:
    """The turns of the processes that have joined. Nobody else is held up."""

    def __init__(self, schedule: str) -> None:
        """Follow `schedule`; an empty one lets each process run to its end.

        Raises:
            ScheduleError: it is none.
        """
        sampled = _SAMPLED.fullmatch(schedule)
        if schedule and not sampled and not _COUNTED.fullmatch(schedule):
            raise ScheduleError(f"{schedule!r} is no schedule; one looks like 2.5 or pct3-17")
        self._lives: list[object] = []
        self._turn = asyncio.Event()
        self._now: object | None = None
        self._used = 0
        self._chance = random.Random(int(sampled["seed"])) if sampled else None  # noqa: S311 - replay
        if self._chance is not None and sampled is not None:
            changes = int(sampled["depth"]) - 1
            self._pieces = _sampled_pieces(self._chance, changes)
        else:
            self._pieces = iter([int(part) for part in schedule.split(".") if part])
        self._left = next(self._pieces, None)

    def join(self, life: object) -> None:
        """Let `life` take turns from now on."""
        if self._now is None:
            self._now = life
        if life in self._lives:
            return
        self._lives.append(life)
        if self._chance is not None and self._chance.random() < 1 / len(self._lives):
            self._pass_to(life)

    async def take(self, life: object) -> None:
        """Wait for the turn of `life`, and count an operation."""
        while life in self._lives:
            if self._now is not life:
                self._turn.clear()
                await self._turn.wait()
                continue
            if self._left is None or self._used < self._left:
                self._used += 1
                return
            self._left = next(self._pieces, None)
            self._pass_to(self._next_after(life))

    def leave(self, life: object) -> None:
        """Take no further part: the process is dead, stopped or done."""
        if life not in self._lives:
            return
        following = self._next_after(life)
        self._lives.remove(life)
        if self._now is life:
            self._pass_to(following if following is not life else None)

    def _pass_to(self, life: object | None) -> None:
        self._now, self._used = life, 0
        self._turn.set()

    def _next_after(self, life: object) -> object:
        at = self._lives.index(life) + 1
        return self._lives[at % len(self._lives)]


def _sampled_pieces(chance: random.Random, changes: int) -> Iterator[int]:
    marks = sorted(chance.sample(range(PCT_HORIZON), changes))
    return iter([later - earlier for earlier, later in zip([0, *marks], marks, strict=False)])
