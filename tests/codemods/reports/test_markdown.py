"""The Markdown report puts what blocks first, and stays one document whatever it is about."""

import re

from codemods.reports.account import Tally, account_line
from codemods.reports.markdown import MAX_BYTES, code, render
from codemods.verification import Proof

from .conftest import MIXED, large, made, row


def test_every_section_in_its_order(planned):
    plan, proofs = planned(MIXED)
    text = render(plan, proofs, written=False)
    titles = re.findall(r"^(?:## |<summary>)([A-Z][a-z]+)", text, re.MULTILINE)
    assert titles == ["Blocking", "Proofs", "Left", "Kept", "Files"]
    tally = Tally.of(plan.rows)
    assert text.splitlines()[2] == f"**{account_line(plan)}**"
    table = [line for line in text.splitlines() if re.match(r"\| (?:CM|DE)\d{3} \|", line)]
    assert len(table) > 3 and all(line.count("|") == 7 for line in table)
    counts = f"{tally.rewritten} | {tally.bridged} | {tally.left} | {tally.allowed}"
    assert f"| **all** | every occurrence once | {counts} |" in text
    blocking, _, rest = text.partition("## Proofs")
    assert "<code>left.py:1:6</code> CM001" in blocking
    assert "test&#95;left.py" in rest and "test&#95;left.py" not in blocking
    assert "| P0 | 2 | 0 |" in text


def test_a_fault_is_listed_below_the_proofs():
    plan = made([row("a.py", 1)])
    text = render(plan, [Proof("a.py", "P1", "no | yes"), Proof("b.py", "P1")], written=False)
    assert "| P1 | 1 | 1 |" in text and "no &#124; yes" in text


def test_nothing_in_code_is_markup():
    shown = code("a`b|c<d>&e\n*f*_g_[h](i)@j#1 http://k $l$")
    inner = shown.removeprefix("<code>").removesuffix("</code>")
    assert not set("`|<>*_[]@$\n") & set(re.sub(r"&#\d+;", "", inner))
    assert "://" not in inner


def test_the_limit_holds_for_what_needs_the_most_room():
    plan = large(6_000, reason="<&|`" * 2_000)
    proofs = [Proof(change.shown, "P0", "<" * 5_000) for change in plan.changes]
    text = render(plan, proofs, written=False)
    assert len(text.encode()) < MAX_BYTES
    number = re.search(r"- and (\d+) more findings", text)
    assert number and 0 < int(number[1]) < 3_000
