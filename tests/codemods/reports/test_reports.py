"""Without these a report could differ from run to run, fail on a file's name, or grow past its limits."""

import json
import random
import re
import subprocess

import pytest

from codemods.migration import Change, Outcome
from codemods.reports import RENDERERS
from codemods.reports.account import Tally, account_line, by_rule, fingerprints, is_blocking
from codemods.reports.markdown import MAX_BYTES
from codemods.verification import Proof
from codemods.writing import patch_of

from .conftest import MIXED, TOOLS, large, made, row


@pytest.fixture
def mixed(planned):
    return planned(MIXED)


def test_a_report_is_the_same_every_time(mixed, planned):
    plan, proofs = mixed
    again, again_proofs = planned(MIXED)
    for render in RENDERERS.values():
        for written in (False, True):
            first = render(plan, proofs, written=written)
            assert render(again, again_proofs, written=written) == first
            assert first.endswith("\n") and "\r" not in first


@pytest.mark.parametrize("name", RENDERERS)
def test_an_empty_plan_has_a_report(name):
    text = RENDERERS[name](made(), (), written=False)
    assert text.endswith("\n")
    if name not in {"json", "sarif", "codetf"}:
        assert "0 occurrences = 0 rewritten + 0 reported + 0 allowed" in text


HOSTILE = [
    "\udcff.py",
    "a\nb.py",
    "\x1b[31mred.py",
    "pipe|`code`<b>&amp;@me.py",
    "\u202egnp.py",
    "[x](http://y).py",
    " lead.py",
    "a%20b#c?d.py",
]


def test_names_that_are_no_names(planned):
    files = dict.fromkeys(HOSTILE, TOOLS)
    files |= {f"b/{path}": "from durable_execution import nothing\n" for path in HOSTILE}
    plan, proofs = planned(files)
    counts = (plan.count(Outcome.REWRITTEN), plan.count(Outcome.REPORTED))
    assert counts == (len(HOSTILE), len(HOSTILE))
    faults = [Proof(path, "P3", f"{path}:1 is wrong") for path in HOSTILE]
    for name, render in RENDERERS.items():
        text = render(plan, (*proofs, *faults), written=False)
        text.encode("utf-8")
        assert "\x1b" not in text and "\u202e" not in text
        if name in {"json", "sarif", "codetf"}:
            json.loads(text)
        else:
            assert all(len(line) < 700 for line in text.splitlines())
        if name == "markdown":
            assert not {"<b>", "@me", "](http", "`code`"} & set(
                re.findall(r"<b>|@me|\]\(http|`code`", text)
            )


@pytest.mark.parametrize("name", RENDERERS)
def test_a_plan_of_five_thousand_rows(name):
    plan = large()
    proofs = [Proof(change.shown, "P0", "f" * 2_000) for change in plan.changes]
    text = RENDERERS[name](plan, proofs, written=False)
    size = len(text.encode())
    assert size < {"markdown": MAX_BYTES, "console": 1 << 24}.get(name, 1 << 26)
    if name == "markdown":
        assert " more findings, which the JSON report has" in text
        assert text.count("<details>") == text.count("</details>")


def test_the_account_and_its_groups_are_right(mixed):
    plan, _ = mixed
    tally = Tally.of(plan.rows)
    assert tally.rewritten + tally.left + tally.allowed == len(plan.rows)
    assert 0 < tally.bridged < tally.rewritten
    assert account_line(plan) == (
        f"{len(plan.rows)} occurrences = {tally.rewritten} rewritten + {tally.left} reported"
        f" + {tally.allowed} allowed"
    )
    assert {id(item) for rows in by_rule(plan.rows).values() for item in rows} == {
        id(item) for item in plan.rows
    }
    blocking = {item.occurrence.path for item in plan.rows if is_blocking(item)}
    assert "left.py" in blocking and "broken.py" in blocking
    assert "tests/test_left.py" not in blocking


def test_fingerprints_survive_moves_and_tell_rows_apart():
    rows = [row("a.py", 3), row("a.py", 9), row("a.py", 9, text="x"), row("b.py", 3)]
    first = fingerprints(rows)
    assert len(set(first)) == len(rows)
    moved = [row("a.py", 30), row("a.py", 90, text="import  durable_execution")]
    assert fingerprints(moved) == first[:2]
    mixed = [row("a.py", 1, outcome=Outcome.REWRITTEN), *rows]
    assert fingerprints(mixed)[1:] == first
    assert len({*fingerprints(mixed)}) == len(mixed)


def test_the_patch_of_a_plan_applies_with_git(planned, project, tmp_path):
    plan, _ = planned(MIXED)
    folder = project({})
    git = ["git", "-c", "core.autocrlf=false"]
    subprocess.run([*git, "init", "-q"], cwd=folder, check=True, capture_output=True)
    patch = tmp_path / "x.patch"
    patch.write_bytes(patch_of(plan.changes))
    subprocess.run([*git, "apply", str(patch)], cwd=folder, check=True, capture_output=True)
    for change in plan.changes:
        assert (folder / change.shown).read_bytes() == change.after


@pytest.mark.parametrize("seed", range(30))
def test_replacements_and_hunks_give_the_text_after(seed):
    from codemods.reports.replacements import decoded, hunks, replacements

    chance = random.Random(seed)
    ends = ["\n", "\r\n", "\r"]
    lines = [f"{chance.choice('abcé')}{chance.choice(ends)}" for _ in range(chance.randrange(30))]
    other = [line for line in lines if chance.random() < 0.8]
    for _ in range(3):
        other.insert(chance.randrange(len(other) + 1), chance.choice(["new\n", "a\r\n", "é"]))
    before, after = "".join(lines).encode(), "".join(other).encode()
    change = Change("/a.txt", "a.txt", before, after, (), 0)
    text = decoded(before, "a.txt")
    for item in reversed(replacements(change)):
        assert text[item.start : item.end] == item.old
        text = text[: item.start] + item.new + text[item.end :]
    assert text.encode() == after
    assert hunks(change) or before == after
