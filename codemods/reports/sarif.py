"""The report for code scanning: SARIF 2.1.0 (OASIS), with the planned changes as fixes.

Reported occurrences are results, and before the changes are written so are those that would be
rewritten. A result has the same fingerprint as long as its line is the same, wherever it moves.
Lines and columns count from 1 and characters from 0, in Unicode code points without a byte order
mark.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote_from_bytes

from codemods.migration import Change, Migration, Outcome, Row
from codemods.occurrence import Scope, Status
from codemods.reports.account import (
    WHOLE,
    fingerprints,
    is_blocking,
    printable,
    rules_of,
    tool_version,
)
from codemods.reports.explanations import Explanation, explanations
from codemods.reports.replacements import Replacement, decoded, encoding_of, replacements
from codemods.source import Source
from codemods.verification import Proof

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
BASE = "%SRCROOT%"
FINGERPRINT = "occurrence/v1"
# Every result of a group has the group's whole fix, because a part of it would break the code.
# Of a larger group only the first result has it, so that a report grows with the plan alone.
FIX_REPLACEMENTS = 40


def render(plan: Migration, proofs: Sequence[Proof], *, written: bool) -> str:
    """Return the report as JSON text in ASCII, ending in a newline."""
    return json.dumps(to_document(plan, proofs, written=written), indent=2) + "\n"


def to_document(plan: Migration, proofs: Sequence[Proof], *, written: bool) -> dict[str, Any]:
    """Return the SARIF log as plain JSON data."""
    rules = tuple(explanations().values())
    index = {rule.id: number for number, rule in enumerate(rules)}
    root = quote_from_bytes(_bytes(plan.scanned.root.rstrip("/")))
    run = {
        "tool": {
            "driver": {
                "name": "planproof",
                "version": tool_version(),
                "rules": [_rule(item) for item in rules],
            }
        },
        "automationDetails": {"id": "planproof/codemod/"},
        "originalUriBaseIds": {BASE: {"uri": f"file://{root}/"}},
        "columnKind": "unicodeCodePoints",
        "newlineSequences": ["\r\n", "\n", "\r"],
        "invocations": [_invocation(proofs)],
        "artifacts": [_artifact(change) for change in plan.changes],
        "results": list(_results(plan, index, written=written)),
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(item: Explanation) -> dict[str, Any]:
    parts = [item.text]
    for example in item.examples:
        state = "left alone" if example.is_noop else "before"
        parts.append(f"{example.name}, {state}:\n\n```\n{example.before}```")
        if not example.is_noop:
            parts.append(f"after:\n\n```\n{example.after}```")
    help_text = "\n\n".join((*parts, *item.names))
    return {
        "id": item.id,
        "name": "".join(word.capitalize() for word in _words(item.title)),
        "shortDescription": {"text": item.title},
        "fullDescription": {"text": item.text},
        "help": {"text": item.text, "markdown": help_text},
        "defaultConfiguration": {"level": "error"},
    }


def _words(title: str) -> list[str]:
    return "".join(char if char.isalnum() else " " for char in title).split()


def _invocation(proofs: Sequence[Proof]) -> dict[str, Any]:
    notes = []
    for proof in proofs:
        if not proof.fault:
            continue
        text = f"{proof.level} does not hold for {proof.path}: {proof.fault}"
        note: dict[str, Any] = {"level": "error", "message": {"text": printable(text)}}
        if proof.path != WHOLE:
            place = {"physicalLocation": {"artifactLocation": _location(proof.path)}}
            note["locations"] = [place]
        notes.append(note)
    return {"executionSuccessful": not notes, "toolExecutionNotifications": notes}


def _artifact(change: Change) -> dict[str, Any]:
    encoding = encoding_of(change.before, change.shown)
    return {"location": _location(change.shown), "encoding": encoding}


def _location(shown: str) -> dict[str, str]:
    return {"uri": quote_from_bytes(_bytes(shown)), "uriBaseId": BASE}


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _results(
    plan: Migration, index: Mapping[str, int], *, written: bool
) -> Iterator[dict[str, Any]]:
    fixes = _Fixes(plan)
    for row, fingerprint in zip(plan.rows, fingerprints(plan.rows), strict=True):
        if row.outcome is Outcome.ALLOWED or (row.outcome is Outcome.REWRITTEN and written):
            continue
        rule = rules_of(row)[0]
        result: dict[str, Any] = {
            "ruleId": rule,
            "ruleIndex": index[rule],
            "level": _level(row),
            "message": {"text": _message(row)},
            "locations": [_place(row)],
            "partialFingerprints": {FINGERPRINT: fingerprint},
        }
        fix = fixes.take(row) if row.outcome is Outcome.REWRITTEN else None
        if fix is not None:
            result["fixes"] = [fix]
        yield result


def _level(row: Row) -> str:
    if row.outcome is Outcome.REWRITTEN:
        return "note"
    is_use = row.occurrence.status in {Status.USE, Status.UNEXAMINED}
    return "error" if is_use and is_blocking(row) else "warning"


def _message(row: Row) -> str:
    item = row.occurrence
    what = item.target or item.needle or item.kind.value
    scope = " in test code" if item.scope is Scope.TEST else ""
    if row.outcome is Outcome.REWRITTEN:
        says = f"{what}{scope} can be rewritten by {', '.join(rules_of(row))}."
        return printable(" ".join((says, *row.notes)))
    where = f" (cell {item.cell}, line {item.line})" if item.cell is not None else ""
    return printable(f"{what}{scope} is left{where}: {'; '.join(row.reasons)}")


def _place(row: Row) -> dict[str, Any]:
    """Return the location; of a notebook the file alone, as lines are those of a cell."""
    item = row.occurrence
    location: dict[str, Any] = {"artifactLocation": _location(item.path)}
    if item.cell is not None:
        cell = {"name": f"cell {item.cell}", "kind": "cell"}
        return {"physicalLocation": location, "logicalLocations": [cell]}
    location["region"] = {
        "startLine": item.line,
        "startColumn": item.column,
        "endColumn": max(item.end_column, item.column),
        "snippet": {"text": printable(item.text)},
    }
    return {"physicalLocation": location}


class _Fixes:
    """The fixes of a plan, one for each group of changes."""

    def __init__(self, plan: Migration) -> None:
        self._group_of = {change.shown: change.group for change in plan.changes}
        self._members: dict[int, list[Change]] = defaultdict(list)
        for change in plan.changes:
            self._members[change.group].append(change)
        self._built: dict[int, tuple[dict[str, Any], int]] = {}
        self._given: set[int] = set()

    def take(self, row: Row) -> dict[str, Any] | None:
        """Return the fix that rewrites a row; None where another result has it.

        None too for a use through a facade, whose own file stays as it is.
        """
        group = self._group_of.get(row.occurrence.path)
        if group is None:
            return None
        if group not in self._built:
            self._built[group] = self._build(group)
        fix, size = self._built[group]
        if group in self._given and size > FIX_REPLACEMENTS:
            return None
        self._given.add(group)
        return fix

    def _build(self, group: int) -> tuple[dict[str, Any], int]:
        changes = []
        size = 0
        for change in self._members[group]:
            found = replacements(change)
            size += len(found)
            source = Source.of(decoded(change.before, change.shown))
            changes.append(
                {
                    "artifactLocation": _location(change.shown),
                    "replacements": [_replacement(source, item) for item in found],
                }
            )
        files = ", ".join(printable(item.shown) for item in self._members[group][:3])
        more = ", and others" if len(changes) > 3 else ""  # noqa: PLR2004 - as many as are named
        text = f"Migrate {files}{more}; these changes belong together."
        return {"description": {"text": text}, "artifactChanges": changes}, size


def _replacement(source: Source, item: Replacement) -> dict[str, Any]:
    line, column = source.line_column(item.start)
    end_line, end_column = source.line_column(item.end)
    return {
        "deletedRegion": {
            "startLine": line,
            "startColumn": column,
            "endLine": end_line,
            "endColumn": end_column,
            "charOffset": item.start,
            "charLength": item.end - item.start,
        },
        "insertedContent": {"text": item.new},
    }
