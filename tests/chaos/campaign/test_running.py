"""Without these an interrupted campaign could begin anew, lose what it found, or differ from run to run."""

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace

import pytest

from chaos.campaign.journal import Journal
from chaos.campaign.planning import batches, closure_unit
from chaos.campaign.running import Campaign, Head
from chaos.campaign.unit import Reach
from chaos.explore.singles import singles

HEAD = Head("test", seed=0, jobs=2, version="0", identity="x", command="planproof chaos")


class Inline(Executor):
    """Runs what it is given at once, and fails when it has done enough."""

    def __init__(self, enough=1_000):
        self.left = enough
        self.done = 0

    def submit(self, function, /, *arguments, **options):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.done += 1
        future = Future()
        future.set_result(function(*arguments, **options))
        return future


def units():
    return [*batches("singles", singles("chain1"), 18), closure_unit("chain1", Reach.CRASHES)]


def shown(result):
    return result.model_dump(exclude={"wall_s", "cpu_s", "parts", "continued"})


def test_a_campaign_is_the_same_on_any_executor():
    one = Campaign(units(), HEAD).run(Inline())
    with ThreadPoolExecutor(1) as pool:
        other = Campaign(units(), HEAD).run(pool)
    assert shown(one) == shown(other)
    assert one.complete
    assert not one.failures
    assert one.cases > len(list(singles("chain1")))
    assert one.replayed
    assert one.points == {"chain1": 3}
    assert [closure.complete for closure in one.closures] == [True]


def test_an_interrupted_campaign_goes_on_where_it_stood(tmp_path):
    whole = Campaign(units(), HEAD).run(Inline())
    executor = Inline(enough=3)
    with Journal(tmp_path, "test", "x") as journal, pytest.raises(KeyboardInterrupt):
        Campaign(units(), replace(HEAD, jobs=1)).run(executor, journal)
    with (tmp_path / "test.journal.jsonl").open("a") as file:
        file.write('{"unit": "sing')  # the machine went down
    done = len(Journal(tmp_path, "test", "x").done)
    assert 0 < done < len(units())
    executor = Inline()
    with Journal(tmp_path, "test", "x") as journal:
        result = Campaign(units(), HEAD).run(executor, journal)
    assert executor.done == len(units()) - done
    assert result.continued == done
    assert shown(result) == shown(whole)
    assert len(Journal(tmp_path, "test", "x").done) == len(units())


def test_a_journal_of_other_sources_is_not_gone_on_with(tmp_path):
    with Journal(tmp_path, "test", "x") as journal:
        Campaign(units()[:1], HEAD).run(Inline(), journal)
    assert not Journal(tmp_path, "test", "y").done
    journal = Journal(tmp_path, "test", "x")
    assert journal.done
    journal.forget()
    assert not Journal(tmp_path, "test", "x").done


def test_what_time_was_too_short_for_is_said():
    first, *rest = units()
    optional = [replace(unit, required=False, part="more") for unit in rest]
    result = Campaign([first, *optional], HEAD, budget_s=-1).run(Inline())
    assert [(part.name, part.done, part.units) for part in result.parts] == [
        ("singles", 1, 1),
        ("more", 0, len(rest)),
    ]
    assert not result.complete
    strict = Campaign(units(), HEAD, budget_s=-1, strict=True).run(Inline())
    assert [part.done for part in strict.parts] == [0, 0]


def test_progress_is_told_with_an_estimate():
    told = []
    Campaign(units(), HEAD, told=told.append).run(Inline())
    assert [one.done for one in told] == list(range(1, len(units()) + 1))
    assert told[0].left_s > told[-1].left_s == 0
