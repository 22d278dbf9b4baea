"""CTRF: valid, no unexamined thing passes, ids that stay the same."""

import copy
import json
from pathlib import Path

import jsonschema
import pytest

from conformance.reporters.ctrf import render, to_document

from .conftest import report_of

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "reports" / "ctrf.json").read_text("utf-8")
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def _valid(document):
    assert list(VALIDATOR.iter_errors(document)) == []
    return document


def test_the_document_is_valid_and_its_counts_are_right(report):
    document = _valid(json.loads(render(report)))
    summary, tests = document["results"]["summary"], document["results"]["tests"]
    assert {name: summary[name] for name in ("tests", "passed", "failed", "skipped", "other")} == {
        "tests": 12,
        "passed": 2,
        "failed": 5,
        "skipped": 2,
        "other": 3,
    }
    assert len(tests) == 12
    assert (summary["start"], summary["stop"] - summary["start"]) == (1795946400000, 1500)


def test_the_own_status_is_kept(report):
    tests = {test["name"]: test for test in to_document(report)["results"]["tests"]}
    assert {name: (test["status"], test["rawStatus"]) for name, test in tests.items()} == {
        "workflow_machine is smaller": ("passed", "met"),
        "No increase in execution failures": ("failed", "missed"),
        "Documentation is complete": ("other", "unknown"),
        "fine": ("passed", "passed"),
        "accepted": ("skipped", "ledgered"),
        "broken": ("failed", "failed"),
        "noisy": ("failed", "nondeterministic"),
        "refused": ("other", "untestable"),
        "crashed": ("other", "harness_error"),
        "DIV-003: stale": ("failed", "ledger_fault"),
        "rollout": ("skipped", "failed"),
        "src/a b.py:3:6 DE002": ("failed", "failed"),
    }
    assert tests["accepted"]["labels"] == {"ledger": ["DIV-001"]}
    assert "replay:" in tests["broken"]["trace"]


def test_ids_are_unique_and_the_same_in_every_run(report):
    first = [test["id"] for test in to_document(report)["results"]["tests"]]
    later = report_of(items=tuple(reversed(report.items)), started_at="")
    second = [test["id"] for test in _valid(to_document(later))["results"]["tests"]]
    assert len(set(first)) == len(first)
    assert set(first) == set(second)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("reportFormat",), "JUnit"),
        (("results", "tests", 0, "status"), "ledgered"),
        (("results", "tests", 0, "id"), "1"),
        (("results", "tests", 0, "extra field"), 1),
        (("results", "summary", "other"), None),
        (("timestamp",), "today"),
    ],
)
def test_the_schema_refuses(report, path, value):
    document = copy.deepcopy(to_document(report))
    owner = document
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = value
    assert list(VALIDATOR.iter_errors(document))
