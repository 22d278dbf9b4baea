"""Merging shards: nothing is lost, the ledger is judged once, contradictions are errors."""

from collections import Counter

import pytest

from conformance.errors import UsageError
from conformance.normalisation import RULES
from conformance.report import Verdict
from conformance.report_merge import merge
from conformance.report_model import (
    LEDGER_GROUP,
    Item,
    LedgerRow,
    LedgerSection,
    Metric,
    RunReport,
    Shard,
    Status,
)
from conformance.report_model_chaos import Chaos, CoverageCell
from conformance.report_model_failures import RateInterval, Rates

ROW = LedgerRow(
    id="DIV-001",
    title="t",
    layers=("L0",),
    when='legacy.end == "deadlock"',
    legacy="l",
    unified="u",
    reason="r",
    decision="fix",
    owner="o",
    since="2026-11-22",
    expires="2027-11-22",
    example="example.json",
    max_share=0.01,
)


def item(name, status=Status.PASSED, **fields):
    return Item(id=name, group="scenarios", status=status, **fields)


EXAMPLE = item("example", Status.LEDGERED, entries=("DIV-001",))


def part(index, *items, total=2, of_whole=True, **fields):
    given = {
        "kind": "diff",
        "product_version": "1",
        "subject": "legacy and unified",
        "executors": ("legacy", "unified"),
        "source": "the shipped corpus",
        "complete": False,
        "shard": Shard(index=index, total=total, of_whole=of_whole),
        "ledger": LedgerSection(path="ledger.toml", rows=(ROW,)),
        "rules": {rule.id: 1 for rule in RULES},
        "items": items,
    }
    return RunReport(**(given | fields))


def merged(*reports):
    return merge([(f"{number}.json", report) for number, report in enumerate(reports, start=1)])


def test_the_union_is_complete_and_its_use_of_the_ledger_is_counted():
    report = merged(part(1, item("a"), EXAMPLE), part(2, item("b")))
    assert [each.id for each in report.items] == ["a", "example", "b"]
    assert (report.complete, report.shard, report.exit_code) == (True, None, 0)
    assert report.ledger.rows[0].used == 1
    assert report.rules == {rule.id: 2 for rule in RULES}


def test_a_stale_entry_is_found_in_the_whole_and_not_in_a_part():
    parts = [part(1, item("a")), part(2, item("example"))]
    assert [each.exit_code for each in parts] == [0, 0]
    report = merged(*parts)
    (fault,) = [each for each in report.items if each.group == LEDGER_GROUP]
    assert (fault.kind, report.exit_code) == ("stale", 5)


def test_what_a_part_said_of_the_whole_is_judged_anew():
    said = Item(id="DIV-001: stale", group=LEDGER_GROUP, status=Status.LEDGER_FAULT, kind="stale")
    raises = said.model_copy(update={"id": "raises", "kind": "predicate raises"})
    assert merged(part(1, said), part(2, EXAMPLE)).exit_code == 0
    assert merged(part(1, raises), part(2, EXAMPLE)).exit_code == 5


def test_a_share_is_one_of_the_whole():
    many = [item(f"s{number}", Status.LEDGERED, entries=("DIV-001",)) for number in range(60)]
    report = merged(part(1, *many, EXAMPLE), part(2, *(item(f"p{number}") for number in range(60))))
    assert [each.kind for each in report.items if each.group == LEDGER_GROUP] == ["over its share"]


def test_a_missing_part_is_no_pass():
    report = merged(part(1, EXAMPLE, total=3), part(3, item("c"), total=3))
    assert (report.complete, report.exit_code) == (False, 4)
    assert report.items[-1].id == "part 2 of 3"
    again = merge([("merged.json", report), ("2.json", part(2, item("b"), total=3))])
    assert again.exit_code == 4  # the parts 1 and 3 stand in the merged report without a number


def test_parts_of_a_chosen_corpus_do_not_judge_staleness():
    report = merged(part(1, item("a"), of_whole=False), part(2, item("example"), of_whole=False))
    assert (report.complete, report.exit_code) == (False, 0)


def test_a_rule_that_touched_nothing_anywhere_is_stale():
    rules = {rule.id: 1 for rule in RULES[1:]}
    report = merged(part(1, EXAMPLE, rules=rules), part(2, rules=rules))
    assert [each.id for each in report.items if each.kind == "stale"] == [RULES[0].id]


def test_equal_duplicates_are_one_and_their_durations_do_not_matter():
    slow = EXAMPLE.model_copy(update={"duration_ms": 5.0})
    report = merged(part(1, EXAMPLE), part(2, slow))
    assert Counter(each.id for each in report.items) == {"example": 1}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (part(2, item("example", Status.FAILED)), "example is failed here and ledgered in 1.json"),
        (part(2, EXAMPLE.model_copy(update={"message": "m"})), "example is not the same in 1.json"),
        (part(2, subject="a and b"), "subject is 'a and b' and not 'legacy and unified'"),
        (part(2, product_version="2"), "product_version is '2' and not '1'"),
        (part(2, ledger=LedgerSection(path="other.toml")), "another ledger than 1.json"),
    ],
)
def test_reports_that_contradict_each_other_are_an_error(other, message):
    with pytest.raises(UsageError) as caught:
        merged(part(1, EXAMPLE), other)
    assert message in caught.value.message
    assert caught.value.place == "2.json"


@pytest.mark.parametrize("change", [{"when": "1 +"}, {"since": "now"}, {"layers": ("L9",)}])
def test_a_ledger_that_was_changed_by_hand_is_an_error(change):
    ledger = LedgerSection(path="ledger.toml", rows=(ROW.model_copy(update=change),))
    with pytest.raises(UsageError, match="ledger entry DIV-001: "):
        merged(part(1, EXAMPLE, ledger=ledger), part(2, ledger=ledger))


def _gate(*metrics):
    return part(1, kind="gate", metrics=metrics, shard=None, ledger=None)


def test_metrics_of_two_gates_are_joined_or_an_error():
    def metric(name, verdict):
        return Metric(id=name, title="t", verdict=verdict, figure="f")

    report = merged(_gate(metric("a", Verdict.MET)), _gate(metric("b", Verdict.MISSED)))
    assert ([each.id for each in report.metrics], report.exit_code) == (["a", "b"], 1)
    with pytest.raises(UsageError, match=r"metric a is not the same in 1\.json"):
        merged(_gate(metric("a", Verdict.MET)), _gate(metric("a", Verdict.MISSED)))


def test_the_coverage_of_two_campaigns_is_added():
    def campaign(index, fired):
        cell = CoverageCell(site="s", kind="A", runs=2, fired=fired)
        return part(index, EXAMPLE, chaos=Chaos(world="sim", seed=index, coverage=(cell,)))

    chaos = merged(campaign(1, 1), campaign(2, 2)).chaos
    assert (chaos.coverage[0].runs, chaos.coverage[0].fired, chaos.seed) == (4, 3, None)


def _rates(failures):
    intervals = [
        RateInterval(
            executor=name,
            source=name,
            executions=10,
            failures=failures,
            rate=failures / 10,
            low=0,
            high=1,
        )
        for name in ("legacy", "unified")
    ]
    return Rates(
        margin=0.01, confidence=0.95, difference=0, bound=1, p_increase=1, intervals=intervals
    )


def test_failure_rates_are_kept_whichever_part_has_them():
    parts = [("a", part(1)), ("b", part(2, rates=_rates(1)))]
    assert merge(parts).rates == merge(parts[::-1]).rates == _rates(1)
    with pytest.raises(UsageError, match="the failure rates are not the same in a"):
        merge([("a", part(1, rates=_rates(1))), ("b", part(2, rates=_rates(2)))])
