"""The comparison's report for people: what is unexplained first, the verdict last.

Verdicts are words and never only colours.
"""

import json
from collections.abc import Iterator
from typing import Any

import click

from conformance.comparator import EventDifference
from conformance.diff_report import DiffReport
from conformance.differential import PairResult
from conformance.errors import ExitCode
from conformance.finding import Finding, layer_lines
from conformance.normalisation import RULES
from conformance.verdict import Attribution, Verdict

MAX_VALUE = 160  # characters of one value; the JSON report has all of it
_STYLES = {
    Verdict.PASS: "green",
    Verdict.LEDGERED: "green",
    Verdict.UNTESTABLE: "yellow",
    Verdict.REGRESSION: "red",
    Verdict.NONDETERMINISTIC: "red",
    Verdict.HARNESS_ERROR: "red",
}
_MEANINGS = {
    ExitCode.PASSED: "every divergence is explained",
    ExitCode.FAILED: "unexplained divergences",
    ExitCode.USAGE: "usage",
    ExitCode.HARNESS: "the harness failed",
    ExitCode.VACUOUS: "something could not be examined",
    ExitCode.LEDGER: "the ledger is wrong",
}


def render(report: DiffReport, *, colour: bool = False) -> str:
    """Return the report as text, ending in a newline."""
    lines = [*_lines(report), verdict_line(report)]
    text = "\n".join(lines) + "\n"
    return text if colour else click.unstyle(text)


def verdict_line(report: DiffReport) -> str:
    """Return the last line of the report alone, without its line end."""
    counts = ", ".join(f"{report.verdicts[v]} {v}" for v in Verdict if report.verdicts[v])
    code = report.exit_code
    return f"{_MEANINGS[code]}: {counts or 'no scenario'} (exit {int(code)})"


def _lines(report: DiffReport) -> Iterator[str]:
    options = report.options
    yield (
        f"planproof diff: {options.left} and {options.right}, {len(report.results)} scenarios "
        f"from {report.source}, store {options.store}"
    )
    for finding in report.findings:
        yield ""
        yield from _finding(finding, report)
    unjudged = {Verdict.NONDETERMINISTIC, Verdict.HARNESS_ERROR, Verdict.UNTESTABLE}
    for result in report.results:
        if result.verdict in unjudged:
            yield f"{_word(result.verdict)} {result.scenario}: {result.reason}"
    yield ""
    differing = ", ".join(f"{layer} {count}" for layer, count in report.layers.items())
    told = ", ".join(layer for layer in report.layers if layer not in report.gating_layers)
    apart = f" ({told} decides with --strict only)" if told else ""
    yield f"scenarios that differ, by layer (consequences included): {differing}{apart}"
    yield f"compared with themselves first (A/A): {report.controlled} of {len(report.results)}"
    if report.unpredictable:
        reasons = "; ".join(f"{count} {why}" for why, count in report.unpredictable.items())
        yield f"without a word of the reference model: {reasons}"
    touched = report.touched
    rules = ", ".join(f"{rule.id} {touched.get(rule.id, 0)}" for rule in RULES)
    yield f"fields that each normalisation rule touched: {rules}"
    yield from _ledger(report)


def _ledger(report: DiffReport) -> Iterator[str]:
    used = ", ".join(f"{entry} {count}" for entry, count in sorted(report.usage.items()))
    yield f"ledger {report.ledger or '(emptied)'}: {used or 'nothing explained'}"
    for fault in report.ledger_faults:
        yield f"{click.style('LEDGER', fg='red')} {fault.line()}"
    for rule in report.stale_rules:
        message = f"normalisation rule {rule.id} touched nothing: remove it"
        yield f"{click.style('LEDGER', fg='red')} {message}"


def _finding(finding: Finding, report: DiffReport) -> Iterator[str]:
    result = finding.result
    yield f"{_word(result.verdict)} {result.scenario} [{result.attribution}]{_entry(result)}"
    yield from _divergence(result, report)
    yield from (f"  {line}" for line in layer_lines(result))
    if result.difference is not None:
        yield from _event(result.difference, report)
    steps = len(finding.minimal.plan.get("steps", []))
    yield f"  smallest: {steps} of {finding.steps_before} steps, {finding.path}"
    yield f"  replay: {finding.command}"
    if finding.proposal:
        yield "  if the difference is wanted, a ledger entry to start from:"
        yield from (f"    {line}" for line in finding.proposal.splitlines())


def _entry(result: PairResult) -> str:
    """Say which entry would have accepted a divergence, had the unified engine been right."""
    return f" (would be {result.entry}, but for the reference model)" if result.entry else ""


def _divergence(result: PairResult, report: DiffReport) -> Iterator[str]:
    if result.primary is not None:
        shown = result.primary
        yield f"  {shown.layer} {shown.layer.subject}: {shown.path}"
        yield f"    {report.options.left}: {_value(shown.left)}"
        yield f"    {report.options.right}: {_value(shown.right)}"
    if result.reference and result.attribution is not Attribution.LEFT_WRONG:
        shown = result.reference[0]
        yield f"  reference model, {shown.layer} {shown.layer.subject}: {shown.path}"
        yield f"    reference: {_value(shown.left)}"
        yield f"    {report.options.right}: {_value(shown.right)}"


def _event(difference: EventDifference, report: DiffReport) -> Iterator[str]:
    yield f"  first differing event (number {difference.index + 1}):"
    yield from (f"      both: {line}" for line in difference.before)
    for name, lines in (
        (report.options.left, difference.left),
        (report.options.right, difference.right),
    ):
        yield from (f"    {name:>6}: {_value(line)}" for line in lines)


def _word(verdict: Verdict) -> str:
    return click.style(str(verdict).upper().replace("_", " "), fg=_STYLES[verdict], bold=True)


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"
