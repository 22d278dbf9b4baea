"""The comparison is worth nothing unless a wrong engine fails it: here are wrong engines."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import conformance
from conformance.commands.diff import DEFAULT_LEDGER
from conformance.differential import Options, examine_once, settle
from conformance.ledger import read_ledger
from conformance.scenario import read_corpus
from conformance.verdict import Verdict
from engine import (
    decision,
    parameters,
    redis_store,
    saga,
    segment,
    settings,
    step_calls,
    step_runner,
)
from engine.settings import WorkflowSettings

CORPUS = read_corpus([Path(conformance.__file__).parent / "scenarios"])
LEDGER = read_ledger(DEFAULT_LEDGER, today=datetime(2026, 11, 22, tzinfo=UTC).date())


def _set(owner, name, value):
    return lambda patch: patch.setattr(owner, name, value)


def _drop_events_of_last_step(patch):
    original = redis_store.RedisStore.apply

    async def forgetful(self, lease, transition):
        steps = dict(list(transition.steps.items())[:-1] if len(transition.steps) > 1 else ())
        kept = steps or transition.steps
        return await original(self, lease, replace(transition, steps=kept))

    patch.setattr(redis_store.RedisStore, "apply", forgetful)


def _settings(**changes):
    return _set(
        settings.WorkflowSettings,
        "__init__",
        lambda self, **given: super(WorkflowSettings, self).__init__(**{**changes, **given}),
    )


BUGS = {
    "aliases are forgotten": _set(step_calls, "apply_aliases", lambda given, _: dict(given)),
    "references stay text": _set(
        step_calls, "resolve_step_parameters", lambda given, *_, **__: dict(given)
    ),
    "booking fields are not asked for": _set(
        parameters.RequiredParameters, "missing", lambda *_: []
    ),
    "a call is aborted a millisecond early": _settings(step_abort_ms=8_499),
    "undoing is tried once": _settings(compensation_attempts=1),
    "nothing is undone": _set(saga.SagaOrder, "wave", lambda _: []),
    "nobody is asked to confirm": _set(decision, "needs_confirmation", lambda *_: False),
    "a retry too many": _set(
        step_runner, "may_retry", lambda policy, attempts: attempts <= policy.max_attempts
    ),
    "a failed run is said to be complete": _set(
        segment.Segment,
        "_rolled_back_status",
        lambda *_: segment.ExecutionStatus.COMPENSATED,
    ),
    "a result is lost in a batch": _drop_events_of_last_step,
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_caught(bug, monkeypatch):
    BUGS[bug](monkeypatch)
    judged = (settle(examine_once(scenario, Options()), LEDGER)[0] for scenario in CORPUS)
    assert any(result.verdict is Verdict.REGRESSION for result in judged), bug
