"""A report as JUnit XML, in the dialect that Jenkins, GitLab and their like read.

The format has four outcomes and a run has eight, so the attribute `type` and the first word of
the message say which it is, and viewers that show neither still tell them apart:

| item | element | type |
|---|---|---|
| passed | none | |
| accepted by the ledger | `skipped` | `ledgered` |
| does not decide in this profile | `skipped` | `advisory` |
| regression, metric missed | `failure` | `failed` |
| runs of one executor differ | `failure` | `nondeterministic` |
| ledger stale, expired, not disjoint | `failure` | `ledger.<kind>` |
| could not be examined, metric unknown | `error` | `untestable`, `unknown` |
| the harness failed | `error` | `harness_error` |

Names of test cases are the items' own ids, so that files of several runs line up.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from conformance.errors import ExitCode
from conformance.report import Verdict
from conformance.report_model import Item, Metric, RunReport, Status
from conformance.reporters.wording import detail_lines

METRICS_SUITE = "metrics"
_OF_VERDICT = {
    Verdict.MET: Status.PASSED,
    Verdict.MISSED: Status.FAILED,
    Verdict.UNKNOWN: Status.UNKNOWN,
}
_OF_CAUSE = {ExitCode.HARNESS: Status.HARNESS_ERROR, ExitCode.LEDGER: Status.LEDGER_FAULT}
_ELEMENTS = {
    Status.LEDGERED: "skipped",
    Status.FAILED: "failure",
    Status.NONDETERMINISTIC: "failure",
    Status.LEDGER_FAULT: "failure",
    Status.UNTESTABLE: "error",
    Status.UNKNOWN: "error",
    Status.HARNESS_ERROR: "error",
}
# What XML 1.0 cannot hold, not even escaped.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BLANKS = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class _Case:
    name: str
    element: str | None
    type: str
    message: str
    text: str
    seconds: float
    file: str = ""
    line: int | None = None


def render(report: RunReport) -> str:
    """Return the report as an XML document, ending in a newline."""
    suites = {METRICS_SUITE: [_metric_case(metric) for metric in report.metrics]}
    for item in report.items:
        suites.setdefault(item.group, []).append(_item_case(item, report))
    root = ET.Element("testsuites", name=_text(f"planproof {report.kind}: {report.subject}"))
    total = [case for cases in suites.values() for case in cases]
    _count(root, total)
    for name, cases in suites.items():
        if cases:
            _suite(root, name, cases, report)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(root: ET.Element, name: str, cases: list[_Case], report: RunReport) -> None:
    classname = ".".join(("planproof", report.kind, *map(_word, report.executors), _word(name)))
    suite = ET.SubElement(root, "testsuite", name=_text(f"{report.kind} {name}"))
    _count(suite, cases)
    if report.started_at:
        suite.set("timestamp", report.started_at.removesuffix("Z").split("+", maxsplit=1)[0])
    properties = ET.SubElement(suite, "properties")
    for key, value in _properties(report):
        ET.SubElement(properties, "property", name=_text(key), value=_text(value))
    for case in cases:
        element = ET.SubElement(
            suite,
            "testcase",
            name=_text(case.name),
            classname=_text(classname),
            time=f"{case.seconds:.3f}",
        )
        if case.file:
            element.set("file", _text(case.file))
        if case.line is not None:
            element.set("line", str(case.line))
        if case.element is not None:
            child = ET.SubElement(
                element, case.element, type=_text(case.type), message=_text(case.message)
            )
            child.text = _text(case.text)


def _count(element: ET.Element, cases: list[_Case]) -> None:
    element.set("tests", str(len(cases)))
    for attribute, child in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(sum(case.element == child for case in cases)))
    element.set("time", f"{sum(case.seconds for case in cases):.3f}")


def _properties(report: RunReport) -> Iterable[tuple[str, str]]:
    yield "planproof.version", report.product_version
    yield "planproof.exit_code", str(report.exit_code)
    yield "planproof.source", report.source
    yield "planproof.complete", str(report.complete).lower()
    if report.profile:
        yield "planproof.profile", report.profile
    yield from ((f"planproof.{name}", value) for name, value in report.facts)


def _metric_case(metric: Metric) -> _Case:
    status = _OF_VERDICT[metric.verdict]
    if metric.cause is not None:
        status = _OF_CAUSE.get(metric.cause, status)
    lines = [metric.figure, f"target: {metric.target}", *metric.evidence]
    return _Case(
        name=metric.id,
        element=_ELEMENTS.get(status),
        type=status.value,
        message=f"{metric.verdict}: {metric.reason or metric.figure}",
        text="\n".join(lines),
        seconds=0.0,
    )


def _item_case(item: Item, report: RunReport) -> _Case:
    element, type_ = _ELEMENTS.get(item.status), item.status.value
    if item.status is Status.LEDGER_FAULT:
        type_ = f"ledger.{_word(item.kind)}"
    if item.role == "advisory" and not item.status.is_green:
        element, type_ = "skipped", "advisory"
    return _Case(
        name=item.id,
        element=element,
        type=type_,
        message=f"{type_}: {item.message}",
        text="\n".join(detail_lines(item, report)),
        seconds=(item.duration_ms or 0.0) / 1000,
        file=item.place.path if item.place is not None else "",
        line=item.place.line if item.place is not None else None,
    )


def _word(text: str) -> str:
    return _BLANKS.sub("-", text).strip("-").lower()


def _text(text: str) -> str:
    return _ILLEGAL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
