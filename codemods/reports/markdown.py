"""The report for a pull request or the summary of a CI step, in GitHub's Markdown.

Never longer than `MAX_BYTES`: each section has its share, and says how much it left out.
"""

from collections.abc import Iterable, Iterator, Sequence

from codemods.migration import Migration, Outcome, Row
from codemods.reports.account import (
    Tally,
    account_line,
    by_rule,
    is_blocking,
    is_bridged,
    left,
    levels,
    printable,
    rules_of,
    shortened,
    standing,
)
from codemods.reports.explanations import title_of
from codemods.verification import Proof

# A step summary of GitHub holds one mebibyte; a longer one is refused as a whole.
MAX_BYTES = 1 << 20
_SECTION_BYTES = 150_000
TEXT_CHARACTERS = 120
REASON_CHARACTERS = 400
# Reasons are one or two; a file that nothing can be done about may have one for each line.
_REASONS = 5
# What begins markup, a link, a mention or a formula within a line.
_ACTIVE = str.maketrans({character: f"&#{ord(character)};" for character in "<>&`*_[]\\|~@#$"})


def render(plan: Migration, proofs: Sequence[Proof], *, written: bool) -> str:
    """Return the report as Markdown, ending in a newline."""
    blocking = [row for row in plan.rows if is_blocking(row)]
    others = [row for row in left(plan) if not is_blocking(row)]
    parts = [
        "# Migration",
        _verdict(plan, proofs, blocking, written=written),
        _table(plan),
        _cut("## Blocking", "findings", _findings(blocking)),
        _cut("## Allow entries", "entries", _suppressions(plan)),
        _proofs(plan, proofs),
        _details("Left in tests, or not blocking", "findings", _findings(others)),
        _details("Kept names, taken from the bridge", "files", _bridged(plan)),
        _details("Changed files" if written else "Files to change", "files", _changes(plan)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def code(text: str, width: int = TEXT_CHARACTERS) -> str:
    """Return `text` as inline code in which nothing is markup, whatever it holds."""
    return f"<code>{_literal(text, width)}</code>"


def _literal(text: str, width: int = REASON_CHARACTERS) -> str:
    return shortened(printable(text), width).translate(_ACTIVE).replace("://", "&#58;//")


def _verdict(
    plan: Migration, proofs: Sequence[Proof], blocking: Sequence[Row], *, written: bool
) -> str:
    faults = sum(bool(item.fault) for item in proofs)
    verb = "changed" if written else "to change"
    says = (
        f"{len(plan.changes)} files {verb}, {len(blocking)} findings block, "
        f"{faults} proofs do not hold; {plan.scanned.files_examined} of "
        f"{plan.scanned.files_found} files examined."
    )
    return f"**{account_line(plan)}**\n\n{says}"


def _table(plan: Migration) -> str:
    lines = [
        "| rule | what | rewritten | of them bridged | left | allowed |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for rule, rows in by_rule(plan.rows).items():
        lines.append(_row(rule, _literal(title_of(rule)), Tally.of(rows)))
    total = Tally.of(plan.rows)
    lines.append(_row("**all**", "every occurrence once", total))
    return "\n".join(lines)


def _row(rule: str, title: str, tally: Tally) -> str:
    counts = (tally.rewritten, tally.bridged, tally.left, tally.allowed)
    return f"| {rule} | {title} | {' | '.join(map(str, counts))} |"


def _findings(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        item = row.occurrence
        rules = ", ".join(rules_of(row))
        lines = [f"- {code(item.place)} {rules} {code(item.text)}"]
        lines += [f"  - {_literal(reason)}" for reason in row.reasons[:_REASONS]]
        if len(row.reasons) > _REASONS:
            lines.append(f"  - and {len(row.reasons) - _REASONS} more reasons")
        yield "\n".join(lines)


def _bridged(plan: Migration) -> Iterator[str]:
    notes: dict[str, dict[str, None]] = {}
    for row in plan.rows:
        if is_bridged(row):
            notes.setdefault(row.occurrence.path, {}).update(dict.fromkeys(row.notes))
    for path, reasons in notes.items():
        yield "\n".join([f"- {code(path)}", *(f"  - {_literal(note)}" for note in reasons)])


def _changes(plan: Migration) -> Iterator[str]:
    counts: dict[str, int] = {}
    for row in plan.rows:
        if row.outcome is Outcome.REWRITTEN:
            counts[row.occurrence.path] = counts.get(row.occurrence.path, 0) + 1
    for change in plan.changes:
        number = counts.get(change.shown, 0)
        yield f"- {code(change.shown)} {', '.join(change.rules)}: {number} occurrences"


def _suppressions(plan: Migration) -> Iterator[str]:
    for entry in plan.scanned.suppressions:
        yield f"- {code(entry.path)} {_literal(entry.fault)} ({_literal(entry.reason)})"


def _proofs(plan: Migration, proofs: Sequence[Proof]) -> str:
    """Return a table of the rungs, and the faults below it."""
    if not proofs:
        return ""
    lines = ["| proof | holds | does not hold |", "| --- | ---: | ---: |"]
    table = standing(proofs)
    for level in levels(proofs):
        found = [row[level] for row in table.values() if level in row]
        faults = sum(bool(item.fault) for item in found)
        lines.append(f"| {level} | {len(found) - faults} | {faults} |")
    faulty = (
        f"- {code(item.path)} {item.level}: {_literal(item.fault)}" for item in proofs if item.fault
    )
    title = f"## Proofs for {len(plan.changes)} files"
    return "\n\n".join(
        part for part in (title, "\n".join(lines), _cut("", "faults", faulty)) if part
    )


def _details(title: str, noun: str, items: Iterable[str]) -> str:
    found = list(items)
    if not found:
        return ""
    body = _cut("", noun, found)
    return f"<details>\n<summary>{title} ({len(found)})</summary>\n\n{body}\n\n</details>"


def _cut(title: str, noun: str, items: Iterable[str]) -> str:
    """Join items below a title as far as their share of the report goes."""
    found = list(items)
    if not found:
        return ""
    kept: list[str] = []
    size = 0
    for item in found:
        size += len(item.encode()) + 1
        if size > _SECTION_BYTES:
            break
        kept.append(item)
    if len(kept) < len(found):
        kept.append(f"- and {len(found) - len(kept)} more {noun}, which the JSON report has")
    return "\n\n".join(part for part in (title, "\n".join(kept)) if part)
