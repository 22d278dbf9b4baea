"""Whole processes measured by the system's own account, in interleaved rounds."""

import os
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance.errors import HarnessError


@dataclass(frozen=True, slots=True)
class Contender:
    """A program to measure.

    Attributes:
        name: what it is called in the report.
        command: the program and its arguments.
        floor: the name of the contender that it is compared with in every round.
        codes: exit codes of a run that did its work.
        files: how many files it works on.
        prepare: called before each run, outside of the measurement.
        has_worked: called after each run: whether its work was done, where the code says too little.
    """

    name: str
    command: tuple[str, ...]
    floor: str
    codes: frozenset[int]
    files: int
    prepare: Callable[[], None] | None = None
    has_worked: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor time of a process and all that it started; the peak is of the largest of them."""

    cpu_s: float
    peak_mb: float


@dataclass(slots=True)
class Figures:
    """The costs of one contender, one for each round."""

    contender: Contender
    costs: list[Cost] = field(default_factory=list)
    over_floor: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median of the ratios within one round."""
        return statistics.median(self.over_floor)

    @property
    def cpu_s(self) -> float:
        """The median processor time of a run."""
        return statistics.median(cost.cpu_s for cost in self.costs)

    @property
    def peak_mb(self) -> float:
        """The highest peak of all runs."""
        return max(cost.peak_mb for cost in self.costs)

    @property
    def ms_per_file(self) -> float:
        """Processor time per file."""
        return 1000 * self.cpu_s / self.contender.files


def run(contender: Contender, folder: Path) -> Cost:
    """Run a contender once.

    Raises:
        HarnessError: it cannot be started, ends with an exit code that it must not have, or has
            not done its work.
    """
    if contender.prepare is not None:
        contender.prepare()
    environment = {key: value for key, value in os.environ.items() if key != _NO_BYTECODE}
    # As an installed program: its modules are compiled once, which the warm-up does.
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    errors = folder / "errors.txt"
    try:
        with errors.open("wb") as said:
            process = subprocess.Popen(
                contender.command, stdout=subprocess.DEVNULL, stderr=said, env=environment
            )
            _, status, used = os.wait4(process.pid, 0)
    except OSError as error:
        raise HarnessError(f"cannot be run: {error.strerror}", place=contender.name) from None
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in contender.codes:
        last = errors.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
        raise HarnessError(f"exit code {process.returncode}: {last}", place=contender.name)
    if contender.has_worked is not None and not contender.has_worked():
        raise HarnessError("it ended without having done its work", place=contender.name)
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"


def measure(
    contenders: Sequence[Contender],
    pairs: int,
    folder: Path,
    *,
    run_once: Callable[[Contender, Path], Cost] = run,
) -> Mapping[str, Figures]:
    """Run all contenders once unmeasured, then `pairs` times in turn; every second turn backwards.

    Each is compared with its floor of the same round, because a machine's speed drifts.
    """
    figures = {item.name: Figures(item) for item in contenders}
    for item in contenders:
        run_once(item, folder)
    for number in range(pairs):
        turn = contenders if number % 2 == 0 else contenders[::-1]
        for item in turn:
            figures[item.name].costs.append(run_once(item, folder))
        for item in contenders:
            floor = figures[item.floor].costs[-1].cpu_s
            figures[item.name].over_floor.append(figures[item.name].costs[-1].cpu_s / floor)
    return figures
