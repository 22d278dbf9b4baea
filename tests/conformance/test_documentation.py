"""Sections, options, public names and examples: each can be the reason that the metric is missed."""

import griffe
import pytest

from conformance.evidence.documentation import public_names, run_example
from conformance.metrics.documentation import (
    SECTIONS,
    DocumentationEvidence,
    Example,
    ExampleResult,
    examples,
    judge,
    missing_options,
    missing_sections,
    sections,
)
from conformance.report import Verdict

README = """# Engine

## Execution flow
```mermaid
flowchart
# not a heading
```
## Checkpointing
Words.
## Saga compensation
Words.
## Yield and resume
Words.
## Configuration
`lease_ms`, `retention_s: int`
"""
RAN = ExampleResult(Example("README.md", 3, "x\n"), "ran")


def test_sections_end_at_the_next_heading_of_their_level_and_ignore_fences():
    found = {
        section.title: section for section in sections("# A\na\n## B\nb\n```\n# no\n```\n# C\n")
    }
    assert list(found) == ["A", "B", "C"]
    assert found["A"].body == "a\n## B\nb\n```\n# no\n```"
    assert found["B"].body == "b\n```\n# no\n```"
    assert (found["C"].body, found["C"].line) == ("", 8)


def test_all_sections_of_the_plan_are_found():
    assert missing_sections(README, list(SECTIONS)) == []


@pytest.mark.parametrize("name", list(SECTIONS))
def test_a_section_that_is_absent_or_empty_is_missing(name):
    kept = [each for each in README.split("\n## ") if not _has_words_of(each, name)]
    assert missing_sections("\n## ".join(kept), list(SECTIONS)) == [name]


def _has_words_of(chunk, name):
    return chunk.lower().startswith(name.split("-")[0].split()[0][:5])


def test_the_flow_needs_a_diagram_and_not_only_prose():
    text = README.replace("```mermaid\nflowchart\n# not a heading\n```", "First, then, last.")
    assert missing_sections(text, list(SECTIONS)) == ["execution flow diagram"]


def test_every_option_has_to_stand_in_its_section_as_code():
    assert missing_options(README, ("lease_ms", "retention_s")) == []
    assert missing_options(README, ("lease_ms", "jitter")) == ["jitter"]
    assert missing_options("# Other\n`jitter`\n", ("jitter",)) == ["jitter"]


def test_examples_are_python_blocks_with_their_lines_and_exemptions():
    text = (
        "```python\na = 1\n```\n<!-- no-run: needs a server -->\n\n```py\nb = 2\n```\n"
        "```bash\nrm\n```\n<!-- no-run: stale -->\nprose\n````python\nc = '''\n```\n'''\n````\n"
    )
    assert list(examples(text, "R.md")) == [
        Example("R.md", 1, "a = 1\n", ""),
        Example("R.md", 6, "b = 2\n", "needs a server"),
        Example("R.md", 14, "c = '''\n```\n'''\n", ""),
    ]


@pytest.mark.parametrize(
    ("code", "outcome", "message"),
    [
        ("assert 1 + 1 == 2\n", "ran", ""),
        ("import os\nassert os.listdir() == ['example.py']\n", "ran", ""),
        ("raise ValueError('no')\n", "failed", "ValueError: no"),
        ("raise SystemExit(3)\n", "failed", "no message"),
        ("import time\ntime.sleep(60)\n", "failed", "ran longer than 0 s"),
    ],
)
def test_an_example_runs_as_a_program_of_its_own(code, outcome, message):
    result = run_example(Example("R.md", 1, code), timeout_s=0 if "sleep" in code else 60)
    assert (result.outcome, result.message) == (outcome, message)


def test_an_exempt_example_does_not_run():
    assert run_example(Example("R.md", 1, "raise OSError", "why"), 60).outcome == "not run"


def _evidence(**changes):
    values = {
        "readme": "engine/README.md",
        "text": README,
        "sections": tuple(SECTIONS),
        "names": 3,
        "undocumented": (),
        "examples": (RAN,),
        "options": ("lease_ms",),
        **changes,
    }
    return DocumentationEvidence(**values)


@pytest.mark.parametrize(
    ("changes", "verdict", "reason"),
    [
        ({}, Verdict.MET, ""),
        ({"text": None}, Verdict.MISSED, "does not exist"),
        ({"text": "# Engine\n"}, Verdict.MISSED, "no section on saga compensation pattern"),
        ({"options": ("jitter",)}, Verdict.MISSED, "option not listed: jitter"),
        (
            {"undocumented": ("engine.x (line 3)",)},
            Verdict.MISSED,
            "undocumented: engine.x (line 3)",
        ),
        (
            {"examples": (RAN, ExampleResult(RAN.example, "failed", "boom"))},
            Verdict.MISSED,
            "README.md:3: boom",
        ),
        ({"names": 0}, Verdict.UNKNOWN, "no public name"),
        ({"examples": ()}, Verdict.UNKNOWN, "no example ran"),
        ({"examples": (ExampleResult(RAN.example, "not run"),)}, Verdict.UNKNOWN, "no example ran"),
    ],
)
def test_verdicts(changes, verdict, reason):
    finding = judge(_evidence(**changes))
    assert finding.verdict is verdict
    assert reason in finding.reason


SOURCE = '''"""Module."""
from typing import overload
from typing_extensions import override
import os

class Told:
    """Said."""

    def method(self):
        """Said."""

    def silent(self): ...

    @override
    def inherited(self): ...

    @overload
    def many(self): ...

    def _private(self): ...

def silent(): ...

def _private(): ...

CONSTANT = 3
'''


def test_public_names_without_words_are_found_with_their_lines(tmp_path):
    (tmp_path / "sample.py").write_text(SOURCE)
    found = dict(public_names(griffe.load("sample", search_paths=[tmp_path])))
    assert found == {
        "sample": True,
        "sample.Told": True,
        "sample.Told.method (line 9)": True,
        "sample.Told.silent (line 12)": False,
        "sample.silent (line 22)": False,
    }
