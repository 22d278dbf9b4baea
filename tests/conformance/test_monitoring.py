"""Without these a row could be met by an alert that nothing feeds, or that never fires."""

import shutil

import pytest

from conformance.config import Repository, parse_settings
from conformance.evidence import monitoring as evidence
from conformance.metrics.monitoring import AlertTests, is_test_file, watch
from conformance.report import Verdict

TELEMETRY = """
from opentelemetry import metrics
COUNTED = {
    EventName.WORKFLOW_RESUME: (names.RESUMES, ""),
    EventName.CHECKPOINT_FAILED: (names.FAILURES, ""),
}
"""
RULES = """
groups:
- rules:
  - {alert: NoResume, expr: 'rate(p_resumes_total[5m]) == 0'}
  - {alert: Failing, expr: 'rate(p_failures_total[5m]) > 0'}
"""
RULE_TESTS = """
tests:
- alert_rule_test:
  - {alertname: NoResume, exp_alerts: [{exp_labels: {a: b}}]}
  - {alertname: Failing, exp_alerts: [{exp_labels: {a: b}}]}
"""
MONITORED = {
    "engine/segment.py": "event(EventName.WORKFLOW_RESUME)\n",
    "engine/checkpointer.py": "event(EventName.CHECKPOINT_FAILED)\n",
    "engine/metric_names.py": 'RESUMES = counter("p.resumes")\nFAILURES = counter("p.failures")\n',
    "engine/telemetry.py": TELEMETRY,
    "engine/watch/alerts.yml": RULES,
    "engine/watch/alerts_test.yml": RULE_TESTS,
}
PASSED = AlertTests("passed")


def test_an_event_that_is_emitted_counted_alerted_on_and_tested_is_watched():
    found = watch(MONITORED, "WORKFLOW_RESUME", PASSED)
    assert found.verdict is Verdict.MET and "(NoResume)" in found.figure
    assert found.evidence == ("engine/segment.py", "engine/telemetry.py", "engine/watch/alerts.yml")


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("engine/segment.py", "", "planned: the engine emits no WORKFLOW_RESUME"),
        (
            "engine/telemetry.py",
            "from opentelemetry import metrics\nEventName.WORKFLOW_RESUME\n",
            "planned: a metric that counts WORKFLOW_RESUME",
        ),
        (
            "engine/telemetry.py",
            TELEMETRY.replace("opentelemetry", "elsewhere"),
            "planned: a metric that counts WORKFLOW_RESUME",
        ),
        ("engine/metric_names.py", "", "planned: a metric that counts WORKFLOW_RESUME"),
        ("engine/watch/alerts.yml", "", "planned: an alert on p_resumes"),
        (
            "engine/watch/alerts.yml",
            RULES.replace("p_resumes", "p_other"),
            "planned: an alert on p_resumes",
        ),
        ("engine/watch/alerts_test.yml", "", "no test in which it fires: NoResume"),
        (
            "engine/watch/alerts_test.yml",
            RULE_TESTS.replace("[{exp_labels: {a: b}}]", "[]"),
            "no test in which it fires: NoResume",
        ),
    ],
)
def test_each_link_that_is_missing_is_named(path, text, reason):
    found = watch({**MONITORED, path: text}, "WORKFLOW_RESUME", PASSED)
    assert (found.verdict, found.reason) == (Verdict.MISSED, reason)


def test_the_name_of_an_event_alone_emits_nothing():
    sources = {
        **MONITORED,
        "engine/segment.py": "",
        "engine/events.py": "EventName.WORKFLOW_RESUME",
    }
    assert watch(sources, "WORKFLOW_RESUME", PASSED).verdict is Verdict.MISSED


def test_rules_that_cannot_be_read_are_none():
    found = watch({**MONITORED, "engine/watch/alerts.yml": "a: ["}, "WORKFLOW_RESUME", PASSED)
    assert (found.verdict, found.figure) == (Verdict.MISSED, "unreadable rules")


def test_tests_of_rules_are_known_by_their_name():
    assert is_test_file("a/alerts_test.yml") and is_test_file("alerts_test.yaml")
    assert not is_test_file("alerts.yml") and not is_test_file("alerts_test.py")


def _repository(tmp_path, *files):
    folder = tmp_path / "engine"
    folder.mkdir()
    (folder / "__init__.py").touch()
    for name, text in files:
        (folder / name).write_text(text, "utf-8")
    return Repository(tmp_path, tmp_path / "pyproject.toml", parse_settings({}, "p"))


def test_without_tests_of_rules_nothing_ran(tmp_path):
    found = evidence.alert_tests(_repository(tmp_path))
    assert found == AlertTests("not run", "there are no tests of alert rules")


def test_without_promtool_nothing_ran(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = evidence.alert_tests(_repository(tmp_path, ("alerts_test.yml", "")))
    assert found.outcome == "not run" and "promtool is not installed" in found.message


def _promtool(tmp_path, monkeypatch, body):
    program = tmp_path / "promtool"
    program.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")


def test_what_promtool_says_is_the_outcome(tmp_path, monkeypatch):
    repository = _repository(tmp_path, ("alerts_test.yml", ""))
    _promtool(tmp_path, monkeypatch, 'test "$1 $2" = "test rules"')
    assert evidence.alert_tests(repository) == PASSED
    _promtool(tmp_path, monkeypatch, "echo 'FAILED: no alert' >&2; exit 1")
    found = evidence.alert_tests(repository)
    assert (found.outcome, found.message) == ("failed", "promtool: FAILED: no alert")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_a_real_promtool_refuses_a_test_that_fails(tmp_path):
    text = "tests:\n- alert_rule_test:\n  - {eval_time: 1m, alertname: X, exp_alerts: [{}]}\n"
    found = evidence.alert_tests(_repository(tmp_path, ("alerts_test.yml", text)))
    assert found.outcome == "failed"
