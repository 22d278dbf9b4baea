"""The JSON report is what its published schema says, and says everything."""

import json

import jsonschema
import pytest

from codemods.migration import Outcome
from codemods.report import Suppression
from codemods.reports.document import render
from codemods.verification import Proof
from conformance.schemas import schema

from .conftest import MIXED, made, row

VALIDATOR = jsonschema.Draft202012Validator(schema("codemod"))


def test_a_real_plan_is_accepted(planned):
    plan, proofs = planned(MIXED)
    document = json.loads(render(plan, proofs, written=False))
    assert list(VALIDATOR.iter_errors(document)) == []
    accounting = document["accounting"]
    assert accounting.pop("before") == len(plan.rows) == sum(accounting.values())
    assert document["files"]["changed"] == [item["path"] for item in document["changes"]]
    bridged = [item for item in document["occurrences"] if item["bridged"]]
    assert len(bridged) == document["bridged"] and all(item["notes"] for item in bridged)
    assert document["blocking"] == sum(item["blocking"] for item in document["occurrences"])
    assert len({item["fingerprint"] for item in document["occurrences"]}) == len(plan.rows)
    assert document["levels"] == ["P0", "P1", "P2"]


def test_names_that_are_not_unicode_survive():
    entry = Suppression("x\udcff", "why", "2026-01-01", "matches no occurrence")
    plan = made([row("\udcff.py", 1)], suppressions=(entry,))
    text = render(plan, [Proof("\udcff.py", "P0", "no")], written=False)
    assert text.isascii()
    document = json.loads(text)
    assert document["occurrences"][0]["path"] == "\udcff.py"
    assert list(VALIDATOR.iter_errors(document)) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("schema_version",), "codemod/v2"),
        (("accounting", "rewritten"), -1),
        (("occurrences", 0, "outcome"), "lost"),
        (("occurrences", 0, "line"), 0),
        (("occurrences", 0, "fingerprint"), "x"),
        (("files", "changed"), None),
        (("verification", 0, "fault"), None),
    ],
)
def test_a_broken_report_is_refused(place, value):
    plan = made([row("a.py", 1, outcome=Outcome.REPORTED)])
    document = json.loads(render(plan, [Proof("a.py", "P0")], written=False))
    assert list(VALIDATOR.iter_errors(document)) == []
    owner = document
    for key in place[:-1]:
        owner = owner[key]
    owner[place[-1]] = value
    assert list(VALIDATOR.iter_errors(document))
