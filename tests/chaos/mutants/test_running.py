"""Without these a mutant could count as killed that was not run, or for what it was not seeded for."""

import json

import pytest

from chaos.mutants.catalogue import BY_NAME, QUICK
from chaos.mutants.running import KillMatrix, run_mutants
from chaos.mutants.trial import Kill, Search, Trial, read_trial


@pytest.mark.slow
def test_the_quick_ones_are_killed_and_the_harmless_one_is_not_flagged() -> None:
    told: list[str] = []
    matrix = run_mutants(
        QUICK, 2, jobs=2, random=False, told=lambda trial: told.append(trial.mutant)
    )
    assert matrix.failures() == ()
    assert sorted(told) == sorted(QUICK)
    assert [trial.mutant for trial in matrix.trials] == list(QUICK)
    assert len(matrix.killed()) == len(QUICK) - 1
    assert len(matrix.spared()) == 1


def killed(by: str) -> Search:
    return Search({"TA": Kill("chain2/L1@s1.tool#1:TA", 3, 0.1, (by,))}, cases=3, seconds=0.1)


@pytest.mark.parametrize(
    ("trial", "complaint"),
    [
        (Trial("fresh-key", killed("run-not-lost")), "not by effects-as-promised"),
        (Trial("fresh-key", Search(cases=9)), "survives 9 cases"),
        (Trial("fresh-key", note="it died"), "it died"),
        (Trial("fresh-key", Search(cases=1, errors=["c: no"])), "the harness failed: c: no"),
        (Trial("later-resume", killed("run-not-lost")), "harmless, and was flagged"),
        (Trial("later-resume"), "no case was run"),
    ],
)
def test_what_is_no_pass_is_said(trial: Trial, complaint: str) -> None:
    (said,) = KillMatrix((trial,)).failures()
    assert complaint in said


def test_a_kill_for_its_reason_passes() -> None:
    trial = Trial("fresh-key", killed("same-call-repeated"), killed("run-not-lost"))
    matrix = KillMatrix((trial,))
    assert matrix.failures() == ()
    assert matrix.killed() == ("fresh-key",)
    assert matrix.killed_at_random() == ()
    assert matrix.kinds() == ("TA",)


def test_a_trial_is_read_as_it_was_written() -> None:
    trial = Trial("fresh-key", killed("same-call-repeated"), note="n")
    assert read_trial(json.loads(json.dumps(trial.document()))) == trial


def test_an_unknown_mutant_is_refused() -> None:
    with pytest.raises(KeyError):
        run_mutants(["dream"], 1)
    assert "dream" not in BY_NAME
