"""Executors that are not ours: what the kit, and its README, say of them must be what they do."""

import importlib.util
import sqlite3
from pathlib import Path

import pytest

from conformance.errors import HarnessError
from conformance.kit.certification import Verdict, examine
from conformance.kit.requirements import Level, read_requirements
from conformance.subject import find_subject
from conformance.subjects.programs import DBOS, PackagedProgram

REQUIREMENTS = read_requirements()
README = (Path(__file__).parents[2] / "conformance/kit/README.md").read_text("utf-8")
NOT_KEPT = {
    ("dbos", Level.C0): {},
    ("dbos", Level.C1): {},
    ("dbos", Level.C2): {},
    ("dbos", Level.C3): {
        "keeps-to-the-allowed-tools": "not-refused",
        "refuses-another-plan": "not-refused",
    },
    ("dbos", Level.C4): {"resume-beside-a-living-owner": "called-twice"},
    ("langgraph", Level.C0): {},
    ("langgraph", Level.C1): {},
    ("langgraph", Level.C2): {},
    ("langgraph", Level.C3): {
        "keeps-to-the-allowed-tools": "not-refused",
        "refuses-another-plan": "not-refused",
    },
    ("langgraph", Level.C4): {
        "two-resume-at-once": "called-twice",
        "resume-beside-a-living-owner": "called-twice",
        "two-start-at-once": "called-twice",
        "a-late-owner-does-nothing": "late-call",
    },
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "level"), NOT_KEPT, ids=str)
def test_a_foreign_executor_is_found_as_it_is(name, level):
    clauses = [clause for clause in REQUIREMENTS.clauses if clause.level is level]
    if name == "dbos" and sqlite3.sqlite_version_info < DBOS.sqlite:
        pytest.skip(f"DBOS and this Python need SQLite {DBOS.sqlite}")
    found = {}
    for clause in clauses:
        verdict, reasons = examine(clause, find_subject(name), silence_s=120)
        assert verdict in {Verdict.PASSED, Verdict.FAILED}, (clause.id, reasons)
        if verdict is Verdict.FAILED:
            found[clause.id] = reasons[0].code
    assert found == NOT_KEPT[name, level]
    row = next(line for line in README.splitlines() if line.startswith(f"| {name} ("))
    cell = row.split(" | ")[2 + list(Level).index(level)].removesuffix(" *")
    assert cell == f"{len(clauses) - len(found)}/{len(clauses)}"


@pytest.mark.parametrize("name", ["dbos", "langgraph"])
def test_the_development_extra_brings_the_packages(name):
    assert importlib.util.find_spec(name) is not None


def test_a_package_that_is_missing_is_named_with_its_extra():
    with pytest.raises(HarnessError, match="no_such_package is not installed") as caught:
        PackagedProgram("dbos", "no_such_package")(None)
    assert "planproof[dbos]" in caught.value.line()


def test_a_sqlite_that_is_too_old_is_named_before_anything_runs():
    with pytest.raises(HarnessError, match=r"dbos needs SQLite 99\.1 under this Python") as caught:
        PackagedProgram("dbos", "dbos", sqlite=(99, 1))(None)
    assert "newer SQLite" in caught.value.line()
