"""Reports of several shards as one: the union of what they saw, judged as a whole. Pure.

What only a whole run can say is judged here and not before: which ledger entries are stale, which
explain more than their share, which normalisation rules touched nothing. The exit code follows
from the result. A shard without a report could not be examined, which is no pass.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import TypeVar

from conformance.comparator import Layer
from conformance.errors import UsageError
from conformance.ledger import Decision, Entry, FaultKind, Ledger, Use, judge_uses
from conformance.normalisation import stale_rules
from conformance.predicate import parse_predicate
from conformance.report_model import (
    LEDGER_GROUP,
    Codemod,
    Item,
    LedgerRow,
    LedgerSection,
    Metric,
    RunReport,
    Status,
)
from conformance.report_model_chaos import Chaos, CoverageCell
from conformance.report_model_diff import GROUP, NORMALISATION, fault_item, stale_rule_item
from conformance.report_model_failures import Rates

SHARDS = "shards"
_JUDGED = frozenset({Status.PASSED, Status.LEDGERED, Status.FAILED})
_Record = TypeVar("_Record")


def merge(named: Sequence[tuple[str, RunReport]]) -> RunReport:
    """Return one report of all; `named` are reports with the names of their files.

    Raises:
        UsageError: they are not of one kind, two say different things of one item, or their
            ledgers differ.
    """
    reports = [report for _, report in named]
    first = reports[0]
    _check_alike(named)
    missing = tuple(_missing(reports))
    complete = not missing and (_is_whole(reports) or any(each.complete for each in reports))
    items = _items(named)
    section = _ledger(named, items)
    rules = sum((Counter(report.rules) for report in reports), Counter[str]())
    if first.kind == "diff":
        items = (*_of_scenarios(items), *_judged(items, section, rules, complete=complete))
    facts = [fact for fact in first.facts if all(fact in report.facts for report in reports)]
    return first.model_copy(
        update={
            "source": " and ".join(_distinct(report.source for report in reports)),
            "command": first.command if len({each.command for each in reports}) == 1 else "",
            "complete": complete,
            "shard": None,
            "started_at": min((each.started_at for each in reports if each.started_at), default=""),
            "duration_ms": sum(report.duration_ms for report in reports),
            "metrics": _metrics(named),
            "items": (*items, *missing),
            "ledger": section,
            "rules": dict(rules),
            "facts": tuple(facts),
            "codemod": _codemod(reports),
            "chaos": _chaos(reports),
            "rates": _rates(named),
        }
    )


def _check_alike(named: Sequence[tuple[str, RunReport]]) -> None:
    name, first = named[0]
    for other, report in named[1:]:
        for field in ("kind", "subject", "profile", "executors", "product_version"):
            one, two = getattr(first, field), getattr(report, field)
            if one != two:
                raise UsageError(
                    f"cannot be merged with {name}: {field} is {two!r} and not {one!r}", place=other
                )


def _is_whole(reports: Sequence[RunReport]) -> bool:
    return all(report.shard is not None and report.shard.of_whole for report in reports)


def _missing(reports: Sequence[RunReport]) -> Iterator[Item]:
    """Return an item for each part whose report was not given."""
    shards = [report.shard for report in reports if report.shard is not None]
    for total in sorted({shard.total for shard in shards}):
        given = {shard.index for shard in shards if shard.total == total}
        for index in sorted(set(range(1, total + 1)) - given):
            yield Item(
                id=f"part {index} of {total}",
                group=SHARDS,
                status=Status.UNTESTABLE,
                kind="missing",
                message="its report is missing",
            )


def _items(named: Sequence[tuple[str, RunReport]]) -> tuple[Item, ...]:
    found: dict[tuple[str, str], tuple[str, Item]] = {}
    for name, report in named:
        for item in report.items:
            if item.group == SHARDS:
                continue  # of an earlier merge; what is missing is found anew
            other, known = found.setdefault(item.key, (name, item))
            if _timeless(known) != _timeless(item):
                raise UsageError(
                    f"{item.group}: {item.id} is {item.status} here and {known.status} in {other}"
                    if known.status is not item.status
                    else f"{item.group}: {item.id} is not the same in {other}",
                    place=name,
                )
    return tuple(item for _, item in found.values())


def _timeless(item: Item) -> Item:
    return item.model_copy(update={"duration_ms": None})


def _metrics(named: Sequence[tuple[str, RunReport]]) -> tuple[Metric, ...]:
    found: dict[str, tuple[str, Metric]] = {}
    for name, report in named:
        for metric in report.metrics:
            other, known = found.setdefault(metric.id, (name, metric))
            if known != metric:
                raise UsageError(f"metric {metric.id} is not the same in {other}", place=name)
    return tuple(metric for _, metric in found.values())


def _rates(named: Sequence[tuple[str, RunReport]]) -> Rates | None:
    found = [(name, report.rates) for name, report in named if report.rates is not None]
    for name, rates in found[1:]:
        if rates != found[0][1]:
            raise UsageError(f"the failure rates are not the same in {found[0][0]}", place=name)
    return found[0][1] if found else None


def _ledger(named: Sequence[tuple[str, RunReport]], items: Iterable[Item]) -> LedgerSection | None:
    sections = [(name, report.ledger) for name, report in named if report.ledger is not None]
    if not sections:
        return None
    name, first = sections[0]
    for other, section in sections[1:]:
        if _unused(section) != _unused(first):
            raise UsageError(f"was made with another ledger than {name}", place=other)
    used = Counter(entry for item in items for entry in item.entries)
    rows = tuple(row.model_copy(update={"used": used[row.id]}) for row in first.rows)
    return first.model_copy(update={"rows": rows})


def _unused(section: LedgerSection) -> list[LedgerRow]:
    return [row.model_copy(update={"used": 0, "line": 1}) for row in section.rows]


def _of_scenarios(items: Iterable[Item]) -> Iterator[Item]:
    """Return everything but what a part said about the whole."""
    for item in items:
        about_whole = item.group in {LEDGER_GROUP, NORMALISATION}
        if not about_whole or item.kind == FaultKind.RAISES.value:
            yield item


def _judged(
    items: Sequence[Item], section: LedgerSection | None, rules: Counter[str], *, complete: bool
) -> Iterator[Item]:
    """Return what the whole run says about the ledger and the normalisation rules."""
    scenarios = [item for item in items if item.group == GROUP]
    if section is not None:
        ledger = Ledger(tuple(_entry(row) for row in section.rows))
        uses = [
            Use(item.id, item.entries, judged=item.status in _JUDGED or bool(item.entries))
            for item in scenarios
        ]
        names = [item.id for item in scenarios]
        for fault in judge_uses(ledger, uses, corpus=names, complete=complete):
            yield fault_item(fault, section)
    if complete:
        yield from (stale_rule_item(rule) for rule in stale_rules(rules))


def _entry(row: LedgerRow) -> Entry:
    """Return a row as the ledger's entry.

    Raises:
        UsageError: a report that was changed by hand.
    """
    try:
        return _parsed(row)
    except ValueError as error:
        raise UsageError(f"ledger entry {row.id}: {error}") from None


def _parsed(row: LedgerRow) -> Entry:
    return Entry(
        id=row.id,
        title=row.title,
        layers=tuple(Layer(layer) for layer in row.layers),
        when=parse_predicate(row.when),
        legacy=row.legacy,
        unified=row.unified,
        reason=row.reason,
        decision=Decision(row.decision),
        owner=row.owner,
        since=date.fromisoformat(row.since),
        expires=date.fromisoformat(row.expires),
        example=row.example,
        max_share=row.max_share,
    )


def _codemod(reports: Sequence[RunReport]) -> Codemod | None:
    found = [report.codemod for report in reports if report.codemod is not None]
    if not found:
        return None
    return Codemod(
        written=all(each.written for each in found),
        files=sum(each.files for each in found),
        changes=tuple(change for each in found for change in each.changes),
        left_out=sum(each.left_out for each in found),
    )


def _chaos(reports: Sequence[RunReport]) -> Chaos | None:
    found = [report.chaos for report in reports if report.chaos is not None]
    if len(found) <= 1:
        return found[0] if found else None
    cells: dict[tuple[str, str], CoverageCell] = {}
    for cell in (cell for each in found for cell in each.coverage):
        known = cells.get((cell.site, cell.kind))
        cells[cell.site, cell.kind] = cell if known is None else _summed(known, cell)
    seeds = {each.seed for each in found}
    return Chaos(
        world=" and ".join(_distinct(each.world for each in found)),
        seed=seeds.pop() if len(seeds) == 1 else None,
        coverage=tuple(cells.values()),
        mutants=_distinct(mutant for each in found for mutant in each.mutants),
        kills=_distinct(cell for each in found for cell in each.kills),
        guarantees=_distinct(row for each in found for row in each.guarantees),
        legacy_side_by_side=_distinct(row for each in found for row in each.legacy_side_by_side),
    )


def _summed(one: CoverageCell, other: CoverageCell) -> CoverageCell:
    return CoverageCell(
        site=one.site,
        kind=one.kind,
        runs=one.runs + other.runs,
        fired=one.fired + other.fired,
        violations=one.violations + other.violations,
    )


def _distinct(records: Iterable[_Record]) -> tuple[_Record, ...]:
    return tuple(dict.fromkeys(record for record in records if record))
