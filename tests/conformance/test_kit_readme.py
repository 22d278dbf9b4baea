"""The kit's README says what is so: its counts, its commands, its table of results."""

import re
import shlex
from pathlib import Path

import pytest

from conformance.cli import run
from conformance.kit.certification import Verdict, certify
from conformance.kit.requirements import Level, read_requirements
from conformance.subject import find_subject

ROOT = Path(__file__).parents[2]
README = (ROOT / "conformance/kit/README.md").read_text("utf-8")
REQUIREMENTS = read_requirements()
COMMANDS = re.findall(r"^    planproof (certify (?!--command).*)$", README, re.MULTILINE)


def test_the_levels_are_counted():
    for level in Level:
        count = sum(clause.level is level for clause in REQUIREMENTS.clauses)
        assert f"| {level} | {level.about} | {count} |" in README


@pytest.mark.parametrize("command", COMMANDS)
def test_its_commands_run(command):
    assert run(shlex.split(command)) == 0


def test_there_are_commands():
    assert len(COMMANDS) == 2
    assert "conformance/kit/examples/executor.mjs" in README


@pytest.mark.parametrize(
    "name", ["exemplar", "unified", "legacy", pytest.param("docket", marks=pytest.mark.slow)]
)
def test_the_results_are_those_that_are_found(name):
    certificate = certify(name, find_subject(name), REQUIREMENTS)
    cells = [name, str(certificate.level or "none")]
    for level in Level:
        here = [result for result in certificate.results if result.clause.level is level]
        passed = sum(result.verdict is Verdict.PASSED for result in here)
        is_declared = level in certificate.declared
        cells.append(f"{passed}/{len(here)}" if is_declared else "not declared")
    assert f"| {' | '.join(cells)} |" in README
