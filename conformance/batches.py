"""Many short cases on any `concurrent.futures.Executor`: in batches, in order, as results come in.

A batch is long enough that handing it over is cheap, and only so many are under way that a result
is not waited for by the whole rest. What a case gives does not depend on its batch.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

_Case = TypeVar("_Case")
_Result = TypeVar("_Result")

BATCH_MIN_S = 0.05  # below this the hand-over to another machine is felt
BATCH_GOAL_S = 0.1  # what is aimed at, so that a batch of quick cases is still long enough
FIRST_BATCH = 8  # cases, while nothing is known of how long they take
MAX_BATCH = 256  # cases: what is lost with a worker, and run again, stays small
AHEAD = 4  # batches under way for each worker, so that none waits for this process


@dataclass(slots=True)
class BatchSize:
    """How many cases make a batch of `BATCH_GOAL_S`, learned from those that ended."""

    cases: int = 0
    seconds: float = 0.0

    def learn(self, cases: int, seconds: float) -> None:
        """Take note of how long `cases` took."""
        self.cases += cases
        self.seconds += seconds

    @property
    def next(self) -> int:
        """The size of the next batch."""
        if not self.cases:
            return FIRST_BATCH
        each_s = self.seconds / self.cases
        wanted = math.ceil(BATCH_GOAL_S / each_s) if each_s > 0 else MAX_BATCH
        return max(1, min(MAX_BATCH, wanted))


@dataclass
class BatchedMap(Generic[_Case, _Result]):
    """`map` over an executor.

    Attributes:
        function: carries out one case; importable wherever the executor's workers are.
        workers: how many work at a time.
    """

    function: Callable[[_Case], _Result]
    executor: Executor
    workers: int
    size: BatchSize = field(default_factory=BatchSize)

    def results(self, cases: Sequence[_Case]) -> Iterator[_Result]:
        """Yield the result of each case, in order; what is not needed any more is cancelled.

        Raises:
            Exception: whatever a case, or the executor, raises.
        """
        under_way: deque[Future[tuple[list[_Result], float]]] = deque()
        work = partial(carry_out, self.function)
        begun = 0
        try:
            while begun < len(cases) or under_way:
                while begun < len(cases) and len(under_way) < AHEAD * self.workers:
                    batch = list(cases[begun : begun + self.size.next])
                    under_way.append(self.executor.submit(work, batch))
                    begun += len(batch)
                found, seconds = under_way[0].result()
                under_way.popleft()
                self.size.learn(len(found), seconds)
                yield from found
        finally:
            for future in under_way:
                future.cancel()


def carry_out(
    function: Callable[[_Case], _Result], batch: Sequence[_Case]
) -> tuple[list[_Result], float]:
    """Carry out one batch where a worker is, and measure it in seconds."""
    began = time.perf_counter()
    found = [function(case) for case in batch]
    return found, time.perf_counter() - began
