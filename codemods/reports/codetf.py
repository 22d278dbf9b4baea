"""The report in the Code Transformation Format, CodeTF v3: one result for each occurrence.

The states of a fix are the format's: `fixed` (rewritten), `skipped` (left, with the reasons),
`failed` (a proof does not hold, or the file could not be examined), `wontfix` (allowed).
Every result has the part of its file's diff that shows its line.
"""

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from codemods.migration import Change, Migration, Outcome, Row
from codemods.occurrence import Status
from codemods.reports.account import (
    account_line,
    fingerprints,
    levels,
    printable,
    rules_of,
    standing,
    tool_version,
)
from codemods.reports.explanations import explanations, title_of
from codemods.reports.replacements import Hunk, hunks
from codemods.verification import Proof

_HANDED_ON = "handed on by "
# A result of a file without a change of its own shows the facade's, which may be long.
_HUNKS = 4


def render(plan: Migration, proofs: Sequence[Proof], *, written: bool) -> str:
    """Return the report as JSON text in ASCII, ending in a newline."""
    return json.dumps(to_document(plan, proofs, written=written), indent=2) + "\n"


def to_document(plan: Migration, proofs: Sequence[Proof], *, written: bool) -> dict[str, Any]:
    """Return the CodeTF document as plain JSON data."""
    faults = {
        path: "; ".join(
            f"{item.level} does not hold: {item.fault}" for item in found.values() if item.fault
        )
        for path, found in standing(proofs).items()
    }
    files = {change.shown: _File(change) for change in plan.changes}
    sources = _facades(plan)
    results = [
        _result(
            row, identity, _changed(row.occurrence.path, files, sources), faults, written=written
        )
        for row, identity in zip(plan.rows, fingerprints(plan.rows), strict=True)
    ]
    return {
        "run": {
            "vendor": "planproof",
            "tool": "planproof codemod",
            "version": tool_version(),
            "projectMetadata": printable(plan.scanned.root),
            "analysisMetadata": {
                "account": account_line(plan),
                "filesExamined": plan.scanned.files_examined,
                "filesFound": plan.scanned.files_found,
                "proofs": list(levels(proofs)),
                "written": written,
            },
        },
        "results": results,
    }


class _File:
    """One change, with its diff in pieces."""

    def __init__(self, change: Change) -> None:
        self._change = change

    @cached_property
    def _hunks(self) -> tuple[Hunk, ...]:
        return hunks(self._change)

    def change_sets(self, row: Row) -> list[dict[str, Any]]:
        """Return what changes at a row's line, or near it, or all over the file it comes from."""
        found = self._hunks
        is_own = row.occurrence.path == self._change.shown and row.occurrence.cell is None
        if is_own and found:
            index = bisect_left([item.last for item in found], row.occurrence.line)
            found = (found[min(index, len(found) - 1)],)
        return [self._change_set(item, row) for item in found[:_HUNKS]]

    def _change_set(self, item: Hunk, row: Row) -> dict[str, Any]:
        says = "; ".join((", ".join(rules_of(row)), *row.notes))
        change = {
            "lineNumber": item.first,
            "description": printable(f"Rewritten by {says}"),
            "diffSide": "left",
        }
        return {
            "path": printable(self._change.shown),
            "diff": _plain(item.text),
            "changes": [change],
        }


def _facades(plan: Migration) -> dict[str, str]:
    """Return, for a file that takes names from a facade, the facade's path."""
    return {
        row.occurrence.path: row.occurrence.reason.removeprefix(_HANDED_ON)
        for row in plan.rows
        if row.occurrence.reason.startswith(_HANDED_ON)
    }


def _changed(path: str, files: Mapping[str, _File], sources: Mapping[str, str]) -> _File | None:
    """Return the file whose change makes a use right: its own, or that of the facade behind it."""
    seen: set[str] = set()
    while path not in files and path in sources and path not in seen:
        seen.add(path)
        path = sources[path]
    return files.get(path)


def _result(
    row: Row, identity: str, file: _File | None, faults: Mapping[str, str], *, written: bool
) -> dict[str, Any]:
    item = row.occurrence
    rule = rules_of(row)[0]
    status = _status(row, faults.get(item.path, ""), is_changed=file is not None)
    result: dict[str, Any] = {
        "finding": {"id": identity, "rule": {"id": rule, "name": title_of(rule)}},
        "fixStatus": status,
    }
    if status["status"] == "fixed" and file is not None:
        result["changeSets"] = file.change_sets(row)
        result["fixMetadata"] = {
            "id": f"planproof:{rule}",
            "summary": title_of(rule),
            "description": explanations()[rule].text,
            "references": [],
            "generation": {"strategy": "deterministic", "provisional": not written},
        }
    return result


def _status(row: Row, fault: str, *, is_changed: bool) -> dict[str, str]:
    item = row.occurrence
    reasons = "; ".join(row.reasons)
    if row.outcome is Outcome.ALLOWED:
        state, reason = "wontfix", reasons
    elif row.outcome is Outcome.REPORTED:
        state, reason = "skipped", reasons
        if fault or item.status is Status.UNEXAMINED:
            state = "failed"
    elif fault:
        state, reason = "failed", fault
    elif not is_changed:
        state, reason = "skipped", "it needs no change: where the name comes from keeps it"
    else:
        state, reason = "fixed", "; ".join(row.notes)
    status = {"status": state, "details": printable(f"{item.place} {item.kind}: {item.text}")}
    if reason:
        status["reason"] = printable(reason)
    return status


def _plain(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
