"""The two outcomes of each test, paired. Pure."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SCHEMA = "executor-pairs/v1"

# pytest's own exit statuses, which such a run has, too.
OK, FAILED, INTERRUPTED, INTERNAL, USAGE, NOTHING = range(6)

PASSED_OUTCOMES = frozenset({"passed", "xpassed"})
FAILED_OUTCOMES = frozenset({"failed", "error", "not collected"})
SKIPPED_OUTCOMES = frozenset({"skipped", "xfailed"})


class Kind(StrEnum):
    """What the two outcomes of a test say together."""

    SAME = "same"
    REGRESSION = "regression"
    FIXED = "fixed"
    BOTH_FAILED = "both failed"
    DIFFERS = "differs"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class PassRecord:
    """What one run of the suite, under one executor, showed.

    Attributes:
        exit_code: pytest's.
        outcomes: by node id: passed, failed, error, skipped, xfailed, xpassed, not collected.
        faults: by node id, the last lines of what a failure said.
        reached: the modules through which tests reached the executor.
        stopped: the run ended before all tests had run (`-x`, `--maxfail`).
        complaint: why nothing can be concluded from the run.
    """

    executor: str
    exit_code: int
    outcomes: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    reached: tuple[str, ...] = ()
    stopped: bool = False
    complaint: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """One test under both executors; None: it did not run there."""

    test: str
    outcomes: Mapping[str, str | None]
    kind: Kind
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Pairing:
    """All pairs of a run, and what follows from them."""

    passes: tuple[PassRecord, ...]
    pairs: tuple[Pair, ...]
    lenient: bool = False

    @property
    def counts(self) -> Mapping[Kind, int]:
        """How many pairs there are of each kind."""
        found = Counter(pair.kind for pair in self.pairs)
        return {kind: found[kind] for kind in Kind}

    @property
    def is_comparison(self) -> bool:
        """Whether two executors were asked for."""
        return len(self.passes) > 1

    @property
    def verdict(self) -> tuple[int, str]:
        """The exit status of pytest, and the reason in a line.

        A regression fails the run whatever else is asked for. Failures that legacy has as well
        fail it unless `lenient`: what is broken under both can hide a difference.
        """
        for each in self.passes:
            if each.complaint or each.exit_code not in {OK, FAILED, NOTHING}:
                reason = each.complaint or f"pytest ended with exit code {each.exit_code}"
                return each.exit_code or INTERNAL, f"unknown: under {each.executor}, {reason}"
        if all(each.exit_code == NOTHING for each in self.passes):
            return NOTHING, "unknown: no tests ran"
        idle = [each.executor for each in self.passes if not each.reached]
        counts = self.counts
        if counts[Kind.REGRESSION]:
            return FAILED, f"{counts[Kind.REGRESSION]} regressions: passed under legacy alone"
        if idle:
            said = " and ".join(idle)
            return NOTHING, f"unknown: under {said}, no test imported the executor at all"
        failing = sum(not _is_green(pair) for pair in self.pairs)
        if failing and not self.lenient:
            return FAILED, f"no regression, but {failing} tests fail or did not run"
        return OK, "no regression" if self.is_comparison else "passed"

    def document(self) -> dict[str, Any]:
        """Return the JSON form."""
        code, reason = self.verdict
        return {
            "schema": SCHEMA,
            "executors": [each.executor for each in self.passes],
            "exit_code": code,
            "verdict": reason,
            "lenient": self.lenient,
            "reached": {each.executor: list(each.reached) for each in self.passes},
            "counts": {str(kind): count for kind, count in self.counts.items()},
            "pairs": [
                {
                    "test": pair.test,
                    **pair.outcomes,
                    "kind": str(pair.kind),
                    **({"fault": pair.fault} if pair.fault else {}),
                }
                for pair in self.pairs
            ],
        }

    def text(self) -> str:
        """Return the JSON form as the text of a file."""
        return json.dumps(self.document(), indent=2) + "\n"

    def lines(self) -> Iterator[str]:
        """Yield the summary for a terminal: what is not the same, the counts, the verdict."""
        names = [each.executor for each in self.passes]
        for pair in self.pairs:
            if pair.kind is Kind.SAME:
                continue
            shown = ", ".join(f"{name} {pair.outcomes[name] or 'not run'}" for name in names)
            yield f"{pair.kind.upper():<12}{pair.test}  ({shown})"
            if pair.kind is Kind.REGRESSION and pair.fault:
                yield f"            {pair.fault.splitlines()[-1]}"
        counts = ", ".join(f"{count} {kind}" for kind, count in self.counts.items() if count)
        yield f"{len(self.pairs)} tests under {' and '.join(names)}: {counts or 'none'}"
        yield self.verdict[1]


def pair_up(passes: Sequence[PassRecord], *, lenient: bool = False) -> Pairing:
    """Pair the outcomes of each test, in the order in which they were first seen."""
    tests = dict.fromkeys(test for each in passes for test in each.outcomes)
    pairs = tuple(_pair(test, passes) for test in tests)
    return Pairing(tuple(passes), pairs, lenient)


def _pair(test: str, passes: Sequence[PassRecord]) -> Pair:
    outcomes = {each.executor: _outcome(test, each) for each in passes}
    last = passes[-1].faults if len(passes) == 1 else _unified(passes).faults
    return Pair(test, outcomes, _kind(outcomes, passes), last.get(test, ""))


def _outcome(test: str, record: PassRecord) -> str | None:
    """Return how a test went; where its file could not be imported, it was not collected."""
    found = record.outcomes.get(test)
    if found is None and record.outcomes.get(test.partition("::")[0]) == "not collected":
        return "not collected"
    return found


def _kind(outcomes: Mapping[str, str | None], passes: Sequence[PassRecord]) -> Kind:
    if len(passes) == 1:
        only = next(iter(outcomes.values()))
        return Kind.BOTH_FAILED if only in FAILED_OUTCOMES else Kind.SAME
    legacy, unified = outcomes["legacy"], outcomes["unified"]
    if legacy == unified:
        return Kind.BOTH_FAILED if legacy in FAILED_OUTCOMES else Kind.SAME
    if unified in FAILED_OUTCOMES:
        return Kind.BOTH_FAILED if legacy in FAILED_OUTCOMES else Kind.REGRESSION
    if unified is None and not _unified(passes).stopped and legacy in PASSED_OUTCOMES:
        return Kind.REGRESSION
    if legacy is None or unified is None:
        return Kind.NOT_RUN
    if legacy in FAILED_OUTCOMES:
        return Kind.FIXED
    return Kind.DIFFERS


def _unified(passes: Sequence[PassRecord]) -> PassRecord:
    return next(each for each in passes if each.executor == "unified")


def _is_green(pair: Pair) -> bool:
    return all(each in PASSED_OUTCOMES | SKIPPED_OUTCOMES for each in pair.outcomes.values())
