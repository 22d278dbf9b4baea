"""Without these the guarantee table could show what was never measured, or hide what was."""

from chaos.case import Case, StorePolicy
from chaos.fault_id import parse_case
from chaos.guarantees import Cell, GuaranteeTable, Measurement, measure
from chaos.oracle.promises import Disturbance, promised
from chaos.plans import find_plan
from chaos.running import simulate
from engine import EffectSemantics

UNKEYED, ONCE = EffectSemantics.UNKEYED, EffectSemantics.AT_MOST_ONCE


def measured(case: str) -> list[Measurement]:
    parsed = parse_case(case)
    reference = simulate(Case(parsed.plan)).recorder.history
    return list(measure(simulate(parsed).recorder.history, find_plan(parsed.plan), reference))


def test_a_crash_after_the_effect_shows_two_effects_of_an_unkeyed_tool() -> None:
    first, second = measured("unkeyed/L1@s1.tool#1:TA")
    assert (first.effects, first.disturbance, first.count) == (UNKEYED, Disturbance.AFTER_EFFECT, 2)
    assert (second.disturbance, second.count) == (Disturbance.ELSEWHERE, 1)


def test_a_doubt_is_measured_as_one() -> None:
    found = measured("at-most-once/L1@s2.tool#1:TA")[-1]
    assert (found.effects, found.in_doubt, found.count) == (ONCE, True, 1)


def test_a_table_shows_each_cell_and_those_that_are_empty() -> None:
    table = GuaranteeTable()
    reference = simulate(Case("unkeyed")).recorder.history
    table.add(reference, find_plan("unkeyed"), reference, StorePolicy.ALWAYS)
    rows = {row: cell for row, _, cell in table.rows()}
    assert rows[UNKEYED, Disturbance.NONE, StorePolicy.ALWAYS] == Cell(2, 1, 1)
    assert rows[ONCE, Disturbance.NONE, StorePolicy.ALWAYS] == Cell()
    assert table.broken() == ()
    assert len(table.document()) == len(rows)


def test_a_broken_promise_is_found() -> None:
    promise = promised(EffectSemantics.KEYED, Disturbance.AFTER_EFFECT)
    assert promise is not None
    table = GuaranteeTable()
    row = (EffectSemantics.KEYED, Disturbance.AFTER_EFFECT, StorePolicy.ALWAYS)
    table.cells[row] = Cell(steps=5, least=1, most=2)
    assert table.broken() == (row,)
    assert not Cell().keeps(promise)
