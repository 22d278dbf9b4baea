"""Every id that a report can name is explained, and the examples are true."""

import pytest

from codemods.mapping import shipped
from codemods.migration_plan import plan_migration
from codemods.occurrence import RULES as FORMS
from codemods.occurrence import Kind
from codemods.reports.explanations import explanations, title_of
from codemods.rules import RULES
from codemods.rules.text_rules import TEXT_RULES
from conformance.cli import run

EVERY = {
    *RULES,
    *TEXT_RULES,
    *FORMS.values(),
    *(symbol.rule for symbol in shipped().symbols.values()),
}


def test_every_id_is_explained_and_no_other(capsys):
    assert set(explanations()) == EVERY
    assert run(["explain"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == sorted(EVERY)


@pytest.mark.parametrize("rule", sorted(EVERY))
def test_an_explanation_says_what_and_why(rule, capsys):
    assert run(["explain", rule.lower()]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{rule}  {title_of(rule)}\n")
    assert "What:" in out and len(out.partition("Why it is safe:")[2].strip()) > 20


def test_an_unknown_id_is_refused(capsys):
    assert run(["explain", "CM999"]) == 2
    assert "CM001" in capsys.readouterr().err


_FILES = {
    Kind.ENTRY_POINT: "pyproject.toml",
    Kind.CONFIGURATION: "service.yaml",
    Kind.RELATIVE_IMPORT: "pkg/a.py",
    Kind.COMMAND: "run.sh",
    Kind.PATH: "Dockerfile",
    Kind.DOCUMENT: "a.md",
}
# Outputs stand in notebooks; the others have no text.
_WITHOUT_A_FILE = {Kind.OUTPUT, Kind.OVERSIZE, Kind.UNREADABLE}


@pytest.mark.parametrize("kind", [item for item in Kind if item not in _WITHOUT_A_FILE])
def test_the_example_of_a_form_is_one_and_becomes_what_it_says(kind, project):
    (example,) = explanations()[FORMS[kind]].examples
    name = _FILES.get(kind, "pyproject.toml" if kind is Kind.SCANNER_SETTINGS else "a.py")
    files = {name: example.before}
    if kind is Kind.RELATIVE_IMPORT:
        files |= {"pkg/__init__.py": "", "pkg/durable_execution.py": "execute_segment = 1\n"}
    if kind is Kind.REEXPORT:
        files["compat.py"] = "from durable_execution import ToolExecutor\n"
    plan = plan_migration([project(files)])
    kinds = {item.kind for item in plan.scanned.occurrences if item.path == name}
    assert kind in kinds
    after = {change.shown: change.after.decode() for change in plan.changes}
    assert after.get(name, example.before) == example.after
