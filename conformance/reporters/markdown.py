"""A report as Markdown for the summary of a CI step: what blocks first, then the figures.

A step summary may have 1 MiB; what does not fit is counted at its end.
"""

import re
from collections.abc import Iterator

from conformance.report_model import Item, LedgerRow, RunReport, Status
from conformance.reporters.wording import detail_lines

MAX_BYTES = 1_000_000  # below the 1 MiB of a step summary, with room for other steps' headings
_TAIL = 2_000  # bytes that are kept for the line about what was left out
MAX_CELL = 300  # characters; longer texts make a table unreadable
MARKS = {True: "✅", False: "❌"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|])")


def render(report: RunReport) -> str:
    """Return the report as GitHub-flavoured Markdown of at most `MAX_BYTES` bytes."""
    blocks = _blocks(report)
    kept: list[str] = []
    size = 0
    left_out = 0
    for block in blocks:
        weight = len(block.encode("utf-8", "replace")) + 1
        if left_out or size + weight > MAX_BYTES - _TAIL:
            left_out += 1
            continue
        kept.append(block)
        size += weight
    if left_out:
        kept.append(f"\n_{left_out} further parts are left out: the summary has a limited size._")
    return "\n".join(kept) + "\n"


def _blocks(report: RunReport) -> Iterator[str]:
    mark = MARKS[report.exit_code == 0]
    yield (
        f"## {mark} planproof {report.kind}: {_escape(report.headline)} (exit {report.exit_code})\n"
    )
    counts = ", ".join(f"{count} {status}" for status, count in report.counts.items())
    scope = f", profile {report.profile}" if report.profile else ""
    yield f"{_escape(report.subject)}{scope}, {_escape(report.source)}: {counts or 'no items'}\n"
    if report.metrics:
        yield _metrics(report)
    blocking = report.blocking()
    if blocking:
        yield f"### Blocking: {len(blocking)}\n"
        yield from (_finding(item, report) for item in blocking)
    advisory = [item for item in report.items if item.role == "advisory"]
    if advisory:
        yield _advisory(advisory)
    if report.ledger is not None:
        yield from _ledger([row for row in report.ledger.rows if row.used])
    if report.facts:
        yield "\n".join(f"- {_escape(name)}: {_escape(text)}" for name, text in report.facts) + "\n"
    if report.command:
        yield f"Again: `{report.command}`"


def _metrics(report: RunReport) -> str:
    lines = ["| metric | verdict | figure | target |", "|---|---|---|---|"]
    for metric in report.metrics:
        why = f"<br>{_cell(metric.reason)}" if metric.reason else ""
        lines.append(
            f"| {_cell(metric.title)} | **{metric.verdict}** | {_cell(metric.figure)}{why} "
            f"| {_cell(metric.target)} |"
        )
    return "\n".join(lines) + "\n"


def _finding(item: Item, report: RunReport) -> str:
    details = "\n".join(detail_lines(item, report))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", details)), default=0))
    what = f"{item.status.value.replace('_', ' ')}"
    if item.status is Status.LEDGER_FAULT:
        what = f"ledger {item.kind}"
    lines = [f"#### {what}: {_escape(item.id)}\n", f"{_escape(item.message)}\n"]
    if details:
        lines.append(f"{fence}text\n{details}\n{fence}\n")
    if item.proposal:
        lines.append(
            "<details><summary>If the difference is wanted: a ledger entry to start from"
            f"</summary>\n\n```toml\n{item.proposal}\n```\n</details>\n"
        )
    return "\n".join(lines)


def _advisory(items: list[Item]) -> str:
    lines = [f"<details><summary>{len(items)} that do not decide</summary>\n"]
    lines += ["| what | verdict | why |", "|---|---|---|"]
    for item in items:
        title = _cell(item.title or item.id)
        lines.append(f"| {title} | {item.status} | {_cell(item.message)} |")
    return "\n".join([*lines, "\n</details>\n"])


def _ledger(rows: list[LedgerRow]) -> Iterator[str]:
    if not rows:
        return
    lines = [f"<details><summary>{len(rows)} ledger entries were used</summary>\n"]
    lines += ["| entry | explains | why | expires |", "|---|---|---|---|"]
    lines += [
        f"| {row.id} {_cell(row.title)} | {row.used} | {_cell(row.reason)} | {row.expires} |"
        for row in rows
    ]
    yield "\n".join([*lines, "\n</details>\n"])


def _cell(text: str) -> str:
    short = text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"
    return _escape(" ".join(short.split()))


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
