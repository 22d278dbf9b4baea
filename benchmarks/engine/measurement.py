"""Contenders in turn, each beside the floor, in many short rounds."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.engine.contenders import FLOOR, LEGACY, OURS
from benchmarks.engine.workload import Load
from conformance.errors import HarnessError

WARM_UP = Load(10, 1)


@dataclass(frozen=True, slots=True)
class Series:
    """One load, measured in rounds.

    Attributes:
        load: of the floor and of what is about as fast, in one round.
        slow: how many workflows the others carry out in one round.
        rounds: how often; the others, and everything with `all_slow`, only `slow_rounds` times.
        all_slow: whether the legacy executor is slow here too.
    """

    name: str
    load: Load
    slow: int
    rounds: int
    slow_rounds: int
    all_slow: bool = False

    def shortened(self, rounds: int) -> "Series":
        """Return the series with at most so many rounds."""
        slow_rounds = min(self.slow_rounds, rounds)
        return replace(self, rounds=min(self.rounds, rounds), slow_rounds=slow_rounds)

    def is_slow(self, contender: str) -> bool:
        """Whether a contender is given less to do."""
        return contender not in (FLOOR, OURS) and (contender != LEGACY or self.all_slow)

    def load_of(self, contender: str) -> Load:
        """Return what a contender carries out in one round."""
        if not self.is_slow(contender):
            return self.load
        at_once = min(self.load.at_once, self.slow)
        return Load(self.load.steps, self.slow, at_once)

    def rounds_of(self, contender: str) -> int:
        """Return in how many rounds a contender takes part: the first ones."""
        return self.slow_rounds if self.is_slow(contender) else self.rounds


@dataclass(frozen=True, slots=True)
class Sample:
    """One contender in one round; the ratios are to the floor just before and after it."""

    steps_per_s: float
    ratio: float
    cpu_ratio: float


@dataclass(frozen=True, slots=True)
class Sent:
    """What one workflow of a series sends, per step; `round_trips` are those of the workflow."""

    bytes_per_step: float
    round_trips: int | None


@dataclass(slots=True)
class Figures:
    """What was measured of one contender, by series."""

    samples: dict[str, list[Sample]] = field(default_factory=dict)
    sent: dict[str, Sent] = field(default_factory=dict)
    peak_mb: float = 0.0
    import_ms: float = 0.0

    def median(self, series: str, figure: str) -> float:
        """Return the median of a figure over the rounds."""
        return statistics.median(getattr(sample, figure) for sample in self.samples[series])


class Agent:
    """The process of one contender."""

    def __init__(self, name: str, url: str, folder: Path) -> None:
        """Start it.

        Raises:
            HarnessError: it cannot be measured; the message says why.
        """
        self.name = name
        folder.mkdir()
        command = (sys.executable, "-m", "benchmarks.engine.agent", name, url, str(folder))
        self._errors = (folder / "errors.txt").open("wb")
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        self._runs = 0
        try:
            self.imports: str = self._answer()["imports"]
        except HarnessError:
            self.close()
            raise

    def run(self, load: Load, *, counted: bool = False) -> dict[str, Any]:
        """Carry `load` out.

        Raises:
            HarnessError: it failed, or did not do all of its work.
        """
        self._runs += 1
        order = {"order": "run", "load": asdict(load), "counted": counted, "name": f"r{self._runs}"}
        found = self._ask(order)
        if found["steps"] != load.total:
            raise HarnessError(f"{found['steps']} of {load.total} steps were done", place=self.name)
        return found

    def peak_mb(self) -> float:
        """Return the peak memory of its processes so far, in megabytes."""
        return float(self._ask({"order": "memory"})["peak_mb"])

    def close(self) -> None:
        """Let it end by itself; end it if it does not."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def _ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        if self._process.stdin is None:
            raise AssertionError("the process was started with a pipe")
        with contextlib.suppress(BrokenPipeError):  # it has ended, which no answer tells too
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        if self._process.stdout is None:
            raise AssertionError("the process was started with a pipe")
        line = self._process.stdout.readline()
        if not line:
            raise HarnessError("its process has ended", place=self.name)
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise HarnessError(found["error"], place=self.name)
        return found


def run_rounds(
    agents: Sequence[Agent], listed: Sequence[Series], tell: Callable[[str], None]
) -> dict[str, Figures]:
    """Measure all agents, the first of which is the floor; every second round backwards.

    The floor runs before and after each contender with the same load, because a machine's speed
    drifts: a ratio is taken to the mean of the two.
    """
    figures = {agent.name: Figures() for agent in agents}
    for agent in agents:
        tell(f"warming up: {agent.name}")
        agent.run(WARM_UP)
    for number in range(max(series.rounds for series in listed)):
        for series in listed:
            turn = [agent for agent in agents[1:] if number < series.rounds_of(agent.name)]
            if turn:
                tell(f"round {number + 1}: {series.name}, {len(turn)} contenders")
                _run_round(agents[0], turn[:: -1 if number % 2 else 1], series, figures)
    return figures


def _run_round(
    floor: Agent, turn: Sequence[Agent], series: Series, figures: Mapping[str, Figures]
) -> None:
    before = floor.run(series.load)
    for agent in turn:
        load = series.load_of(agent.name)
        found = agent.run(load)
        after = floor.run(series.load)
        floor_s, floor_cpu_s = (
            (before[key] + after[key]) / 2 / series.load.total for key in ("wall_s", "cpu_s")
        )
        sample = Sample(
            steps_per_s=load.total / found["wall_s"],
            ratio=floor_s / (found["wall_s"] / load.total),
            cpu_ratio=floor_cpu_s / (found["cpu_s"] / load.total),
        )
        figures[agent.name].samples.setdefault(series.name, []).append(sample)
        rate = series.load.total / after["wall_s"]
        figures[floor.name].samples.setdefault(series.name, []).append(Sample(rate, 1.0, 1.0))
        before = after


def count_sent(agent: Agent, steps: Sequence[int], figures: Figures) -> None:
    """Count what one workflow of each of these lengths sends."""
    for length in steps:
        found = agent.run(Load(length, 1), counted=True)
        if not found["sent_bytes"]:
            raise HarnessError("nothing was sent", place=agent.name)
        figures.sent[str(length)] = Sent(found["sent_bytes"] / length, found["round_trips"])


def import_ms(statement: str, times: int) -> float:
    """Return the processor time that an import `statement` takes a fresh interpreter; median."""
    code = (
        f"import time; begun = time.process_time()\n{statement}\nprint(time.process_time() - begun)"
    )
    root = str(Path(__file__).parents[2])
    found = []
    for _ in range(times + 1):  # the first one may have to compile
        done = subprocess.run(
            (sys.executable, "-c", code), capture_output=True, text=True, check=True, cwd=root
        )
        found.append(1000 * float(done.stdout.split()[-1]))
    return statistics.median(found[1:])
