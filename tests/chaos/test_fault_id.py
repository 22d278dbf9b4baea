"""Without these a printed replay command could run another case than the one that failed."""

import pytest

from chaos.case import Case, FaultPoint, StorePolicy
from chaos.fault_id import FaultIdError, format_case, parse_case
from chaos.fault_kinds import BY_KIND, CATALOGUE, FaultKind

POINTS = tuple(
    FaultPoint(life, "s1.commit+s2.intent", 2, kind, None if life % 2 else 3)
    for life, kind in enumerate(FaultKind, start=1)
)


@pytest.mark.parametrize(
    "case",
    [
        Case("chain3"),
        Case("chain3+comp", POINTS),
        Case("d", POINTS[:1], 10, StorePolicy.EVERYSEC, "legacy", "process"),
    ],
)
def test_an_id_names_its_case_and_no_other(case: Case) -> None:
    assert parse_case(format_case(case)) == case


def test_an_id_is_readable() -> None:
    point = FaultPoint(1, "s1.commit", 1, FaultKind.KILLED_AFTER)
    assert format_case(Case("chain3+comp", (point,), 10)) == (
        "chain3+comp/L1@s1.commit#1:A/retries=10"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no plan"),
        ("chain3/L1@s1.commit:A", "is no fault"),
        ("chain3/L1@s1.commit#0:A", "is no fault"),
        ("chain3/L1@s1.commit#1:Q", "no kind 'Q'"),
        ("chain3/policy=never", "never"),
        ("chain3/retries=x", "x"),
    ],
)
def test_a_wrong_id_is_told_where_and_how(text: str, said: str) -> None:
    with pytest.raises(FaultIdError, match=said):
        parse_case(text)


def test_the_catalogue_lists_every_kind_once() -> None:
    assert sorted(BY_KIND) == sorted(FaultKind)
    assert len(CATALOGUE) == len(FaultKind)
    assert all(fault.available("sim") or fault.available("process") for fault in CATALOGUE)
