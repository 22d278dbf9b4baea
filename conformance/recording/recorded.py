"""A recorded execution as data, and how recordings are read. Nothing here guesses."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.errors import UsageError
from conformance.recording.recorder import SCHEMA

EVENTS = ("execution", "call", "answer", "end")


@dataclass(slots=True)
class RecordedCall:
    """One call of a tool; `outcome` is None where nobody knows it, and `missing` says why."""

    tool: str
    parameters: Any
    at_ms: int
    aliases: Mapping[str, str] = field(default_factory=dict)
    outcome: dict[str, Any] | None = None
    cancelled_ms: int | None = None
    missing: str = "its answer was not recorded: the process may have died in it"


@dataclass(slots=True)
class Recorded:
    """One execution as its recordings have it.

    Attributes:
        end: the last `end` line.
        gaps: what is known to be missing.
        marks: `redacted`, `cut`: what was done to its values.
        place: where its first line is.
    """

    execution_id: str
    place: str
    executor: str = "legacy"
    plan: dict[str, Any] | None = None
    intent: dict[str, Any] | None = None
    calls: dict[str, RecordedCall] = field(default_factory=dict)
    end: Mapping[str, Any] | None = None
    gaps: list[str] = field(default_factory=list)
    marks: set[str] = field(default_factory=set)

    def ordered_calls(self) -> list[RecordedCall]:
        """Return the calls in the order in which they were begun."""
        return list(self.calls.values())


@dataclass(slots=True)
class Recordings:
    """Everything that a set of files holds; `unreadable` are the places of lines that are none."""

    executions: dict[str, Recorded] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)


def read_recordings(paths: Sequence[Path]) -> Recordings:
    """Read recordings; calls of several files are brought into the order of their times.

    A line that was torn by a crash or a full disk is told and left out.

    Raises:
        UsageError: a file cannot be read, or a line is of something else.
    """
    found = Recordings()
    events: list[tuple[dict[str, Any], str]] = []
    for path in paths:
        for number, line in enumerate(_lines(path), start=1):
            if line.strip():
                events.extend(_parsed(found, line, f"{path}:{number}"))
    # An answer may be in a file that is read before that of its call.
    for document, place in sorted(events, key=lambda each: EVENTS.index(each[0]["event"])):
        _take(found, document, place)
    if len(paths) > 1:
        for execution in found.executions.values():
            ordered = sorted(execution.calls.items(), key=lambda item: item[1].at_ms)
            execution.calls = dict(ordered)
    return found


def _lines(path: Path) -> Iterable[str]:
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise UsageError(error.strerror or "cannot be read", place=str(path)) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"is not UTF-8 at byte {error.start}", place=str(path)) from None
    return text.split("\n")


def _parsed(found: Recordings, line: str, place: str) -> Iterable[tuple[dict[str, Any], str]]:
    try:
        document = json.loads(line)
    except json.JSONDecodeError:
        found.unreadable.append(place)
        return
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UsageError(
            f"is no {SCHEMA} line", place=place, advice="conformance.recording.Recorder writes them"
        )
    if document.get("event") not in EVENTS or not isinstance(document.get("execution_id"), str):
        raise UsageError("has no known event or no execution_id", place=place)
    yield document, place


def _take(found: Recordings, document: dict[str, Any], place: str) -> None:
    event, execution_id = document["event"], document["execution_id"]
    execution = found.executions.setdefault(execution_id, Recorded(execution_id, place))
    try:
        execution.marks.update(document.get("marks", ()))
        _TAKERS[event](execution, document, place)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"is no {event} line: {error!r}", place=place) from None


def _take_execution(execution: Recorded, document: dict[str, Any], place: str) -> None:
    if "missing" in document:
        execution.gaps.append(f"{place}: the plan: {document['missing']}")
        return
    plan, intent = document["plan"], document["intent"]
    if execution.plan is not None and execution.plan != plan:
        execution.gaps.append(f"{place}: a second plan was recorded for it")
    execution.plan, execution.intent = plan, intent
    execution.executor = document["executor"]


def _take_call(execution: Recorded, document: dict[str, Any], place: str) -> None:
    if "missing" in document and "tool" not in document:
        execution.gaps.append(f"{place}: a call: {document['missing']}")
        return
    call = RecordedCall(
        tool=document["tool"],
        parameters=document.get("parameters"),
        at_ms=int(document["at_ms"]),
        aliases=document.get("aliases", {}),
    )
    if "missing" in document:
        execution.gaps.append(f"{place}: call of {call.tool}: {document['missing']}")
    execution.calls[document["call"]] = call


def _take_answer(execution: Recorded, document: dict[str, Any], place: str) -> None:
    call = execution.calls.get(document["call"])
    if call is None:
        execution.gaps.append(f"{place}: the answer to a call that was not recorded")
    elif "missing" in document:
        call.missing = document["missing"]
    elif document.get("cancelled"):
        call.cancelled_ms = int(document["latency_ms"])
    else:
        call.outcome = {**document["outcome"], "latency_ms": int(document["latency_ms"])}


def _take_end(execution: Recorded, document: dict[str, Any], place: str) -> None:
    if "missing" in document:
        execution.gaps.append(f"{place}: its end: {document['missing']}")
        return
    _ = document["success"], document["is_partial"], document["steps"].items()
    execution.end = document


_TAKERS = {
    "execution": _take_execution,
    "call": _take_call,
    "answer": _take_answer,
    "end": _take_end,
}
