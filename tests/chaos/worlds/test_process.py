"""Without these the process world could kill nothing, or pass where the simulated one does not."""

import pytest

from chaos.case import Case, Judgement
from chaos.enacting import enact, judge_on_real_time
from chaos.fault_id import parse_case
from chaos.history import Effect, FaultFired, LifeEnded, Settled, StoreCut, StoreOperation
from chaos.oracle import judge
from chaos.running import reference_of, run_case, simulate
from chaos.worlds.process import RealTime
from chaos.worlds.rules import ImpossibleCaseError
from chaos.worlds.server import ServerError

pytestmark = [pytest.mark.redis, pytest.mark.usefixtures("process_world")]

SAME = (
    "chain3",
    "chain3/L1@begin#1:A",
    "chain3/L1@s1.tool#1:TA/L2@s1.tool#1:TA/L3@s2.commit+s3.intent#1:B",
    "chain3/L1@s2.commit+s3.intent#1:A'/retries=10",
    "chain3/L1@s2.commit+s3.intent#1:A'",
    "chain3/L1@begin#1:E'oom",
    "chain3/L1@s2.tool#1:TL=1",
    "chain3/L1@s1.commit+s2.intent#1:STOP",
    "chain3/L1@s1.commit+s2.intent#1:STOP=2",
    "chain3/L1@s1.commit+s2.intent#1:DUP",
    "chain3/L1@s1.commit+s2.intent#1:TWO",
    "chain3/L1@s1.commit+s2.intent#1:TWO/schedule=1.2",
    "chain3/L1@s1.commit+s2.intent#1:TWO=2/schedule=pct3-5",
    "chain3/L1@begin#1:DROP",
    "chain3/L1@begin#1:RESTART",
    "chain3/L1@s2.tool#1:TA/L1@server#1:CUT=2/policy=everysec",
    "chain3/L1@s2.commit+s3.intent#1:CUT=1/policy=off",
    "chain3/L1@s2.commit+s3.intent#1:CUT=1000/policy=off",
    "cancel/L1@s1.undone+finish#1:CUT=1000/policy=off",
    "chain3/L1@s3.tool#1:TB/L1@server#1:FAILOVER=3/policy=failover",
    "saga-stuck/L1@s2.undo#1:TA",
    "confirmation/L3@s2.tool#1:TB",
    "cancel/L1@s2.tool#1:TB",
    "long-call/L1@renew#3:A",
)


def _effects(world):
    return [
        (one.step, one.compensation)
        for one in world.recorder.history.of(Effect)
        if one.outcome == "applied"
    ]


@pytest.mark.parametrize("fault_id", SAME)
def test_a_fault_id_has_the_same_history_in_both_worlds(fault_id):
    case = parse_case(fault_id)
    real, simulated = enact(case), simulate(case)
    assert list(real.recorder.history.lines()) == list(simulated.recorder.history.lines())
    assert not real.agenda.left


@pytest.mark.parametrize(
    "fault_id",
    [
        "chain3/L1@s2.commit+s3.intent#1:Z=1",
        "chain3/L1@s2.commit+s3.intent#1:D'=3",
        "long-call/L1@renew#3:STOP=2",
    ],
)
def test_what_arrives_late_comes_to_the_same(fault_id):
    # What was sent before the sender's death bears the sender's time.
    case = parse_case(fault_id)
    real, simulated = enact(case).recorder.history, simulate(case).recorder.history
    assert next(real.of(Settled)).state_hash == next(simulated.of(Settled)).state_hash
    assert not judge(real, simulate(case).plan, reference_of(case.plan))


def test_a_process_dies_by_sigkill_and_says_no_word():
    world = enact(parse_case("chain2/L1@s1.tool#1:TA/L2@s2.tool#1:TB"))
    assert world.sigkills == 2
    assert [one.how for one in world.recorder.history.of(LifeEnded)] == [
        *("killed", "killed", "returned")
    ]
    assert _effects(world) == [("s1", False), ("s2", False)]


def test_a_power_loss_takes_exactly_the_last_writes_and_no_effect_twice():
    world = enact(parse_case("chain3/L1@s3.tool#1:TA/L1@server#1:CUT=3/policy=everysec"))
    assert [cut.operations for cut in world.recorder.history.of(StoreCut)] == [3]
    assert sorted(_effects(world)) == [("s1", False), ("s2", False), ("s3", False)]
    assert any(one.outcome == "deduplicated" for one in world.recorder.history.of(Effect))
    assert next(world.recorder.history.of(Settled)).status == "COMPLETED"


def test_a_case_runs_in_the_world_that_it_names():
    case = parse_case("chain2/L1@s1.tool#1:TA/world=process")
    result = run_case(case, replays=1)
    assert result.judgement is Judgement.HELD
    assert result.sigkills == 1
    assert result.seconds > 0
    assert result.digest == run_case(parse_case("chain2/L1@s1.tool#1:TA")).digest


def test_a_fault_that_does_not_happen_is_said_not_to():
    result = run_case(parse_case("chain2/L7@s1.tool#1:TA/world=process"))
    assert result.judgement is Judgement.NOT_FIRED


def test_what_a_policy_excludes_is_refused():
    with pytest.raises(ImpossibleCaseError, match="loses writes"):
        enact(parse_case("chain2/L1@server#1:CUT=1"))


def test_plans_that_wait_for_replicas_are_refused():
    with pytest.raises(ImpossibleCaseError, match="simulate it"):
        enact(parse_case("replicated/L1@begin#1:B"))


def test_a_stopped_process_is_refused_when_the_servers_clock_has_ended_its_lease():
    case = parse_case("chain3/L1@s2.commit+s3.intent#1:STOP")
    world = enact(case, real_time=RealTime(lease_ms=300))
    history = world.recorder.history
    late = [one for one in history.of(StoreOperation) if one.life == 1 and one.refused]
    assert [one.refused for one in late] == ["STALE"]
    assert not any(one.changed for one in late)
    assert sorted(_effects(world)) == [("s1", False), ("s2", False), ("s3", False)]
    assert len(list(history.of(FaultFired))) == 1
    assert not judge_on_real_time(world, reference_of(case.plan))


def test_kills_from_outside_come_whenever_they_come():
    for delay_ms in (1, 20, 40, 60):
        kills_ms = (delay_ms, 50, 30)
        world = enact(Case("chain3"), real_time=RealTime(lease_ms=300, kills_ms=kills_ms))
        assert not judge_on_real_time(world, reference_of("chain3"))
        assert next(world.recorder.history.of(Settled)).status == "COMPLETED"
        assert sorted(_effects(world)) == [("s1", False), ("s2", False), ("s3", False)]


def test_a_worker_that_breaks_down_is_no_verdict_on_the_executor(monkeypatch):
    monkeypatch.setattr("chaos.worlds.process.main", _break_down)
    result = run_case(Case("chain1", world="process"))
    assert result.judgement is Judgement.HARNESS_ERROR
    assert "exit status 1" in result.note


def _break_down(channel, assignment):
    raise SystemExit(assignment.life)


def test_two_failovers_in_one_case_are_refused():
    case = parse_case(
        "chain3/L1@s1.tool#1:TB/L1@server#1:FAILOVER=1/L2@server#1:FAILOVER=1/policy=failover"
    )
    with pytest.raises(ServerError, match="at most one failover"):
        enact(case)
