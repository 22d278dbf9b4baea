"""How fast two executors are compared, and what the time goes into.

Run from the root of the repository: `python -m benchmarks.conformance`. Prints a readable line on
standard error and one JSON object on standard output. A ratio over the floor (the same number of
raw commands to the same kind of store) says more than a time, which depends on the machine.
"""

import argparse
import asyncio
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from unittest import mock

import fakeredis

from conformance import runner
from conformance.differential import CONTROL_EVERY, Options, examine_all, examine_once
from conformance.errors import ExitCode
from conformance.generation import INCOMPARABLE, generate
from conformance.runner import run_scenario
from conformance.scenario import Scenario
from conformance.subject import ResumeRequest, SegmentResult, StartRequest, find_subject
from conformance.verdict import Verdict
from conformance.world import World

TARGET_PAIRS = 2000
TARGET_S = 60.0  # for TARGET_PAIRS on two processes of a machine with two cores
SAMPLE_PAIRS = 200  # pairs whose time is taken apart, in this process
VALUE = "x" * 2048  # the size of a state of about four steps
RUNS_PER_PAIR = 2 * (1 + 1 / CONTROL_EVERY)  # both executors, and their control runs


class Stopwatch:
    """Adds up the wall time spent inside the calls of executors."""

    def __init__(self) -> None:
        self.executors_s = 0.0

    def timed(self, name: str) -> Callable[[World], Any]:
        """Return a factory of subjects called `name` whose calls are timed."""
        build = find_subject(name)

        class Timed(build):  # type: ignore[misc, valid-type]  # the class is known at run time
            async def start(_, request: StartRequest) -> SegmentResult:  # noqa: N805 - see self
                return await self._timed(super().start(request))

            async def resume(_, request: ResumeRequest) -> SegmentResult:  # noqa: N805 - see self
                return await self._timed(super().resume(request))

        return Timed

    async def _timed(self, call: Awaitable[SegmentResult]) -> SegmentResult:
        begun = time.perf_counter()
        try:
            return await call
        finally:
            self.executors_s += time.perf_counter() - begun


def split(scenarios: list[Scenario], options: Options) -> dict[str, float]:
    """Return where the time of comparing `scenarios` once goes, in seconds."""
    watch = Stopwatch()
    with mock.patch.object(runner, "find_subject", watch.timed):
        begun = time.perf_counter()
        for scenario in scenarios:
            examine_once(scenario, options)
        total_s = time.perf_counter() - begun
    return {"total_s": total_s, "executors_s": watch.executors_s}


def commands(scenarios: list[Scenario], options: Options) -> int:
    """Return how many store commands both executors issue for `scenarios`."""
    names = (options.left, options.right)
    return sum(len(run_scenario(one, name)["writes"]) for one in scenarios for name in names)


def floor_s(count: int) -> float:
    """Return how long `count` raw commands to the store in memory take, in seconds."""

    async def issue() -> float:
        async with fakeredis.FakeAsyncRedis() as client:
            begun = time.perf_counter()
            for number in range(count):
                if number % 2:
                    await client.get("key")
                else:
                    await client.set("key", VALUE, ex=60)
            return time.perf_counter() - begun

    return asyncio.run(issue())


def measure(pairs: int, processes: int, seed: int, options: Options) -> dict[str, Any]:
    """Compare `pairs` generated scenarios and return what was measured."""
    begun = time.perf_counter()
    scenarios = generate(pairs, seed, without=INCOMPARABLE)
    generating_s = time.perf_counter() - begun
    cpu_before_s = _children_cpu_s()
    begun = time.perf_counter()
    results = list(examine_all(scenarios, options, jobs=processes))
    comparing_s = time.perf_counter() - begun
    cpu_s = _children_cpu_s() - cpu_before_s
    sample = scenarios[:SAMPLE_PAIRS]
    parts = split(sample, options)
    issued = commands(sample, options)
    floor = floor_s(issued)
    return {
        "benchmark": "conformance",
        "left": options.left,
        "right": options.right,
        "pairs": pairs,
        "processes": processes,
        "seed": seed,
        "generating_ms_per_scenario": 1000 * generating_s / pairs,
        "seconds": comparing_s,
        "pairs_per_second": pairs / comparing_s,
        "cpu_seconds": cpu_s,
        "cpu_ms_per_pair": 1000 * cpu_s / pairs,
        "target_seconds": TARGET_S * pairs / TARGET_PAIRS,
        "runs_per_pair": RUNS_PER_PAIR,
        "share_in_executors": parts["executors_s"] / parts["total_s"],
        "share_in_harness": 1 - parts["executors_s"] / parts["total_s"],
        "commands_per_pair": issued / len(sample),
        "pair_over_floor": parts["total_s"] / floor,
        "executors_over_floor": parts["executors_s"] / floor,
        "verdicts": dict(Counter(str(result.verdict) for result in results)),
        "attributions": dict(Counter(str(result.attribution) for result in results)),
    }


def _children_cpu_s() -> float:
    """Return the processor time of worker processes that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Measure and print; exit code 1 when the target is missed, 3 when pairs were not compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=TARGET_PAIRS)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--left", default="legacy")
    parser.add_argument("--right", default="unified")
    given = parser.parse_args()
    options = Options(left=given.left, right=given.right)
    figures = measure(given.pairs, given.processes, given.seed, options)
    print(
        f"{figures['pairs']} pairs on {figures['processes']} processes in "
        f"{figures['seconds']:.1f} s (target {figures['target_seconds']:.0f} s): "
        f"{figures['pairs_per_second']:.0f} pairs a second; "
        f"{100 * figures['share_in_executors']:.0f} % of the time in the executors; "
        f"a pair costs {figures['pair_over_floor']:.1f} times its "
        f"{figures['commands_per_pair']:.0f} raw store commands",
        file=sys.stderr,
    )
    print(json.dumps(figures, indent=2))
    uncompared = sum(figures["verdicts"].get(str(kind), 0) for kind in (Verdict.HARNESS_ERROR,))
    if uncompared:
        print(f"{uncompared} pairs could not be compared", file=sys.stderr)
        return ExitCode.HARNESS
    met = figures["seconds"] <= figures["target_seconds"]
    return ExitCode.PASSED if met else ExitCode.FAILED


if __name__ == "__main__":
    sys.exit(main())
