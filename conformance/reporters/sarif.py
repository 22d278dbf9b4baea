"""A report as SARIF 2.1.0 (OASIS): everything in it that has a file and a line.

A fingerprint is a hash of the path, the rule and the text of the line, or of the item's name where
there is no text; so an alert stays the same when other lines move, come or go.
"""

import hashlib
import json
import re
from collections import Counter
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from conformance.report_model import Item, Place, RunReport, Status

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
BASE = "%SRCROOT%"
FINGERPRINT = "item/v1"
MAX_RESULTS = 25_000  # what code scanning services accept in one run
_BLANKS = re.compile(r"\s+")
_LEVELS = {
    Status.FAILED: "error",
    Status.NONDETERMINISTIC: "error",
    Status.HARNESS_ERROR: "error",
    Status.LEDGER_FAULT: "error",
    Status.UNTESTABLE: "warning",
    Status.UNKNOWN: "warning",
    Status.LEDGERED: "note",
    Status.PASSED: "none",
}
# How a scenario that diverges is called, whose kinds are attributions.
_RULES = {
    Status.FAILED: "regression",
    Status.NONDETERMINISTIC: "nondeterministic",
    Status.LEDGERED: "accepted",
}


def render(report: RunReport) -> str:
    """Return the report as JSON text in ASCII, ending in a newline."""
    return json.dumps(to_document(report), indent=1) + "\n"


def to_document(report: RunReport) -> dict[str, Any]:
    """Return the SARIF log as plain JSON data."""
    placed = [
        (item, item.place)
        for item in report.items
        if item.place is not None and item.status is not Status.PASSED
    ][:MAX_RESULTS]
    rules = sorted({_rule(item) for item, _ in placed})
    index = {rule: number for number, rule in enumerate(rules)}
    seen: Counter[str] = Counter()
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "planproof",
                "version": report.product_version,
                "rules": [
                    {
                        "id": rule,
                        "name": "".join(part.capitalize() for part in re.split(r"\W+", rule)),
                        "shortDescription": {"text": _title(rule, report)},
                        "defaultConfiguration": {"level": "error"},
                    }
                    for rule in rules
                ],
            }
        },
        "automationDetails": {"id": f"planproof/{report.kind}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": all(
                    item.status is not Status.HARNESS_ERROR for item in report.items
                )
            }
        ],
        "results": [_result(item, place, report, index, seen) for item, place in placed],
    }
    if report.root:
        root = quote(report.root.rstrip("/"))
        run["originalUriBaseIds"] = {BASE: {"uri": f"file://{root}/"}}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(item: Item) -> str:
    if item.group == "scenarios":
        return f"scenario/{_RULES.get(item.status, item.status.value)}"
    word = _BLANKS.sub("-", item.kind or item.id)
    return word if re.fullmatch(r"[A-Z]{2}\d+", word) else f"{_BLANKS.sub('-', item.group)}/{word}"


def _title(rule: str, report: RunReport) -> str:
    if re.fullmatch(r"DE\d+", rule):
        return f"A use of the legacy module ({rule})"
    return f"planproof {report.kind}: {rule}"


def _result(
    item: Item, place: Place, report: RunReport, index: dict[str, int], seen: Counter[str]
) -> dict[str, Any]:
    rule = _rule(item)
    level = _LEVELS[item.status]
    if item.role == "advisory" and level in {"error", "warning"}:
        level = "note"
    lines = [f"{item.title or item.id}: {item.message}"]
    if item.replay:
        lines.append(f"Replay: {item.replay}")
    return {
        "ruleId": rule,
        "ruleIndex": index[rule],
        "level": level,
        "message": {"text": "\n".join(lines)},
        "locations": [{"physicalLocation": _location(place, report)}],
        "partialFingerprints": {FINGERPRINT: _fingerprint(item, place, rule, seen)},
    }


def _location(place: Place, report: RunReport) -> dict[str, Any]:
    region: dict[str, Any] = {"startLine": place.line}
    if place.column is not None:
        region["startColumn"] = place.column
        if place.end_column is not None:
            region["endColumn"] = place.end_column
    if place.text:
        region["snippet"] = {"text": place.text}
    path = PurePath(place.path)
    location = {"uri": quote(path.as_posix())}
    if path.is_absolute():
        location["uri"] = f"file://{location['uri']}"
    elif report.root:
        location["uriBaseId"] = BASE
    return {"artifactLocation": location, "region": region}


def _fingerprint(item: Item, place: Place, rule: str, seen: Counter[str]) -> str:
    text = _BLANKS.sub("", place.text) if place.text else item.id
    digest = hashlib.sha256(f"{place.path}\0{rule}\0{text}".encode()).hexdigest()[:16]
    seen[digest] += 1
    # The first of several equal ones keeps its name when another one is added after it.
    return digest if seen[digest] == 1 else f"{digest}:{seen[digest]}"
