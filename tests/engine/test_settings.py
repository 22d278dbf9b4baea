"""Without these a profile could change by accident: its figures are what users rely on."""

import pytest
from pydantic import ValidationError

from engine.settings import References, WorkflowSettings


def test_profiles() -> None:
    serverless, worker = WorkflowSettings.serverless(), WorkflowSettings.worker()
    assert serverless == WorkflowSettings()
    assert (serverless.checkpoint_threshold_ms, serverless.step_abort_ms) == (6_000, 8_500)
    assert (worker.checkpoint_threshold_ms, worker.step_abort_ms) == (None, None)
    changed = {"checkpoint_threshold_ms", "step_abort_ms"}
    assert worker.model_dump(exclude=changed) == serverless.model_dump(exclude=changed)


def test_strict_changes_checks_and_nothing_else() -> None:
    strict = WorkflowSettings.worker().strict()
    assert (strict.enforce_step_timeouts, strict.enforce_plan_constraints) == (True, True)
    assert strict.references is References.STRICT
    assert (strict.checkpoint_threshold_ms, strict.lease_ms) == (None, 30_000)


@pytest.mark.parametrize(
    "wrong",
    [
        {"checkpoint_threshold_ms": 0},
        {"step_abort_ms": -1},
        {"lease_ms": 0},
        {"retention_s": 0},
        {"compensation_attempts": 0},
        {"compensation_backoff_ms": -1},
        {"max_concurrency": 0},
        {"references": "loose"},
        {"checkpoint_treshold_ms": 5},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WorkflowSettings(**wrong)  # type: ignore[arg-type] # wrong on purpose


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        WorkflowSettings().lease_ms = 5  # type: ignore[misc] # the refusal is the point
