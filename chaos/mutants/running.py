"""Runs mutants, each in a process of its own, and makes the kill matrix of them."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from chaos.mutants.catalogue import BY_NAME
from chaos.mutants.trial import UNDISTURBED, Trial, read_trial

WALL_FACTOR = 20
"""Wall-clock time for a second of CPU: machines are shared, and a mutant may wait for ever."""
START_S = 60
"""Wall-clock time that a process may take to load everything."""
ERROR_CHARS = 400
"""How much of a failed process's last words a report repeats."""


@dataclass(frozen=True, slots=True)
class KillMatrix:
    """Mutants against kinds of faults.

    Attributes:
        trials: in the order in which they were asked for.
    """

    trials: tuple[Trial, ...]

    def kinds(self) -> tuple[str, ...]:
        """Return all kinds that revealed something, no fault first."""
        found = {kind for trial in self.trials for kind in trial.enumerated.kills}
        return tuple(sorted(found, key=lambda kind: (kind != UNDISTURBED, kind)))

    def failures(self) -> tuple[str, ...]:
        """Return a sentence for each trial in which the suite did wrong."""
        return tuple(
            _complaint(trial) for trial in self.trials if not trial.passes(BY_NAME[trial.mutant])
        )

    def killed(self) -> tuple[str, ...]:
        """Return the seeded mutants that were killed for the reason that they were seeded for."""
        return self._with(lambda trial: trial.passes(BY_NAME[trial.mutant]), harmless=False)

    def killed_at_random(self) -> tuple[str, ...]:
        """Return those that random kills revealed too, for the same reason."""
        return self._with(
            lambda trial: trial.random.first(BY_NAME[trial.mutant].predicates) is not None,
            harmless=False,
        )

    def spared(self) -> tuple[str, ...]:
        """Return the harmless ones that were rightly not flagged."""
        return self._with(lambda trial: trial.passes(BY_NAME[trial.mutant]), harmless=True)

    def seconds(self) -> tuple[float, float]:
        """Return the CPU time of enumeration, and of random kills."""
        return (
            sum(trial.enumerated.seconds for trial in self.trials),
            sum(trial.random.seconds for trial in self.trials),
        )

    def document(self) -> dict[str, Any]:
        """Return a JSON form: figures first, then each trial."""
        enumerated_s, random_s = self.seconds()
        return {
            "killed": list(self.killed()),
            "killed_at_random": list(self.killed_at_random()),
            "spared": list(self.spared()),
            "failures": list(self.failures()),
            "kinds": list(self.kinds()),
            "cpu_seconds": {"enumerated": enumerated_s, "random": random_s},
            "trials": [trial.document() for trial in self.trials],
        }

    def _with(self, holds: Callable[[Trial], bool], *, harmless: bool) -> tuple[str, ...]:
        return tuple(
            trial.mutant
            for trial in self.trials
            if BY_NAME[trial.mutant].harmless is harmless and holds(trial)
        )


def run_mutants(
    names: Iterable[str],
    seconds: float,
    *,
    jobs: int = 1,
    random: bool = True,
    whole: bool = False,
    told: Callable[[Trial], object] | None = None,
    executor: Executor | None = None,
) -> KillMatrix:
    """Try mutants and return what came of them.

    Args:
        names: of mutants; see `chaos.mutants.catalogue`.
        seconds: CPU time that each gets at most.
        jobs: how many run at once.
        random: spend the same time on random kills, for comparison.
        whole: go on until each kind of fault has its first kill; else until the mutant is killed.
        told: called with each trial as it ends.
        executor: what runs `try_in_process`; None: `jobs` threads, each waiting for one process.

    Raises:
        KeyError: there is no such mutant.
    """
    wanted = [BY_NAME[name].name for name in names]
    pool = executor or ThreadPoolExecutor(jobs)
    try:
        running = {
            pool.submit(try_in_process, name, seconds, random=random, whole=whole): name
            for name in wanted
        }
        trials: dict[str, Trial] = {}
        for future in as_completed(running):
            trial = trials[running[future]] = future.result()
            if told is not None:
                told(trial)
    finally:
        if executor is None:
            pool.shutdown(cancel_futures=True)
    return KillMatrix(tuple(trials[name] for name in wanted))


def try_in_process(name: str, seconds: float, *, random: bool, whole: bool) -> Trial:
    """Try one mutant in a fresh process. A process that fails or hangs is a trial with a note."""
    order = {"mutant": name, "seconds": seconds, "random": random, "all": whole}
    command = [sys.executable, "-m", "chaos.mutants.worker", json.dumps(order)]
    limit_s = START_S + 2 * WALL_FACTOR * seconds
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, capture_output=True, text=True, check=False, timeout=limit_s
        )
    except subprocess.TimeoutExpired:
        return Trial(name, note=f"no answer within {limit_s:.0f} s")
    if done.returncode:
        return Trial(name, note=_last_words(done.stderr))
    return read_trial(json.loads(done.stdout.splitlines()[-1]))


def _last_words(text: str) -> str:
    lines: Sequence[str] = text.strip().splitlines()
    return lines[-1][:ERROR_CHARS] if lines else "it died without a word"


def _complaint(trial: Trial) -> str:
    mutant, found = BY_NAME[trial.mutant], trial.enumerated
    if trial.note:
        return f"{trial.mutant}: {trial.note}"
    if found.errors and not found.kills:
        return f"{trial.mutant}: the harness failed: {found.errors[0]}"
    if mutant.harmless:
        kill = found.first()
        what = "no case was run" if kill is None else f"{kill.case}: {', '.join(kill.predicates)}"
        return f"{trial.mutant} is harmless, and was flagged: {what}"
    wanted = " or ".join(sorted(mutant.predicates))
    kill = found.first()
    if kill is None:
        return f"{trial.mutant} survives {found.cases} cases"
    return f"{trial.mutant} was found by {', '.join(kill.predicates)}, not by {wanted}"
