"""Without these a file whose proof fails could be written, or be missing from the account."""

import pytest

from codemods.migration import Change, Migration, Outcome, Row
from codemods.migration_outcome import WHOLE, drop_groups, faults_of
from codemods.occurrence import Kind, Occurrence, Scope, Status
from codemods.report import ScanReport
from codemods.verification import Proof

REPORT = ScanReport("/r", ("durable_execution",), 5, 5, 5, {}, 5, 0, {}, ())


def row(path, reason="", outcome=Outcome.REWRITTEN):
    item = Occurrence(
        path=path,
        line=1,
        column=1,
        end_column=2,
        kind=Kind.FROM_IMPORT,
        scope=Scope.PRODUCTION,
        status=Status.USE,
        text="",
        target="",
        rule_id="DE002",
        reason=reason,
        needle="durable_execution",
    )
    return Row(item, outcome, ("CM001",), notes=("bridged",))


def plan():
    groups = {"a.py": 0, "b.py": 1, "c.py": 1, "d.py": 2}
    changes = tuple(Change(f"/r/{name}", name, b"x", b"y", (), g) for name, g in groups.items())
    rows = (
        *(row(name) for name in groups),
        row("a.py", outcome=Outcome.ALLOWED),
        row("user.py", "handed on by c.py"),
        row("user/of.py", "handed on by user.py"),
        row("other.py", "handed on by d.py"),
    )
    return Migration(REPORT, rows, changes)


def outcomes(found):
    return [(item.occurrence.path, item.outcome.value, item.reasons) for item in found.rows]


def test_a_group_is_dropped_with_all_that_takes_from_it() -> None:
    found = drop_groups(plan(), {"b.py": "P0 does not hold: x"})
    assert [change.shown for change in found.changes] == ["a.py", "d.py"]
    reported = {
        path: reasons for path, outcome, reasons in outcomes(found) if outcome == "reported"
    }
    assert reported == {
        "b.py": ("P0 does not hold: x",),
        "c.py": ("not without b.py: P0 does not hold: x",),
        "user.py": ("handed on by c.py, which is reported",),
        "user/of.py": ("handed on by user.py, which is reported",),
    }
    assert len(found.rows) == len(plan().rows)
    assert sum(found.residue().values()) == 5
    assert all(not item.notes for item in found.rows if item.outcome is Outcome.REPORTED)


@pytest.mark.parametrize("faults", [{}, {"absent.py": "x"}, {"user.py": "x"}])
def test_a_fault_of_no_changed_file_drops_nothing(faults) -> None:
    assert drop_groups(plan(), faults) == plan()


def test_a_fault_of_the_whole_drops_everything() -> None:
    found = drop_groups(plan(), {WHOLE: "the tests fail"})
    assert not found.changes and found.count(Outcome.REWRITTEN) == 0
    assert found.count(Outcome.ALLOWED) == 1


def test_modules_that_take_from_each_other_come_to_an_end() -> None:
    rows = (row("a.py"), row("b.py", "handed on by c.py"), row("c.py", "handed on by b.py"))
    whole = Migration(REPORT, (*rows, row("b.py", "handed on by a.py")), plan().changes[:1])
    assert drop_groups(whole, {"a.py": "x"}).count(Outcome.REPORTED) == 4


def test_the_first_fault_of_a_file_is_told() -> None:
    proofs = [Proof("a", "P0"), Proof("a", "P1", "one"), Proof("a", "P2", "two"), Proof("b", "P0")]
    assert faults_of(proofs) == {"a": "P1 does not hold: one"}
