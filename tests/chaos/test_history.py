"""Without these a saved history could not be judged again, or two replays would not be comparable."""

import pytest

from chaos.fault_kinds import FaultKind
from chaos.history import (
    Checkpoint,
    Effect,
    FaultFired,
    History,
    LifeBegan,
    Settled,
    StepView,
    read_history,
)


def history() -> History:
    return History(
        [
            LifeBegan(number=0, at_ms=0, life=1, worker="w1", resumed=False),
            Effect(number=1, at_ms=5, life=1, step="s1", tool="t", key="k", outcome="applied"),
            FaultFired(number=2, at_ms=5, life=1, kind=FaultKind.REPLY_LOST, site="s1.tool", nth=1),
            Checkpoint(
                number=3,
                at_ms=6,
                life=1,
                status="executing",
                version=2,
                epoch=1,
                leased=True,
                due_at_ms=30_000,
                waiting_for=None,
                steps={"s1": StepView("completed", "abc")},
                remaining=("s1",),
            ),
            Settled(number=4, at_ms=9, life=0, status="completed", state_hash="h"),
        ]
    )


def test_a_history_is_read_as_it_was_written() -> None:
    assert read_history(list(history().lines())) == history()


def test_its_digest_depends_on_every_record() -> None:
    whole = history()
    assert whole.digest() == history().digest()
    assert whole.digest() != History(whole.records[:-1]).digest()


def test_records_are_found_by_kind() -> None:
    assert [one.key for one in history().of(Effect)] == ["k"]


@pytest.mark.parametrize(
    "lines", [[], ["{}"], ['{"schema": "chaos-history/v1"}', '{"record": "Dream"}']]
)
def test_foreign_lines_are_refused(lines: list[str]) -> None:
    with pytest.raises(ValueError, match="histor"):
        read_history(lines)
