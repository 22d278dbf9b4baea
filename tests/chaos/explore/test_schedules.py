"""Without these two workers with one message could meet in one order only."""

from collections import Counter

from chaos.case import Judgement
from chaos.explore.schedules import meetings, sampled_schedules, schedules
from chaos.fault_id import format_case, parse_case
from chaos.running import run_case

SCHEDULES_OF_CHAIN1 = 50


def test_every_order_of_two_workers_holds():
    cases = list(schedules("chain1"))
    assert len(cases) == SCHEDULES_OF_CHAIN1
    results = [run_case(case) for case in cases]
    assert Counter(result.judgement for result in results) == {Judgement.HELD: len(cases)}
    assert len({result.digest for result in results}) > len(list(meetings("chain1"))) * 3


def test_samples_are_replayed_by_their_seed():
    for case in sampled_schedules("chain1", seeds=[0]):
        assert parse_case(format_case(case)) == case
        assert run_case(case, replays=1).judgement is Judgement.HELD
