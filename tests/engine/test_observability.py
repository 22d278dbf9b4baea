"""Without these an alert or a panel could wait for what nobody exports, and never say so."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

import engine
from engine.metric_names import METRICS

FOLDER = Path(engine.__file__).parent / "observability"
README = (FOLDER.parent / "README.md").read_text("utf-8")
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
TESTS = yaml.safe_load((FOLDER / "alerts_test.yml").read_text("utf-8"))
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
LABELS = {
    series: {*metric.attributes, *({"le"} if series.endswith("_bucket") else ())}
    for metric in METRICS
    for series in metric.prometheus_series
}


def selectors(expression: str) -> list[Any]:
    """Return the vector selectors of a PromQL expression; what does not parse raises."""
    found: list[Any] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        for name in ("lhs", "rhs", "expr", "vs", "args", "vector_selector", "param"):
            inner = getattr(node, name, None)
            for each in inner if isinstance(inner, list) else [inner]:
                if isinstance(each, promql_parser.Expr):
                    visit(each)

    visit(promql_parser.parse(expression))
    return found


def grouped(expression: str) -> set[str]:
    """Return the labels that an expression groups by."""
    return {
        label.strip()
        for labels in re.findall(r"\bby \(([^)]*)\)", expression)
        for label in labels.split(",")
    }


def check(expression: str) -> None:
    """Assert that an expression asks for series that are exported, by labels that they have."""
    found = selectors(expression)
    assert found
    assert {each.name for each in found} == set(re.findall(r"planproof_\w+", expression))
    for each in found:
        labels = {matcher.name for matcher in each.matchers.matchers} | grouped(expression)
        allowed = LABELS[each.name]
        assert labels - set().union(*(LABELS[other.name] for other in found)) == set()
        assert {matcher.name for matcher in each.matchers.matchers} <= allowed


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_asks_for_what_is_exported_and_says_what_to_do(rule):
    check(rule["expr"])
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    file, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    assert file == "engine/README.md"
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}


def test_there_are_alerts_and_no_two_share_a_name():
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names)) >= 5


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_every_alert_has_series_that_fire_it_and_series_that_do_not(rule):
    cases = [
        (test, case)
        for test in TESTS["tests"]
        for case in test["alert_rule_test"]
        if case["alertname"] == rule["alert"]
    ]
    assert {bool(case["exp_alerts"]) for _, case in cases} == {True, False}
    for _, case in cases:
        for expected in case["exp_alerts"]:
            assert expected["exp_annotations"] == rule["annotations"]


def test_the_series_of_the_tests_are_exported_ones():
    for test in TESTS["tests"]:
        for given in test["input_series"]:
            (selector,) = selectors(given["series"])
            labels = {matcher.name for matcher in selector.matchers.matchers}
            assert labels <= LABELS[selector.name] | {"instance"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("command", [["check", "alerts.yml"], ["test", "alerts_test.yml"]])
def test_promtool_agrees(command):
    done = subprocess.run(
        ["promtool", command[0], "rules", command[1]],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=lambda panel: str(panel["title"]))
def test_a_panel_shows_what_is_exported(panel):
    assert panel["title"] and panel["description"] and panel["type"] == "timeseries"
    assert panel["targets"]
    for target in panel["targets"]:
        assert (
            target["datasource"]
            == panel["datasource"]
            == {
                "type": "prometheus",
                "uid": "${datasource}",
            }
        )
        check(target["expr"].replace("$__rate_interval", "5m"))


def test_the_dashboard_is_one_that_grafana_takes():
    assert {"uid", "title", "schemaVersion", "templating", "time", "panels"} <= set(DASHBOARD)
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert [each["name"] for each in DASHBOARD["templating"]["list"]] == ["datasource"]
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24  # Grafana's columns


def test_every_metric_is_shown_or_alerted_on():
    asked = " ".join(
        [rule["expr"] for rule in RULES]
        + [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    )
    assert [metric.name for metric in METRICS if metric.prometheus_name not in asked] == []


def test_a_metric_that_is_not_exported_is_found():
    with pytest.raises(KeyError):
        check("rate(planproof_nothing_total[5m])")
    with pytest.raises(AssertionError):
        check('planproof_leases_lost_total{tool="x"}')
    with pytest.raises(ValueError):
        check("sum(rate(planproof_leases_lost_total[5m])")
