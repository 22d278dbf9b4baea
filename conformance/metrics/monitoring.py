"""Whether an event of the engine is watched: emitted, counted, alerted on, with alerts that fire.

Read from the source alone, link by link: a module emits the event, the module that speaks to
OpenTelemetry counts it as a metric, a Prometheus rule asks for that metric, and a unit test of the
rules expects the alert. Whether those tests pass is what `promtool` says.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from conformance.report import Verdict

EVENTS_FILE = "engine/events.py"
TELEMETRY_LIBRARY = "opentelemetry"
RULE_SUFFIXES = (".yml", ".yaml")
TEST_STEM = "_test"


@dataclass(frozen=True, slots=True)
class AlertTests:
    """What `promtool test rules` said; `message` is the reason unless it passed."""

    outcome: Literal["passed", "failed", "not run"]
    message: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """How an event is watched; `reason` unless it is."""

    verdict: Verdict
    figure: str
    evidence: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Rule:
    file: str
    name: str
    expression: str


def watch(sources: Mapping[str, str], event: str, tests: AlertTests | None) -> Watch:
    """Return how `event` is watched in `sources` (path to text)."""
    modules = {path: ast.parse(text) for path, text in sources.items() if path.endswith(".py")}
    exporters = {path for path, tree in modules.items() if _imports(tree, TELEMETRY_LIBRARY)}
    emitters = [
        path
        for path, tree in modules.items()
        if path not in exporters and path != EVENTS_FILE and any(_names(tree, event))
    ]
    metrics = sorted(
        name
        for path in exporters
        for constant in _counted_as(modules[path], event)
        for name in _metric_names(modules, constant)
    )
    try:
        rules = [rule for rule in _rules(sources) if any(m in rule.expression for m in metrics)]
        fired = _fired(sources)
    except yaml.YAMLError as error:
        return Watch(Verdict.MISSED, "unreadable rules", (), " ".join(str(error).split()))
    alerts = sorted({rule.name for rule in rules})
    figure = f"emitted in {len(emitters)} modules, {len(metrics)} metrics, {len(alerts)} alerts"
    evidence = (*emitters[:1], *sorted(exporters)[:1], *sorted({rule.file for rule in rules})[:1])
    untested = [name for name in alerts if name not in fired]
    missing = ""
    if not emitters:
        missing = f"planned: the engine emits no {event}"
    elif not metrics:
        missing = f"planned: a metric that counts {event}"
    elif not alerts:
        missing = f"planned: an alert on {', '.join(metrics)}"
    elif untested:
        missing = f"no test in which it fires: {', '.join(untested)}"
    if missing:
        return Watch(Verdict.MISSED, figure, evidence, missing)
    if tests is None or tests.outcome == "not run":
        reason = "the tests of the rules did not run" if tests is None else tests.message
        return Watch(Verdict.UNKNOWN, figure, evidence, reason)
    if tests.outcome == "failed":
        return Watch(Verdict.MISSED, figure, evidence, tests.message)
    return Watch(Verdict.MET, f"{figure} ({', '.join(alerts)}), their tests pass", evidence)


def is_test_file(path: str) -> bool:
    """Whether a file holds tests of rules, by its name."""
    stem, _, suffix = path.rpartition(".")
    return f".{suffix}" in RULE_SUFFIXES and stem.endswith(TEST_STEM)


def _imports(tree: ast.Module, library: str) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == library:
            return True
        if isinstance(node, ast.Import) and any(
            each.name.split(".")[0] == library for each in node.names
        ):
            return True
    return False


def _names(tree: ast.AST, event: str) -> Iterator[ast.Attribute]:
    """Yield each `EventName.<event>`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == event:
            yield node


def _counted_as(tree: ast.Module, event: str) -> Iterator[str]:
    """Yield the names of the constants that the event is mapped to."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Dict):
            continue
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Attribute) and key.attr == event:
                yield from (
                    each.attr for each in ast.walk(value) if isinstance(each, ast.Attribute)
                )


def _metric_names(modules: Mapping[str, ast.Module], constant: str) -> Iterator[str]:
    """Yield the stem, in Prometheus, of each metric that is made under this name."""
    for tree in modules.values():
        for node in tree.body:
            if isinstance(node, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == constant for target in node.targets
            ):
                texts = [each for each in ast.walk(node.value) if isinstance(each, ast.Constant)]
                dotted = [str(each.value) for each in texts if "." in str(each.value)]
                yield from (name.replace(".", "_") for name in dotted[:1])


def _documents(sources: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, text in sources.items():
        if path.endswith(RULE_SUFFIXES):
            found = yaml.safe_load(text)
            if isinstance(found, dict):
                yield path, found


def _rules(sources: Mapping[str, str]) -> Iterator[_Rule]:
    for path, document in _documents(sources):
        for group in document.get("groups") or ():
            for rule in group.get("rules") or ():
                if "alert" in rule:
                    yield _Rule(path, str(rule["alert"]), str(rule.get("expr", "")))


def _fired(sources: Mapping[str, str]) -> set[str]:
    """Return the alerts that some test expects."""
    return {
        str(case["alertname"])
        for path, document in _documents(sources)
        if is_test_file(path)
        for test in document.get("tests") or ()
        for case in test.get("alert_rule_test") or ()
        if case.get("exp_alerts")
    }
