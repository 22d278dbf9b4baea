"""The summary of a batch: a table for people, a document `codemod-batch/v1` for programs."""

import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

from codemods.migration import Outcome
from conformance.commands.codemod_batch import DONE, REPORTS, BatchResult, Entry
from conformance.commands.codemod_run import Mode
from conformance.errors import ExitCode, worst

SCHEMA_VERSION = "codemod-batch/v1"
_ACCOUNT = ("before", *(outcome.value for outcome in Outcome))


def exit_code_of(result: BatchResult) -> ExitCode:
    """Return the exit code of a batch: that of the repository with the most severe one."""
    return worst(ExitCode(entry["exit_code"]) for entry in result.entries)


def totals(result: BatchResult) -> dict[str, int]:
    """Return the sums over all repositories."""
    done = sum(entry["status"] == DONE for entry in result.entries)
    accounts: list[Mapping[str, int]] = [
        entry["accounting"] for entry in result.entries if entry["accounting"]
    ]
    return {
        "repositories": len(result.entries),
        "done": done,
        "failed": len(result.entries) - done,
        "known": result.known,
        "files": sum(len(entry["files"]["changed"]) for entry in result.entries if entry["files"]),
        **{name: sum(account[name] for account in accounts) for name in _ACCOUNT},
    }


def to_document(result: BatchResult, source: str, state: str, mode: Mode) -> dict[str, Any]:
    """Return the summary as plain JSON data; reports lie in the folder `reports` of `state`."""
    return {
        "schema_version": SCHEMA_VERSION,
        "planproof": version("planproof"),
        "source": source,
        "state": state,
        "mode": mode,
        "exit_code": int(exit_code_of(result)),
        "totals": totals(result),
        "repositories": list(result.entries),
    }


def to_json(result: BatchResult, source: str, state: str, mode: Mode) -> str:
    """Return the summary as JSON text, in ASCII because a path need not be valid Unicode."""
    return json.dumps(to_document(result, source, state, mode), indent=2) + "\n"


def render(result: BatchResult, state: str, mode: Mode) -> str:
    """Return the summary as text: a line for each repository, what failed and why, the sums."""
    head = ("repository", "", "exit", "files", *_ACCOUNT)
    rows = [head, *(_cells(entry) for entry in result.entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines += [line for entry in result.entries for line in _faults(entry)]
    found = totals(result)
    counts = " + ".join(f"{found[outcome.value]} {outcome}" for outcome in Outcome)
    known = f" ({found['known']} of them before)" if found["known"] else ""
    states = f"{found['done']} done{known} + {found['failed']} failed"
    verb = "written" if mode == "write" else "to write"
    lines += [
        f"{found['repositories']} repositories = {states}",
        f"{found['before']} occurrences = {counts}; {found['files']} files {verb}",
        f"a report of each: {state}/{REPORTS}",
    ]
    text = "\n".join(lines) + "\n"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _cells(entry: Entry) -> tuple[str, ...]:
    account = entry["accounting"]
    numbers = [str(account[name]) for name in _ACCOUNT] if account else ["-"] * len(_ACCOUNT)
    files = str(len(entry["files"]["changed"])) if entry["files"] else "-"
    return entry["repository"], entry["status"], str(entry["exit_code"]), files, *numbers


def _faults(entry: Entry) -> Iterator[str]:
    name = entry["repository"]
    error = entry["error"]
    if error is not None:
        place = error["place"]
        where = f"{place}: " if place and place != name else ""
        advice = f" ({error['advice']})" if error["advice"] else ""
        yield " ".join(f"{name}: {where}{error['message']}{advice}".split())
    for path, reason in entry["unwritten"].items():
        yield f"{name}: {path} is not written: {reason}"
    for fault in entry["faults"]:
        yield f"{name}: {fault['path']}: {fault['level']} does not hold: {fault['fault']}"
