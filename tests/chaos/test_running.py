"""Without these a verdict could differ from process to process, or hide that the harness failed."""

import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import pytest

from chaos.case import Case, Judgement
from chaos.fault_id import parse_case
from chaos.history import Checkpoint, StoreOperation
from chaos.plans import find_plan
from chaos.running import replay, run_case, simulate
from engine import Durability

CASE = "chain3+comp/L1@s2.tool#1:TL=3/L2@claim#1:A'/L2@s1.undo#1:TA/retries=10"
_DIGEST = "import sys; from chaos.running import replay; print(replay(sys.argv[1])[0].digest)"


def test_a_case_has_the_same_history_in_a_fresh_process():
    expected = replay(CASE)[0]
    assert expected.judgement is Judgement.HELD
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", _DIGEST, CASE],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == expected.digest


def test_cases_are_sent_to_other_processes_and_come_back_as_verdicts():
    cases = [parse_case(CASE), Case("chain1"), parse_case("chain1/L1@begin#1:Z")]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        results = list(pool.map(run_case, cases))
    assert [result.case for result in results] == cases
    assert [replace(one, seconds=0.0) for one in results] == [
        replace(run_case(case), seconds=0.0) for case in cases
    ]


def test_a_fault_that_does_not_happen_is_no_success():
    assert run_case(parse_case("chain1/L3@begin#1:A")).judgement is Judgement.NOT_FIRED


@pytest.mark.parametrize("case", ["no-such-plan", "chain1/L1@server#1:CUT=1", "chain1/schedule=x"])
def test_what_cannot_be_run_is_said_to_be_the_harness_s_fault(case):
    result = run_case(parse_case(case))
    assert result.judgement is Judgement.HARNESS_ERROR and result.note


def test_a_script_that_the_server_has_forgotten_is_sent_as_its_text():
    _, history = replay("chain1/L1@begin#1:E'noscript")
    sent = [(one.nth, one.applied) for one in history.of(StoreOperation) if one.site == "begin"]
    assert sent == [(1, False), (2, True)]


@pytest.mark.parametrize("kind", ["RESTART", "DROP"])
def test_a_client_that_repeats_does_not_notice_a_restart(kind):
    result, history = replay(f"chain2/L1@begin#1:{kind}/retries=10")
    assert result.judgement is Judgement.HELD
    assert {life for life, *_ in result.sites} == {1}
    assert [one for one in history.of(StoreOperation) if not one.applied]


def test_a_loss_stops_at_what_a_replica_has():
    plan = find_plan("at-most-once")
    waiting = plan.settings.model_copy(update={"durability": Durability.REPLICATED})
    case = parse_case("at-most-once/L1@s2.tool#1:TB/L1@server#1:CUT=9/policy=everysec")
    lossy = simulate(case).recorder.history
    kept = simulate(case, plan=replace(plan, settings=waiting)).recorder.history
    assert min(one.version for one in lossy.of(Checkpoint)) == 0
    assert min(one.version for one in kept.of(Checkpoint)) == 1
