"""The driver drives any subject: results, throws, deaths, and a fresh subject after each death."""

import asyncio
import functools

import pytest

from chaos.virtual_time import run_virtual
from conformance.errors import HarnessError, UsageError
from conformance.runner import run_recorded, run_scenario
from conformance.scenario_builder import ScenarioBuilder, advance, execute, resume, run
from conformance.subject import BUILT_IN, SegmentResult, Threw, find_subject, subject_names
from conformance.trace import PersistedView, StateView


class ToySubject:
    """Calls tool `a` once a segment; its store key counts segments."""

    built = 0

    def __init__(self, world):
        type(self).built += 1
        self.world = world
        self.memory = 0

    async def capabilities(self):
        return frozenset()

    async def start(self, request):
        return await self._segment(request)

    async def resume(self, request):
        return await self._segment(request)

    async def _segment(self, request):
        self.memory += 1
        number = await self.world.store.incr("segments")
        reply = await self.world.tools.call("a", {"memory": self.memory}, idempotency_key="k")
        if not reply.success:
            raise Threw(reply.error, "ToyError")
        if reply.output == "hang":
            await asyncio.get_running_loop().create_future()
        if reply.output == "bug":
            raise ZeroDivisionError("division by zero")
        view = StateView(status=f"S{number}")
        return SegmentResult(
            success=number >= 3,
            is_partial=number < 3,
            completed_steps=0,
            failed_steps=0,
            total_steps=1,
            state=view,
        )

    async def state(self, execution_id):
        with self.world.store.offstage():
            return PersistedView(StateView(status=await self.world.store.get("segments")))

    async def effects(self):
        return self.world.tools.effects

    async def patch_state(self, operation):
        raise AssertionError("not in these scenarios")

    async def close(self):
        pass


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    ToySubject.built = 0
    monkeypatch.setattr("conformance.runner.find_subject", lambda name: ToySubject)


def _trace(builder):
    return run_scenario(builder.step("a").build(), "toy")


def test_a_run_goes_on_while_the_result_is_partial():
    trace = _trace(ScenarioBuilder("x"))
    assert [s["op"] for s in trace["segments"]] == ["execute", "resume", "resume"]
    assert [s["started_at_ms"] for s in trace["segments"]] == [0, 2010, 4020]
    assert [call["segment"] for call in trace["calls"]] == [1, 2, 3]
    assert trace["status"] == "S3"
    assert trace["persisted_status"] == "3"
    assert trace["executor"] == "toy"


def test_a_run_is_bounded(monkeypatch):
    monkeypatch.setattr("conformance.driver.MAX_RUN_SEGMENTS", 2)
    assert len(_trace(ScenarioBuilder("x"))["segments"]) == 2


def test_what_a_subject_throws_is_recorded_and_ends_the_run():
    trace = _trace(
        ScenarioBuilder("x")
        .tool("a", {"success": False, "error": "no"})
        .drive(run(), advance(5), resume())
    )
    assert trace["segments"] == [
        {
            "op": "execute",
            "started_at_ms": 0,
            "ended_at_ms": 10,
            "threw": "no",
            "threw_name": "ToyError",
        },
        {
            "op": "resume",
            "started_at_ms": 15,
            "ended_at_ms": 25,
            "threw": "no",
            "threw_name": "ToyError",
        },
    ]


def test_an_exception_of_the_executor_is_an_outcome_too():
    trace = _trace(ScenarioBuilder("x").tool("a", {"success": True, "output": "bug"}))
    assert trace["segments"][0]["threw_name"] == "ZeroDivisionError"


def test_after_a_death_the_memory_is_gone_and_the_store_is_not():
    trace = _trace(
        ScenarioBuilder("x").drive(execute(), execute(crash_after_ms=5), execute(), resume())
    )
    assert [call["parameters"]["memory"] for call in trace["calls"]] == [1, 2, 1, 2]
    assert trace["segments"][1]["crashed"] is True
    assert trace["persisted_status"] == "4"
    assert ToySubject.built == 2


def test_death_by_write_counts_from_the_call():
    trace = _trace(ScenarioBuilder("x").drive(execute(), execute(crash_after_write=1), execute()))
    assert [s.get("crashed", False) for s in trace["segments"]] == [False, True, False]
    assert len(trace["calls"]) == 2


def test_an_executor_that_waits_for_ever_is_a_fault_of_the_run(monkeypatch):
    impatient = functools.partial(run_virtual, stall_grace_s=0.01)
    monkeypatch.setattr("conformance.runner.run_virtual", impatient)
    with pytest.raises(HarnessError, match="never comes") as caught:
        _trace(ScenarioBuilder("x").tool("a", {"success": True, "output": "hang"}))
    assert caught.value.place == "x"


def test_the_ledger_comes_with_the_record():
    record = run_recorded(ScenarioBuilder("x").step("a").build(), "toy")
    assert [effect.idempotency_key for effect in record.effects] == ["k", "k", "k"]


def test_subjects_are_found_by_name():
    assert set(BUILT_IN) <= set(subject_names())
    assert find_subject("legacy").__name__ == "LegacySubject"
    with pytest.raises(UsageError, match="unknown executor 'nobody'"):
        find_subject("nobody")
