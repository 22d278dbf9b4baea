"""Scripted tools serve executors that signal an abort and executors that cancel the task."""

import asyncio

import pytest

from chaos.virtual_time import VirtualClock, run_virtual
from conformance.scenario_builder import ScenarioBuilder, fails, raises, succeeds
from conformance.tool_scripts import AbortError, ScriptedError, ScriptedTools
from conformance.trace import Observations


def _play(scenario, main):
    clock = VirtualClock()
    seen = Observations()
    tools = ScriptedTools(scenario.step("s").build(), clock, seen)
    return run_virtual(lambda: main(tools, clock), clock), seen


def test_the_nth_call_takes_the_nth_outcome_and_the_last_repeats():
    scenario = ScenarioBuilder("x").tool("t", succeeds(1), fails("no"), raises("boom"))

    async def main(tools, clock):
        first = await tools.call("t", {})
        second = await tools.call("t", {})
        raised = []
        for _ in range(2):
            with pytest.raises(ScriptedError) as caught:
                await tools.call("t", {})
            raised.append(str(caught.value))
        return first.output, second.error, raised, clock.elapsed_ms

    result, seen = _play(scenario, main)
    assert result == (1, "no", ["boom", "boom"], 40)
    assert [call["at_ms"] for call in seen.calls] == [0, 10, 20, 30]


def test_a_tool_without_an_entry():
    async def main(tools, clock):
        reply = await tools.call("t", {"p": 1}, timeout_ms=5)
        return reply.success, reply.output, clock.elapsed_ms

    result, seen = _play(ScenarioBuilder("x"), main)
    assert result == (True, {}, 10)
    assert seen.calls == [
        {
            "segment": 0,
            "tool": "t",
            "parameters": {"p": 1},
            "timeout_ms": 5,
            "at_ms": 0,
            "signal": False,
        }
    ]


def test_a_cancelled_call_fails_with_the_abort_message():
    async def main(tools, clock):
        call = asyncio.ensure_future(tools.call("t", {}))
        await clock.sleep_ms(3)
        call.cancel()
        with pytest.raises(AbortError, match="AbortError: cancelled"):
            await call
        return clock.elapsed_ms, tools.effects

    assert _play(ScenarioBuilder("x"), main)[0] == (3, [])


def test_a_cancelled_call_that_ignores_aborts_ends_after_its_full_latency():
    scenario = ScenarioBuilder("x").tool("t", succeeds("late", latency_ms=50, ignore_abort=True))

    async def main(tools, clock):
        call = asyncio.ensure_future(tools.call("t", {}))
        for _ in range(2):
            await clock.sleep_ms(3)
            call.cancel()
        return (await call).output, clock.elapsed_ms

    assert _play(scenario, main)[0] == ("late", 50)


class _Signal:
    def __init__(self, aborted=False):
        self.aborted = aborted
        self.listeners = []

    def add_listener(self, listener):
        self.listeners.append(listener)

    def remove_listener(self, listener):
        if listener in self.listeners:
            self.listeners.remove(listener)


def test_a_signal_ends_the_call_at_once():
    async def main(tools, clock):
        signal = _Signal()
        call = asyncio.ensure_future(tools.call("t", {}, signal=signal))
        await clock.sleep_ms(4)
        signal.listeners[0]()
        with pytest.raises(AbortError):
            await call
        with pytest.raises(AbortError):
            await tools.call("t", {}, signal=_Signal(aborted=True))
        return clock.elapsed_ms, signal.listeners

    assert _play(ScenarioBuilder("x"), main)[0] == (4, [])


def test_a_timeout_of_asyncio_around_a_call_shows_as_an_abort():
    async def main(tools, clock):
        with pytest.raises(AbortError):
            async with asyncio.timeout(0.005):
                await tools.call("t", {})
        return clock.elapsed_ms

    assert _play(ScenarioBuilder("x"), main)[0] == 5


def test_the_ledger_holds_completed_calls_with_their_keys():
    scenario = ScenarioBuilder("x").tool("t", succeeds(), fails("no"))

    async def main(tools, _):
        tools.segment = 2
        await tools.call("t", {"p": 1}, idempotency_key="k")
        await tools.call("t", {"p": 2})
        return [
            (e.parameters, e.at_ms, e.segment, e.success, e.idempotency_key) for e in tools.effects
        ]

    assert _play(scenario, main)[0] == [
        ({"p": 1}, 10, 2, True, "k"),
        ({"p": 2}, 20, 2, False, None),
    ]


def test_parameters_are_recorded_as_they_were_sent():
    async def main(tools, _):
        sent = {"list": [1]}
        call = asyncio.ensure_future(tools.call("t", sent))
        await asyncio.sleep(0)
        sent["list"].append(2)
        await call

    _, seen = _play(ScenarioBuilder("x"), main)
    assert seen.calls[0]["parameters"] == {"list": [1]}
