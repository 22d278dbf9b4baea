"""CodeTF: a state for each occurrence, with the diff of what is fixed, in the format's own terms."""

import json
from enum import StrEnum

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from codemods.migration import Change, Outcome
from codemods.occurrence import Kind, Status
from codemods.reports.codetf import render
from codemods.verification import Proof

from .conftest import MIXED, TOOLS, large, made, row


# What version 3 of the format asks for, in our own words.
class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class _Run(_Part):
    vendor: str
    tool: str
    version: str
    project_metadata: str | None = None
    elapsed: int | None = None
    input_metadata: dict | None = None
    analysis_metadata: dict | None = None


class _Rule(_Part):
    id: str
    name: str
    url: str | None = None


class _Finding(_Part):
    id: str
    rule: _Rule


class _State(StrEnum):
    FIXED = "fixed"
    SKIPPED = "skipped"
    FAILED = "failed"
    WONTFIX = "wontfix"


class _Status(_Part):
    status: _State = Field(strict=False)
    reason: str | None = None
    details: str | None = None


class _Changed(_Part):
    line_number: int = Field(ge=1)
    description: str | None = Field(min_length=1)
    diff_side: str = Field(pattern="^(?i:left|right)$")


class _ChangeSet(_Part):
    path: str
    diff: str
    changes: list[_Changed] = []


class _Generation(_Part):
    strategy: str = Field(pattern="^(ai|hybrid|deterministic)$")
    provisional: bool


class _Fix(_Part):
    id: str
    summary: str
    description: str
    references: list[dict] = []
    generation: _Generation


class _Result(_Part):
    finding: _Finding
    fix_status: _Status
    change_sets: list[_ChangeSet] = []
    fix_metadata: _Fix | None = None

    @model_validator(mode="after")
    def _fixed_is_shown(self):
        if self.fix_status.status is _State.FIXED and not (self.change_sets and self.fix_metadata):
            raise ValueError("what is fixed has changes and says by what")
        return self


class _CodeTF(_Part):
    run: _Run
    results: list[_Result]


def read(plan, proofs=(), *, written=False):
    text = render(plan, proofs, written=written)
    assert text.isascii()
    return _CodeTF.model_validate(json.loads(text))


def test_every_occurrence_has_a_state(planned):
    plan, proofs = planned(MIXED)
    document = read(plan, proofs)
    states = [item.fix_status.status for item in document.results]
    assert len(states) == len(plan.rows)
    assert states.count("fixed") == plan.count(Outcome.REWRITTEN)
    assert states.count("failed") == plan.unexamined > 0
    assert states.count("skipped") == plan.count(Outcome.REPORTED) - plan.unexamined > 0
    assert all(
        item.fix_status.reason for item in document.results if item.fix_status.status != "fixed"
    )
    fixed = [item for item in document.results if item.fix_status.status == "fixed"]
    assert all(item.fix_metadata.generation.provisional for item in fixed)
    assert read(plan, proofs, written=True).results[0].fix_metadata is not None
    diff = next(item.change_sets[0].diff for item in fixed if "direct" in item.change_sets[0].path)
    assert "--- a/direct.py\n+++ b/direct.py\n@@ -1,3 +1,3 @@\n" in diff
    assert "-from durable_execution import ToolExecutor\n+from engine import" in diff


def test_the_states_that_no_rule_gives():
    rows = [
        row("a.py", 1, outcome=Outcome.ALLOWED, reasons=("allowed until 2027-01-01: x",)),
        row("b.py", 1, outcome=Outcome.REWRITTEN, rules=("CM001",), reasons=()),
        row("c.py", 1, kind=Kind.UNREADABLE, status=Status.UNEXAMINED, reasons=("no access",)),
        row("d.py", 1, outcome=Outcome.REWRITTEN, rules=("CM001",), reasons=()),
    ]
    change = Change("/b.py", "b.py", b"old\n", b"new\n", ("CM001",), 1)
    document = read(made(rows, [change]), [Proof("b.py", "P1", "another tree")])
    found = [(item.fix_status.status, item.fix_status.reason) for item in document.results]
    assert found == [
        ("wontfix", "allowed until 2027-01-01: x"),
        ("failed", "P1 does not hold: another tree"),
        ("failed", "no access"),
        ("skipped", "it needs no change: where the name comes from keeps it"),
    ]


def test_a_use_through_a_facade_shows_the_change_of_the_facade(planned):
    plan, _ = planned({"compat.py": TOOLS, "user.py": "from compat import ToolExecutor\n"})
    users = [item for item in read(plan).results if "user.py" in item.fix_status.details]
    assert users and all(item.change_sets[0].path == "compat.py" for item in users)


def test_the_report_grows_with_the_plan_alone():
    small, big = (
        len(render(large(number, reason="r"), (), written=False)) for number in (100, 400)
    )
    assert big < 5 * small


@pytest.mark.parametrize(
    "result",
    [
        {
            "finding": {"id": "1", "rule": {"id": "a", "name": "b"}},
            "fixStatus": {"status": "fixed"},
        },
        {"finding": {"id": "1", "rule": {"id": "a", "name": "b"}}, "fixStatus": {"status": "lost"}},
        {"finding": {"id": "1"}, "fixStatus": {"status": "skipped"}},
    ],
)
def test_the_model_refuses(result):
    run = {"vendor": "a", "tool": "b", "version": "c"}
    _CodeTF.model_validate({"run": run, "results": []})
    with pytest.raises(ValidationError):
        _CodeTF.model_validate({"run": run, "results": [result]})
