"""Run one scenario through two executors and judge what differs.

`judge` is a pure function of two traces; `examine` is the rim that makes the traces. Whether a
divergence is accepted is decided afterwards by `settle`, so that workers need no ledger.
"""

import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from chaos.campaign.pool import process_pool
from conformance.batches import BatchedMap
from conformance.comparator import (
    Divergence,
    EventDifference,
    Layer,
    compare,
    compare_with_reference,
    event_lines,
    first_difference,
    primary,
)
from conformance.errors import HarnessError, PlanproofError
from conformance.facts import Facts, facts
from conformance.ledger import Ledger, Use
from conformance.observation import Observation, crash_times, expected, observe
from conformance.reference_model import Unpredictable, numbered_crashes, predict, predictions
from conformance.reference_run import Prediction
from conformance.scenario import Scenario
from conformance.verdict import Attribution, Verdict

# Below this many scenarios starting worker processes costs more than it saves.
MIN_PARALLEL = 24
# Of generated scenarios, one in so many is run twice by each executor (A/A): a hundred of them show
# a nondeterminism as surely as all do. Scenarios made by hand are all run twice.
CONTROL_EVERY = 4
GENERATED_TAG = "generated"


@dataclass(frozen=True)
class Options:
    """How a comparison is made; picklable, the same for every scenario of a run."""

    left: str = "legacy"
    right: str = "unified"
    store: str = "fake"
    strict: bool = False


@dataclass(frozen=True)
class PairResult:
    """What is known about one scenario after both executors ran it.

    Attributes:
        verdict: before `settle`, a divergence counts as a regression.
        reference: where the right executor is not what the reference model says.
        reason: why the reference model cannot predict, or why the scenario could not be judged.
        touched: fields that each normalisation rule touched, both sides together.
        entry: the ledger entry that accepts the divergence.
        controlled: whether each executor was compared with itself first.
        timeline: where the executors differ, either run as lines of events.
    """

    scenario: str
    verdict: Verdict
    attribution: Attribution = Attribution.NONE
    divergences: tuple[Divergence, ...] = ()
    primary: Divergence | None = None
    reference: tuple[Divergence, ...] = ()
    difference: EventDifference | None = None
    facts: Facts | None = None
    reason: str = ""
    touched: Mapping[str, int] = field(default_factory=dict)
    entry: str | None = None
    controlled: bool = False
    timeline: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    @property
    def layers(self) -> dict[Layer, bool]:
        """For each layer, whether the executors agree on it."""
        differing = {divergence.layer for divergence in self.divergences}
        return {layer: layer not in differing for layer in Layer}

    @property
    def shown(self) -> Divergence | None:
        """The divergence that leads a report: between the executors, else with the model."""
        return self.primary or next(iter(self.reference), None)


def judge(
    scenario: Scenario,
    left_trace: Mapping[str, Any],
    right_trace: Mapping[str, Any],
    *,
    strict: bool = False,
) -> PairResult:
    """Compare two traces of one scenario and attribute what differs. Pure.

    Raises:
        HarnessError: a trace is malformed or has a status that no map declares.
    """
    left, right = observe(left_trace, scenario), observe(right_trace, scenario)
    divergences = compare(left, right, scenario)
    first = primary(divergences, strict=strict)
    said = _said(scenario, right, right_trace)
    attribution, reference = _attribute(said, left, right, first)
    is_wrong = first is not None or attribution is Attribution.ORACLE_DISAGREES
    return PairResult(
        scenario=scenario.name,
        verdict=Verdict.REGRESSION if is_wrong else Verdict.PASS,
        attribution=attribution,
        divergences=divergences,
        primary=first,
        reference=reference,
        difference=first_difference(left, right) if first is not None else None,
        facts=facts(scenario, left, right, first) if first is not None else None,
        reason=said.reason if isinstance(said, Unpredictable) else "",
        touched=_sum(left.touched, right.touched),
        timeline=((), ()) if first is None else _timeline(left, right),
    )


def _timeline(left: Observation, right: Observation) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(event_lines(left)), tuple(event_lines(right))


_Against = Callable[[Observation], tuple[Divergence, ...]]


def _said(
    scenario: Scenario, right: Observation, right_trace: Mapping[str, Any]
) -> _Against | Unpredictable:
    """Return what the reference model says, as a comparison with it.

    Where a crash at a numbered write fell, only the executor's own trace tells; if one of the
    outcomes that are right for that time is the one observed, it is what the model says.
    """
    if numbered_crashes(scenario):
        for candidate in predictions(scenario, crash_times(scenario, right_trace)):
            against = _against(candidate, scenario)
            if not against(right):
                return against
    prediction = predict(scenario)
    if isinstance(prediction, Unpredictable):
        return prediction
    return _against(prediction, scenario)


def _against(prediction: Prediction, scenario: Scenario) -> _Against:
    return partial(
        compare_with_reference,
        expected(prediction, scenario),
        scenario=scenario,
        calls=prediction.calls,
        at_least_once=prediction.at_least_once,
    )


def _attribute(
    said: _Against | Unpredictable,
    left: Observation,
    right: Observation,
    first: Divergence | None,
) -> tuple[Attribution, tuple[Divergence, ...]]:
    """Say who is wrong, and where the right executor leaves the reference model."""
    if isinstance(said, Unpredictable):
        return Attribution.UNATTRIBUTED, ()
    wrong_left, wrong_right = said(left), said(right)
    if not wrong_right:
        return (Attribution.LEFT_WRONG if first else Attribution.NONE), ()
    if first is None:
        return Attribution.ORACLE_DISAGREES, wrong_right
    return (Attribution.BOTH_WRONG if wrong_left else Attribution.RIGHT_WRONG), wrong_right


def settle(result: PairResult, ledger: Ledger) -> tuple[PairResult, Use]:
    """Apply the ledger to one result.

    An entry accepts a divergence only if the reference model agrees with the right executor in
    full: a defect that hides behind an accepted divergence stays a regression.
    """
    judged = result.verdict in {Verdict.PASS, Verdict.REGRESSION}
    if result.primary is None or result.facts is None:
        return result, Use(result.scenario, judged=judged)
    entries, faults = ledger.explain(result.facts)
    use = Use(result.scenario, tuple(entry.id for entry in entries), tuple(faults))
    if not entries:
        return result, use
    verdict = {
        Attribution.LEFT_WRONG: Verdict.LEDGERED,
        Attribution.UNATTRIBUTED: Verdict.UNTESTABLE,
    }.get(result.attribution, Verdict.REGRESSION)
    return replace(result, verdict=verdict, entry=entries[0].id), use


def examine(scenario: Scenario, options: Options) -> PairResult:
    """Run `scenario` through both executors and judge the traces.

    Each executor is compared with itself first, on the scenarios that `is_controlled` names.

    A scenario that an executor refuses to run is untestable; whatever else goes wrong is told as
    a fault of the harness, never as an outcome.
    """
    subjects = (options.left, options.right)
    try:
        traces = [_trace(scenario, subject, options) for subject in subjects]
        controlled = is_controlled(scenario)
        if controlled:
            noisy = [
                subject
                for subject, trace in zip(subjects, traces, strict=True)
                if _trace(scenario, subject, options) != trace
            ]
            if noisy:
                reason = f"two runs of {' and of '.join(noisy)} differ"
                return PairResult(
                    scenario.name, Verdict.NONDETERMINISTIC, reason=reason, controlled=True
                )
        left, right = map(json.loads, traces)
        judged = judge(scenario, left, right, strict=options.strict)
        return replace(judged, controlled=controlled)
    except HarnessError as error:
        return PairResult(scenario.name, Verdict.HARNESS_ERROR, reason=error.line())
    except PlanproofError as error:
        return PairResult(scenario.name, Verdict.UNTESTABLE, reason=error.line())
    except Exception as error:  # noqa: BLE001 - one scenario may not end the run of all others
        reason = f"{type(error).__name__}: {error}"
        return PairResult(scenario.name, Verdict.HARNESS_ERROR, reason=reason)


def examine_once(scenario: Scenario, options: Options) -> PairResult:
    """Run `scenario` through both executors once; for shrinking what was examined before."""
    left, right = (_trace(scenario, name, options) for name in (options.left, options.right))
    return judge(scenario, json.loads(left), json.loads(right), strict=options.strict)


def examine_all(
    scenarios: Sequence[Scenario],
    options: Options,
    *,
    jobs: int | None = None,
    examiner: Callable[[Scenario, Options], PairResult] = examine,
    executor: Executor | None = None,
) -> Iterator[PairResult]:
    """Yield a result for each scenario, in order and as they come in.

    Args:
        scenarios: what is compared.
        options: how.
        jobs: how many scenarios are compared at a time; None: one for each CPU.
        examiner: compares one; importable wherever it runs.
        executor: where large and small corpora run; None: small ones here, large ones in `jobs`
            processes of this machine.

    Raises:
        HarnessError: a worker process died.
    """
    work = partial(_examine_with, examiner, options)
    workers = min(jobs or os.cpu_count() or 1, len(scenarios))
    if executor is not None:
        yield from BatchedMap(work, executor, jobs or os.cpu_count() or 1).results(scenarios)
        return
    if workers <= 1 or len(scenarios) < MIN_PARALLEL:
        yield from map(work, scenarios)
        return
    try:
        with process_pool(workers) as pool:
            yield from BatchedMap(work, pool, workers).results(scenarios)
    except BrokenProcessPool:
        raise HarnessError("a worker process died while it compared executors") from None


def _examine_with(
    examiner: Callable[[Scenario, Options], PairResult], options: Options, scenario: Scenario
) -> PairResult:
    return examiner(scenario, options)


def is_controlled(scenario: Scenario) -> bool:
    """Whether executors are compared with themselves on `scenario`; decided by its name alone."""
    if GENERATED_TAG not in scenario.tags:
        return True
    return zlib.crc32(scenario.name.encode()) % CONTROL_EVERY == 0


def _trace(scenario: Scenario, subject: str, options: Options) -> str:
    from conformance.runner import run_scenario  # noqa: PLC0415 - executors are loaded when used

    trace = run_scenario(scenario, subject, store=options.store)
    return json.dumps(trace, sort_keys=True)


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in sorted({*one, *other})}
