"""Collecting evidence: from the repository where it has its own, else from the installation."""

import os
import sys
import time

import pytest

from codemods.settings import DEFAULT_ROOT
from conformance.config import Repository, parse_settings
from conformance.errors import HarnessError, UsageError
from conformance.evidence.collection import production_records
from conformance.evidence.packages import (
    checklist_sources,
    engine_size,
    freeze,
    installed_folder,
    package_folder,
)
from conformance.evidence.scan import scan
from conformance.evidence.suite import INSIDE_GATE, suite_results
from conformance.metrics.legacy_imports import judge
from conformance.report import Verdict

JUNIT = '<testsuite><testcase classname="t" name="a"/></testsuite>'


def _repository(root, **table):
    return Repository(root, root / "pyproject.toml", parse_settings(table, "p"))


def _write(root, name, text=""):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_consumer_s_own_engine_is_measured_before_the_installed_one(tmp_path):
    _write(tmp_path, "engine/__init__.py")
    _write(tmp_path, "engine/workflow_machine.py", "import engine.other\nx = 1\n")
    _write(tmp_path, "engine/other.py", "y = 1\n")
    evidence = engine_size(_repository(tmp_path))
    assert evidence.path == "engine/workflow_machine.py"
    assert evidence.machine.code_lines == 2
    assert set(evidence.closure) == {"engine.other", "engine.workflow_machine"}


def test_without_its_own_engine_the_installed_one_is_measured_and_named(tmp_path):
    evidence = engine_size(_repository(tmp_path))
    assert evidence.path == str(installed_folder("engine") / "workflow_machine.py")
    assert evidence.machine.code_lines > 0


def test_a_file_may_be_configured_instead_of_a_module(tmp_path):
    _write(tmp_path, "src/app/__init__.py")
    _write(tmp_path, "src/app/flow/__init__.py")
    _write(tmp_path, "src/app/flow/machine.py", "from app.flow import steps\n")
    _write(tmp_path, "src/app/flow/steps.py", "x = 1\n")
    evidence = engine_size(
        _repository(tmp_path, size={"workflow_machine": "src/app/flow/machine.py"})
    )
    assert evidence.path == "src/app/flow/machine.py"
    assert set(evidence.closure) == {"app.flow", "app.flow.machine", "app.flow.steps"}


@pytest.mark.parametrize("configured", ["engine.absent", "nowhere.machine", "src/absent.py"])
def test_a_machine_that_does_not_exist_is_a_usage_error(tmp_path, configured):
    with pytest.raises(UsageError, match="there is no module or file"):
        engine_size(_repository(tmp_path, size={"workflow_machine": configured}))


def test_the_installed_legacy_package_is_found_without_importing_it(tmp_path):
    sources = checklist_sources(_repository(tmp_path))
    assert any(name.startswith("legacy/") for name in sources)
    assert any(name.startswith("engine/") for name in sources)
    assert package_folder(tmp_path, "no_such_package_anywhere") is None


def test_the_own_legacy_folder_is_the_one_that_is_checked(tmp_path):
    _write(tmp_path, "legacy/__init__.py")
    assert freeze(_repository(tmp_path)) is None
    _write(tmp_path, "legacy/frozen.sha256", f"{'0' * 64}  __init__.py\n")
    assert freeze(_repository(tmp_path)).digests["__init__.py"][0] == "0" * 64


LEGACY = DEFAULT_ROOT  # so that this file does not name the module it is about


def _allow(path):
    return {"allow": [{"path": path, "reason": "later", "expires": "2999-01-01"}]}


@pytest.mark.parametrize(
    ("text", "settings", "verdict", "place"),
    [
        (f"import {LEGACY}\n", {}, Verdict.MISSED, "app.py:1:8 import"),
        ("import engine\n", {}, Verdict.MET, "planproof scan"),
        (f"import {LEGACY}\n)\n", {}, Verdict.UNKNOWN, "app.py:"),
        (f"import {LEGACY}\n", _allow("app.py"), Verdict.MET, "planproof scan"),
        ("import engine\n", _allow("app.py"), Verdict.UNKNOWN, "planproof scan"),
    ],
)
def test_the_scan_of_production_code(tmp_path, text, settings, verdict, place):
    _write(tmp_path, "pyproject.toml", "[tool.planproof]\n")
    _write(tmp_path, "app.py", text)
    finding = judge(scan(_repository(tmp_path, scan=settings)).production)
    assert finding.verdict is verdict, finding
    assert finding.evidence[0].startswith(place)


def test_the_scan_tells_tests_from_production_code(tmp_path):
    _write(tmp_path, "pyproject.toml", "[tool.planproof]\n")
    _write(tmp_path, "tests/test_a.py", f"import {LEGACY}\n")
    found = scan(_repository(tmp_path))
    assert judge(found.production).verdict is Verdict.MET
    assert found.tests.occurrences == ("tests/test_a.py:1:8 import",)


def test_a_wrong_setting_of_the_scan_is_named_with_its_table(tmp_path):
    _write(tmp_path, "pyproject.toml", "[tool.planproof]\n")
    with pytest.raises(UsageError) as caught:
        scan(_repository(tmp_path, scan={"exclud": []}))
    assert "tool.planproof.scan: unknown key 'exclud'" in caught.value.line()


def test_a_fresh_junit_file_is_read_and_no_command_runs(tmp_path):
    _write(tmp_path, "out.xml", JUNIT)
    repository = _repository(tmp_path, tests={"junit": "out.xml", "command": ["false", "{junit}"]})
    evidence = suite_results(repository, {})
    assert (evidence.source, len(evidence.cases)) == ("out.xml", 1)


def test_a_junit_file_older_than_the_tests_is_not_read(tmp_path):
    junit = _write(tmp_path, "out.xml", JUNIT)
    _write(tmp_path, "tests/test_a.py")
    os.utime(junit, (time.time() - 100, time.time() - 100))
    evidence = suite_results(_repository(tmp_path, tests={"junit": "out.xml", "command": []}), {})
    assert evidence.cases == ()
    assert evidence.unavailable == "out.xml is missing or older than the tests"


def test_without_junit_and_command_the_tests_are_unavailable(tmp_path):
    evidence = suite_results(_repository(tmp_path, tests={"command": []}), {})
    assert evidence.unavailable == "no test command"


def test_a_gate_inside_the_tests_of_a_gate_runs_no_tests(tmp_path):
    evidence = suite_results(_repository(tmp_path), {INSIDE_GATE: "1"})
    assert "inside the tests" in evidence.unavailable


def _command(code, junit=JUNIT):
    program = (
        "import os, pathlib, sys;"
        f"assert os.environ[{INSIDE_GATE!r}] == '1';"
        f"pathlib.Path(sys.argv[1]).write_text({junit!r});"
        "print('last words');"
        f"sys.exit({code})"
    )
    return {"command": ["python", "-c", program, "{junit}"]}


def test_the_command_writes_the_results(tmp_path):
    evidence = suite_results(_repository(tmp_path, tests=_command(0)), os.environ)
    assert [case.name for case in evidence.cases] == ["a"]
    assert evidence.source.startswith("python -c ")
    assert evidence.source.endswith(" junit.xml")


def test_arguments_are_appended(tmp_path):
    program = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"
    tests = {"command": ["python", "-c", program, "{junit}"], "args": [JUNIT]}
    assert len(suite_results(_repository(tmp_path, tests=tests), os.environ).cases) == 1


def test_no_test_collected_is_not_a_pass(tmp_path):
    evidence = suite_results(_repository(tmp_path, tests=_command(5)), os.environ)
    assert (evidence.cases, evidence.unavailable) == ((), "the command collected no test")


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        (_command(2), "the test command failed: last words"),
        (_command(1), "the test command failed: last words"),
        (_command(0, "<cut"), "is not XML"),
        ({"command": ["no-such-program-here", "{junit}"]}, "cannot be run"),
        (
            {"command": ["python", "-c", "input() or open('/dev/zero').read()", "{junit}"]},
            "the test command failed: EOFError",
        ),
    ],
)
def test_a_command_that_breaks_is_a_fault_of_the_harness(tmp_path, tests, message):
    with pytest.raises(HarnessError, match=message):
        suite_results(_repository(tmp_path, tests=tests), os.environ)


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path):
    program = "import subprocess, sys; subprocess.run(['sleep', '600'])"
    tests = {"command": ["python", "-c", program, "{junit}"], "timeout_s": 0.01}
    with pytest.raises(HarnessError, match=r"ran longer than 0\.01 s"):
        suite_results(_repository(tmp_path, tests=tests), os.environ)


def test_a_command_that_writes_no_results_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"has no `\{junit\}`"):
        suite_results(_repository(tmp_path, tests={"command": [sys.executable]}), os.environ)


def test_both_production_records_are_needed_or_none(tmp_path):
    assert production_records(_repository(tmp_path)) is None
    _write(tmp_path, "a.jsonl", '{"success": true}\n')
    with pytest.raises(UsageError, match=r"failures\.unified_records: is needed"):
        production_records(_repository(tmp_path, failures={"legacy_records": "a.jsonl"}))
    both = {"legacy_records": "a.jsonl", "unified_records": "a.jsonl"}
    legacy, unified = production_records(_repository(tmp_path, failures=both))
    assert (legacy.executions, unified.failures) == (1, 0)
