"""The report for programs: every occurrence with its outcome, as `codemod/v1`.

Fields may be added; none is renamed, and none changes its meaning without another version.
"""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from codemods.migration import Migration, Outcome
from codemods.reports.account import (
    Tally,
    by_rule,
    fingerprints,
    is_blocking,
    is_bridged,
    levels,
)
from codemods.reports.explanations import title_of
from codemods.verification import Proof

SCHEMA_VERSION = "codemod/v1"


def render(plan: Migration, proofs: Sequence[Proof], *, written: bool) -> str:
    """Return the report as JSON text, ending in a newline.

    In ASCII, because a file's name need not be valid Unicode.
    """
    return json.dumps(to_document(plan, proofs, written=written), indent=2) + "\n"


def to_document(plan: Migration, proofs: Sequence[Proof], *, written: bool) -> dict[str, Any]:
    """Return the report as plain JSON data."""
    tally = Tally.of(plan.rows)
    return {
        "schema_version": SCHEMA_VERSION,
        "root": plan.scanned.root,
        "written": written,
        "files": {
            "found": plan.scanned.files_found,
            "examined": plan.scanned.files_examined,
            "changed": [change.shown for change in plan.changes],
        },
        "accounting": {
            "before": len(plan.rows),
            **{outcome.value: plan.count(outcome) for outcome in Outcome},
        },
        "bridged": tally.bridged,
        "blocking": sum(map(is_blocking, plan.rows)),
        "rules": {
            rule: {"title": title_of(rule), **dataclasses.asdict(Tally.of(rows))}
            for rule, rows in by_rule(plan.rows).items()
        },
        "changes": [
            {"path": change.shown, "rules": list(change.rules), "group": change.group}
            for change in plan.changes
        ],
        "levels": list(levels(proofs)),
        "verification": [dataclasses.asdict(item) for item in proofs],
        "suppressions": [dataclasses.asdict(item) for item in plan.scanned.suppressions],
        "occurrences": [
            {
                **dataclasses.asdict(row.occurrence),
                "fingerprint": fingerprint,
                "outcome": row.outcome.value,
                "bridged": is_bridged(row),
                "blocking": is_blocking(row),
                "rules": list(row.rules),
                "reasons": list(row.reasons),
                "notes": list(row.notes),
            }
            for row, fingerprint in zip(plan.rows, fingerprints(plan.rows), strict=True)
        ],
    }
