"""Without these a string could be rewritten that nobody imports, or one be left that somebody does."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from codemods.discovery import Language, language_of
from codemods.edits import Edit, apply_edits
from codemods.mapping import shipped
from codemods.migration_settings import MigrationSettings
from codemods.occurrence import RULES as FORMS
from codemods.occurrence import Kind, Status
from codemods.rules.text_rules import RULE_OF_KIND, TEXT_RULES
from codemods.settings import ScanSettings
from codemods.source import Source, decode_python, decode_text
from codemods.text_edits import Refusal, TextEdit, decide, settle

CASES = [(rule, case) for rule in TEXT_RULES.values() for case in rule.cases]


@pytest.fixture
def migrate(scan_files):
    """Return a function that scans one file and gives its text after, and all decisions."""

    def run(file, content, options=None):
        report = scan_files({file: content})
        data = Path(report.root, file).read_bytes()
        language = language_of(file.rpartition("/")[2])
        is_python = language is Language.PYTHON
        source = Source.of(decode_python(data) if is_python else decode_text(data))
        decisions = [
            (item, decide(source, item, language, options or MigrationSettings(), shipped()))
            for item in report.occurrences
        ]
        edits = [found for _, found in decisions if isinstance(found, TextEdit)]
        plain = [Edit(item.start, item.end, item.old, item.new) for item in edits]
        return apply_edits(source.text, plain), decisions

    return run


@pytest.mark.parametrize(
    ("rule", "case"), CASES, ids=[f"{rule.id}: {case.name}" for rule, case in CASES]
)
def test_case(migrate, rule, case):
    after, decisions = migrate(case.file, case.before, case.options)
    assert after == case.after, decisions
    assert decisions
    assert all(found.reason for _, found in decisions if isinstance(found, Refusal))
    if case.is_noop:
        assert all(isinstance(found, Refusal) for _, found in decisions)
        assert rule.id in {found.rule for _, found in decisions} or "comment" in case.name
    else:
        assert {found.rule for _, found in decisions if isinstance(found, TextEdit)} == {rule.id}
        again, decisions = migrate(case.file, after, case.options)
        assert again == after
        assert not any(isinstance(found, TextEdit) for _, found in decisions)


def test_every_rule_says_what_it_does_and_why_it_is_safe():
    for rule in TEXT_RULES.values():
        assert "What:" in rule.text and "Why it is safe:" in rule.text
        assert {case.is_noop for case in rule.cases} == {True, False}


def test_every_form_of_text_has_one_rule():
    kinds = [kind for rule in TEXT_RULES.values() for kind in rule.kinds]
    assert len(kinds) == len(set(kinds)) and set(kinds) == set(RULE_OF_KIND)
    names = {Kind.IMPORT, Kind.FROM_IMPORT, Kind.STAR_IMPORT, Kind.RELATIVE_IMPORT, Kind.REEXPORT}
    nothing = {Kind.REFERENCE, Kind.COMMENT, Kind.IDENTIFIER, Kind.SCANNER_SETTINGS}
    unread = {Kind.UNREADABLE, Kind.UNPARSABLE, Kind.OVERSIZE}
    assert set(FORMS) - set(kinds) == names | nothing | unread


def test_a_setting_whose_value_is_looked_up_elsewhere_stays(scan_files):
    files = {
        "settings.py": (
            "HANDLER = 'durable_execution.execute_segment'\n"
            "TASK = 'durable_execution.resume_from_checkpoint'\n"
        ),
        "a.yml": "handler: durable_execution.execute_segment\n",
        "jobs.py": "RUN = {'durable_execution.execute_segment': 1}\n",
        "test_a.py": "patch('durable_execution.execute_segment')\n",
    }
    report = scan_files(files)
    decisions = []
    for item in report.occurrences:
        language = language_of(item.path)
        source = Source.of(files[item.path])
        decisions.append((item, decide(source, item, language, MigrationSettings(), shipped())))
    settled = {(item.path, item.line): found for item, found in settle(decisions)}
    assert isinstance(settled["settings.py", 2], TextEdit)
    assert isinstance(settled["test_a.py", 1], TextEdit)
    for place in (("settings.py", 1), ("a.yml", 1)):
        assert "the same path is data at jobs.py:1:9" in settled[place].reason
    assert settled["jobs.py", 1].is_data


@pytest.mark.parametrize(
    ("file", "read"),
    [("a.toml", tomllib.loads), ("a.json", json.loads), ("pyproject.toml", tomllib.loads)],
)
def test_values_change_and_nothing_else(migrate, file, read):
    cases = [case for _, case in CASES if case.file == file and not case.is_noop]
    assert cases
    for case in cases:
        after, decisions = migrate(file, case.before, case.options)
        new = {found.old: found.new for _, found in decisions if isinstance(found, TextEdit)}
        assert read(after) == _renamed(read(case.before), new)


def _renamed(value, new):
    if isinstance(value, dict):
        return {key: _renamed(item, new) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, new) for item in value]
    return new.get(value, value)


USE = "handler: durable_execution.execute_segment\n"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (Status.ALLOWED, "allowed"),
        (Status.UNDECIDED, "a reason"),
        (Status.NAMESAKE, "a reason"),
        (Status.UNRELATED, "its status is unrelated"),
        (Status.UNEXAMINED, "a reason"),
        (Status.COMMENT, "a reason"),
    ],
)
def test_only_uses_are_rewritten(scan_files, status, reason):
    item = scan_files({"a.yml": USE}).occurrences[0]
    given = "" if "status" in reason else reason
    found = decide(
        Source.of(USE),
        replace(item, status=status, reason=given),
        Language.CONFIGURATION,
        MigrationSettings(),
        shipped(),
    )
    assert isinstance(found, Refusal) and reason in found.reason


@pytest.mark.parametrize(
    ("text", "change", "reason"),
    [
        ("# @generated\n" + USE, {"line": 2}, "a generated file"),
        (USE, {"needle": ""}, "keeps its names"),
        (USE, {"line": 9}, "has changed"),
        (USE, {"column": 3}, "has changed"),
        (USE, {"kind": Kind.COMMENT}, "no text"),
    ],
)
def test_what_does_not_fit_stays(scan_files, text, change, reason):
    item = scan_files({"a.yml": USE}).occurrences[0]
    found = decide(
        Source.of(text),
        replace(item, **change),
        Language.CONFIGURATION,
        MigrationSettings(),
        shipped(),
    )
    assert isinstance(found, Refusal) and reason in found.reason


def test_a_path_through_a_facade_stays(scan_files):
    files = {
        "src/acme/__init__.py": "",
        "src/acme/durable_execution.py": "from durable_execution import ToolExecutor\n",
        "src/acme/jobs.py": "import durable_execution\n",
        "tests/test_a.py": (
            "patch('acme.durable_execution.ToolExecutor')\n"
            "patch('acme.jobs.durable_execution.execute_segment')\n"
            "patch('durable_execution.execute_segment')\n"
        ),
    }
    report = scan_files(files)
    source = Source.of(files["tests/test_a.py"])
    found = [
        decide(source, item, Language.PYTHON, MigrationSettings(), shipped())
        for item in report.occurrences
        if item.path == "tests/test_a.py"
    ]
    assert isinstance(found[2], TextEdit)
    assert [item.reason for item in found[:2]] == [
        "handed on by src/acme/durable_execution.py, which keeps its names",
        "handed on by src/acme/jobs.py, which keeps its names",
    ]


def test_a_script_without_a_suffix_is_read_by_its_first_line(scan_files):
    text = "#!/usr/bin/env python3\nimport_module('durable_execution')\n"
    item = next(iter(scan_files({"bin/run": text}).occurrences))
    found = decide(Source.of(text), item, Language.BARE, MigrationSettings(), shipped())
    assert isinstance(found, TextEdit) and found.new == "engine.segment_api"


def test_other_roots_of_a_project(scan_files):
    text = "m = import_module('acme.old_engine')\n"
    settings = ScanSettings.from_mapping({"roots": ["acme.old_engine"]})
    item = scan_files({"a.py": text}, settings).occurrences[0]
    found = decide(Source.of(text), item, Language.PYTHON, MigrationSettings(), shipped())
    assert found == TextEdit(19, 34, "acme.old_engine", "engine.segment_api", "CM201")


def test_every_encoding_and_line_end(migrate):
    head = "# \u00e9\r\n"
    after, _ = migrate("a.ini", (head + "[a]\r\nhandler = durable_execution:execute_segment\r\n"))
    assert after == head + "[a]\r\nhandler = engine.segment_api:execute_segment\r\n"

    line = "#\u00e9\u20ac\r\n\f\r\nx = '\u00e9\U0001f600'; m = import_module('{}')\r\n"
    after, _ = migrate("a.py", line.format("durable_execution"))
    assert after == line.format("engine.segment_api")
    latin = "# -*- coding: latin-1 -*-\nx = '\u00e9'; m = import_module('{}')"
    after, _ = migrate("b.py", latin.format("durable_execution").encode("latin-1"))
    assert after == latin.format("engine.segment_api")
