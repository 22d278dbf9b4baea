"""Without these a run could leave the unified engine half done, or enter it a second time."""

import pytest

from chaos.virtual_time import VirtualClock, run_virtual
from conformance.fault_script import FaultScript
from conformance.kit.progress import progress_document, progress_fault
from conformance.kit.requirements import read_requirements
from conformance.observed_redis import StoreObserver
from conformance.stores import open_store, parse_store
from conformance.subject import ResumeRequest, StartRequest, Threw
from conformance.subjects.unified import UnifiedSubject
from conformance.trace import Observations
from conformance.world import build_world

CLAUSES = read_requirements().by_id
RUN = CLAUSES["hands-a-run-out"].scenario
WAITING = CLAUSES["waits-for-confirmation"].scenario


def _play(scenario, test):
    clock = VirtualClock()

    async def run():
        observer = StoreObserver(clock, Observations(), FaultScript(()))
        async with open_store(parse_store("fake"), observer) as client:
            world = build_world(scenario, clock, client)
            return await test(UnifiedSubject(world), scenario)

    return run_virtual(run, clock)


def _first_done(scenario):
    return progress_document(scenario, {scenario.plan["steps"][0]["id"]: {"v": 7}})


def test_what_was_taken_in_can_be_handed_out_unchanged():
    async def test(subject, scenario):
        await subject.take_in(_first_done(scenario))
        told = await subject.hand_out(scenario.execution_id)
        assert progress_fault(told, scenario) is None
        assert told["steps"] == _first_done(scenario)["steps"]
        with pytest.raises(Threw) as caught:
            await subject.resume(ResumeRequest(scenario.execution_id))
        assert caught.value.name == "HANDED_BACK"
        await subject.take_in(told)  # and comes home again
        assert (await subject.resume(ResumeRequest(scenario.execution_id))).success
        assert [call.tool for call in await subject.effects()] == ["b", "c"]

    _play(RUN, test)


def test_a_run_is_taken_in_once():
    async def test(subject, scenario):
        await subject.take_in(_first_done(scenario))
        with pytest.raises(Threw, match="known here already") as caught:
            await subject.take_in(_first_done(scenario))
        assert caught.value.name == "ADOPTION_REFUSED"

    _play(RUN, test)


def test_what_has_ended_stays():
    async def test(subject, scenario):
        await subject.start(StartRequest(scenario.execution_id, scenario.plan))
        with pytest.raises(Threw) as caught:
            await subject.hand_out(scenario.execution_id)
        assert caught.value.name == "HAND_BACK_REFUSED"

    _play(RUN, test)


def test_what_waits_for_a_person_stays():
    async def test(subject, scenario):
        await subject.start(StartRequest(scenario.execution_id, scenario.plan))
        with pytest.raises(Threw, match="AWAITING_CONFIRMATION"):
            await subject.hand_out(scenario.execution_id)

    _play(WAITING, test)


def test_what_is_not_there_is_not_handed_out():
    async def test(subject, scenario):
        with pytest.raises(Threw) as caught:
            await subject.hand_out(scenario.execution_id)
        assert caught.value.name == "EXECUTION_NOT_FOUND"

    _play(RUN, test)
