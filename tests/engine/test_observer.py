"""Without these an observer could fail a step, or be told wrongly how something ended."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from engine.errors import StoreUnavailableError
from engine.observer import INTERRUPTED, RAISED, Observer, Observers
from engine.store import Claimed
from engine.tools import ToolResult
from tests.engine.lab import Lab, Script, chain


@dataclass
class Watching:
    traceparent: str | None
    log: list[Any]
    name: str

    def end(self, outcome: str, *, success: bool) -> None:
        self.log.append((self.name, outcome, success))


@dataclass
class Recorder:
    traceparent: str | None = "00-11111111111111111111111111111111-2222222222222222-01"
    log: list[Any] = field(default_factory=list)
    writes: int = 0

    def __call__(self, event: Any) -> None:
        self.log.append(str(event.name))

    def segment(self, state: Any, *, resumed: bool) -> Watching:
        return Watching(self.traceparent, self.log, "resumed" if resumed else "begun")

    def call(self, call: Any) -> Watching:
        return Watching(None, self.log, call.step_id)

    def checkpoint_written(self, duration_ms: float) -> None:
        self.writes += 1


class Broken(Recorder):
    def segment(self, state: Any, *, resumed: bool) -> Watching:
        raise ValueError("broken")

    def call(self, call: Any) -> Watching:
        raise ValueError("broken")

    def checkpoint_written(self, duration_ms: float) -> None:
        raise ValueError("broken")


def test_a_listener_is_an_observer_by_what_it_has():
    assert isinstance(Recorder(), Observer) and not isinstance(list, Observer)
    assert not Observers([lambda event: None]) and Observers([Recorder()])


def test_without_an_observer_nothing_stands_around_the_tools():
    lab = Lab()
    assert Observers([]).around(lab.tools) is lab.tools


def test_an_observer_sees_segments_calls_and_writes():
    lab, seen = Lab(), Recorder()
    lab.tools.scripts["work"] = Script([ToolResult.ok(1), ToolResult.failed("no")])
    lab.run(lambda: lab.machine(chain(2), listeners=[seen]).execute())
    ends = [each for each in seen.log if isinstance(each, tuple)]
    assert ends == [("s0", "completed", True), ("s1", "failed", False), ("begun", "FAILED", True)]
    assert seen.writes == 3


def test_what_the_first_segment_makes_is_kept_and_the_next_does_not_replace_it():
    lab, first, then = Lab(), Recorder(), Recorder("00-" + "3" * 32 + "-" + "4" * 16 + "-01")

    async def main() -> Any:
        await lab.machine(chain(2), listeners=[first]).execute_single_step()
        await lab.machine(listeners=[then]).execute()
        return await lab.machine().get_state()

    assert lab.run(main).traceparent == first.traceparent
    assert then.log[-1] == ("resumed", "COMPLETED", True)
    assert ("begun", "yielded", True) in first.log


def test_an_observer_that_fails_harms_nobody():
    lab, seen = Lab(), Recorder()
    result = lab.run(lambda: lab.machine(chain(2), listeners=[Broken(), seen]).execute())
    assert result.success and seen.log[-1] == ("begun", "COMPLETED", True)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (StoreUnavailableError("away"), "STORE_UNAVAILABLE"),
        (ValueError("x"), RAISED),
        (asyncio.CancelledError(), INTERRUPTED),
        (
            BaseExceptionGroup("g", [ValueError("x"), StoreUnavailableError("away")]),
            "STORE_UNAVAILABLE",
        ),
    ],
)
def test_a_segment_that_raises_ends_with_its_cause(error, outcome):
    lab, seen = Lab(), Recorder()

    async def claimed() -> Claimed:
        machine = lab.machine(chain(1))
        return await machine._claim(machine._beginning())

    observers = Observers([seen])
    with pytest.raises(type(error)), observers.segment(lab.run(claimed)):
        raise error
    assert seen.log == [("begun", outcome, False)]
