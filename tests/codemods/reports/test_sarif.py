"""SARIF: valid, the same alert after a line has moved, and fixes that give the bytes after."""

import json
from pathlib import Path
from urllib.parse import unquote_to_bytes

import jsonschema
import pytest

from codemods.migration import Change, Outcome
from codemods.reports.replacements import decoded, encoding_of
from codemods.reports.sarif import FINGERPRINT, FIX_REPLACEMENTS, render
from codemods.verification import Proof

from .conftest import MIXED, TOOLS, large, made, row

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "reports" / "sarif-2.1.0.json").read_text("utf-8")
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def log(plan, proofs=(), *, written=False):
    text = render(plan, proofs, written=written)
    assert text.isascii()
    document = json.loads(text)
    assert list(VALIDATOR.iter_errors(document)) == []
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    return run


def applied(fix, plan):
    """Apply a fix by lines and columns, and by offsets; both must give the same."""
    after = {}
    changes = {change.shown: change for change in plan.changes}
    for item in fix["artifactChanges"]:
        shown = unquote_to_bytes(item["artifactLocation"]["uri"]).decode("utf-8", "surrogateescape")
        text = decoded(changes[shown].before, shown)
        for replacement in reversed(item["replacements"]):
            region = replacement["deletedRegion"]
            start = region["charOffset"]
            end = start + region["charLength"]
            for offset, line, column in (
                (start, region["startLine"], region["startColumn"]),
                (end, region["endLine"], region["endColumn"]),
            ):
                before = text[:offset].replace("\r\n", "\n").replace("\r", "\n").split("\n")
                assert (len(before), len(before[-1]) + 1) == (line, column)
            text = text[:start] + replacement["insertedContent"]["text"] + text[end:]
        after[shown] = text
    return after


def test_a_dry_run_has_what_is_left_and_what_would_be_rewritten(planned):
    plan, proofs = planned(MIXED)
    run = log(plan, proofs)
    assert len(run["results"]) == len(plan.rows)
    assert run["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]
    levels = {
        (item["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], item["level"])
        for item in run["results"]
    }
    assert {("left.py", "error"), ("broken.py", "error"), ("direct.py", "note")} <= levels
    assert ("tests/test_left.py", "warning") in levels
    prints = [item["partialFingerprints"][FINGERPRINT] for item in run["results"]]
    assert len(set(prints)) == len(prints)
    after = {}
    for result in run["results"]:
        for fix in result.get("fixes", ()):
            after |= applied(fix, plan)
    assert after == {item.shown: decoded(item.after, item.shown) for item in plan.changes}


def test_a_run_that_has_written_has_only_what_is_left(planned):
    plan, proofs = planned(MIXED)
    run = log(plan, proofs, written=True)
    assert len(run["results"]) == plan.count(Outcome.REPORTED)
    assert not any("fixes" in item for item in run["results"])


def test_no_result_is_a_report_too(planned):
    run = log(made())
    assert run["results"] == [] and len(run["tool"]["driver"]["rules"]) > 30
    texts = {item["id"]: item["help"]["text"] for item in run["tool"]["driver"]["rules"]}
    assert all("Why it is safe" in text for text in texts.values())


def test_an_alert_is_the_same_after_its_line_has_moved(planned):
    text = "from durable_execution import nothing\n"
    before, _ = planned({"a.py": text})
    after, _ = planned({"a.py": f"# one\n\n# two\n{text}"})
    first, second = log(before)["results"][0], log(after)["results"][0]
    assert first["partialFingerprints"] == second["partialFingerprints"]
    assert first["locations"] != second["locations"]


@pytest.mark.parametrize(
    "data",
    [
        TOOLS.encode().replace(b"\n", b"\r\n"),
        TOOLS.encode().replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + TOOLS.encode(),
        f"# coding: latin-1\nname = 'é'; {TOOLS}".encode("latin-1"),
        f"x = '\U0001f600'; {TOOLS}".encode(),
        TOOLS.rstrip().encode(),
        f"x = 1\n\x0c\n{TOOLS}".encode(),
    ],
)
def test_fixes_of_any_text(data, planned):
    plan, _ = planned({"a.py": data})
    (change,) = plan.changes
    run = log(plan)
    (fix,) = run["results"][0]["fixes"]
    after = applied(fix, plan)["a.py"]
    assert after == decoded(change.after, "a.py")
    assert run["artifacts"][0]["encoding"] == encoding_of(data, "a.py")


def test_changes_of_one_group_are_one_fix_and_a_large_one_is_given_once():
    rows = [row(f"{name}.py", 1, outcome=Outcome.REWRITTEN, rules=("CM001",)) for name in "abc"]
    changes = [
        Change(f"/{name}.py", f"{name}.py", b"old\n", b"new\n", ("CM001",), group)
        for name, group in (("a", 1), ("b", 1), ("c", 2))
    ]
    results = log(made(rows, changes))["results"]
    files = [
        [item["artifactLocation"]["uri"] for item in result["fixes"][0]["artifactChanges"]]
        for result in results
    ]
    assert files == [["a.py", "b.py"], ["a.py", "b.py"], ["c.py"]]
    plan = large(FIX_REPLACEMENTS * 4)
    assert sum("fixes" in item for item in log(plan)["results"]) == 1


def test_a_cell_has_no_line_of_the_file():
    plan = made([row("a.ipynb", 2, cell=3)])
    (result,) = log(plan)["results"]
    (place,) = result["locations"]
    assert "region" not in place["physicalLocation"]
    assert place["logicalLocations"] == [{"name": "cell 3", "kind": "cell"}]
    assert "cell 3, line 2" in result["message"]["text"]


def test_names_become_uris_and_faults_notifications():
    plan = made([row("\udcff ä%.py", 1)])
    run = log(plan, [Proof("\udcff ä%.py", "P1", "no"), Proof(".", "P5", "two\nfail")])
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "%FF%20%C3%A4%25.py"
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert [
        len(item.get("locations", ())) for item in invocation["toolExecutionNotifications"]
    ] == [1, 0]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("runs", 0, "results", 0, "fixes", 0, "artifactChanges"), []),
        (("runs", 0, "results", 0, "level"), "fatal"),
        (("runs", 0, "results", 0, "message"), {}),
        (("runs", 0, "results", 0, "extra"), 1),
        (("runs", 0, "columnKind"), "bytes"),
        (("version",), "2.0.0"),
    ],
)
def test_the_schema_refuses(place, value):
    change = Change("/a.py", "a.py", b"old\n", b"new\n", ("CM001",), 1)
    plan = made([row("a.py", 1, outcome=Outcome.REWRITTEN, rules=("CM001",))], [change])
    document = json.loads(render(plan, (), written=False))
    owner = document
    for key in place[:-1]:
        owner = owner[key]
    owner[place[-1]] = value
    assert list(VALIDATOR.iter_errors(document))
