"""The console says what changes, what keeps its name, what is left and why, and the sum."""

from codemods.migration import Outcome
from codemods.report import Suppression
from codemods.reports.console import LINE_CHARACTERS, render
from codemods.verification import Proof

from .conftest import MIXED, made, row


def test_every_section(planned):
    plan, proofs = planned(MIXED)
    lines = render(plan, proofs, written=False).splitlines()
    head = next(line for line in lines if line.startswith("file"))
    assert head.split() == ["file", "rules", "P0", "P1", "P2"]
    direct = next(line for line in lines if line.startswith("would write direct.py"))
    assert direct.split()[-3:] == ["ok", "ok", "ok"] and "CM105" in direct
    bridged = lines.index("  bridged.py")
    assert lines[bridged - 1].startswith("Names that are kept") and lines[bridged + 1].strip()
    left = next(line for line in lines if line.startswith("Left to be changed by hand"))
    number = plan.count(Outcome.REPORTED)
    assert left.startswith(f"Left to be changed by hand: {number}, ")
    assert any(line.startswith("    left.py:1:") for line in lines)
    assert any("nothing is not in the mapping" in line for line in lines)
    assert any(line.startswith("  DE091  A file could not be parsed") for line in lines)
    assert "proofs that hold: P0 (2), P1 (2), P2 (2)" in lines
    total = f"{len(plan.rows)} occurrences = {plan.count(Outcome.REWRITTEN)} rewritten + "
    assert lines[-2] == f"{total}{number} reported + 0 allowed"
    assert lines[-1].endswith("files examined")
    assert render(plan, proofs, written=True).count("wrote direct.py") == 1


def test_an_occurrence_of_several_rules_is_listed_once():
    plan = made([row("a.py", 1, rules=("CM001", "CM101"))])
    assert render(plan, (), written=False).count("a.py:1:8") == 1


def test_a_proof_that_fails_is_seen(planned):
    plan, proofs = planned(MIXED)
    bad = (*proofs[:1], Proof("direct.py", "P1", "another tree"), Proof(".", "P5", "two fail"))
    text = render(plan, bad, written=False)
    assert "direct.py: P1 does not hold: another tree" in text
    assert ".: P5 does not hold: two fail" in text
    line = next(item for item in text.splitlines() if item.startswith("would write direct.py"))
    assert "FAILS" in line and "P1 (" not in text


def test_wide_lines_are_cut_and_allow_entries_are_named():
    entry = Suppression("x.py", "why", "2026-01-01", "expired on 2026-01-01")
    plan = made([row("a.py", 1, text="x" * 5_000, reasons=("y" * 5_000,))], suppressions=(entry,))
    text = render(plan, (), written=False)
    assert max(map(len, text.splitlines())) <= LINE_CHARACTERS
    assert "allow entry for x.py (why): expired on 2026-01-01" in text
    assert "a.py:1:8  import  xxx" in text
