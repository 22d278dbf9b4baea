"""Every scenario of the corpus really shows what it is about, in the frozen executor."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import conformance
from conformance.runner import run_scenario
from conformance.scenario import read_corpus

CORPUS = {s.name: s for s in read_corpus([Path(conformance.__file__).parent / "scenarios"])}
TABLE = Path(__file__).parents[1] / "fixtures" / "scenarios" / "legacy.txt"


@dataclass
class Expected:
    end: str
    status: str | None
    steps: str
    calls: int
    facts: list[tuple[str, bool, object]] = field(default_factory=list)


def _read_table():
    table = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith(" "):
            path, negated, value = re.fullmatch(r" +([^=!]+?)(!?)=(.*)", line).groups()
            list(table.values())[-1].facts.append((path, bool(negated), json.loads(value)))
            continue
        name, end, status, steps, calls = line.split(" | ")
        assert name not in table
        table[name] = Expected(end, _none(status), _letters(steps), int(calls))
    return table


def _none(text):
    return None if text == "-" else text


def _letters(text):
    """Expand `c*3 p` to `cccp`."""
    parts = ("" if text == "-" else text).split()
    return "".join(
        part[0] * int(part[2:]) if re.fullmatch(r".\*\d+", part) else part for part in parts
    )


EXPECTED = _read_table()


def _end(segment, expected):
    """Say how a call ended, in the words of the table."""
    if segment.get("crashed"):
        return "crashed"
    if "threw" in segment:
        kind, _, part = expected.partition(" ")
        return expected if kind == "threw" and part in segment["threw"] else segment["threw"]
    if segment["success"]:
        return "success"
    if segment["is_partial"]:
        return "partial"
    if segment["error_code"] == "STEP_FAILED":
        return "failed"
    assert segment["error_code"] == "EXECUTION_FAILED"
    message = segment["error_message"]
    deadlock = re.fullmatch(r"Execution deadlock: (-?\d+) pending steps, none ready", message)
    if deadlock:
        return f"deadlock {deadlock[1]}"
    return f"error {message}"


def _at(value, path):
    """Follow a dotted path; a name may itself hold dots or colons if it is the last one."""
    parts = path.split(".")
    for position, part in enumerate(parts):
        rest = ".".join(parts[position:])
        if isinstance(value, dict) and rest in value:
            return value[rest]
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            return None
    return value


def test_the_table_is_about_the_corpus():
    assert EXPECTED.keys() == CORPUS.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_legacy_shows_what_the_scenario_is_about(name):
    expected = EXPECTED[name]
    trace = run_scenario(CORPUS[name], "legacy")
    shown = Expected(
        _end(trace["segments"][-1], expected.end),
        trace["status"],
        "".join(step["status"][0] for step in trace["steps"]),
        len(trace["calls"]),
    )
    assert shown == Expected(expected.end, expected.status, expected.steps, expected.calls)
    for path, negated, value in expected.facts:
        found = _at(trace, path)
        assert (found != value) if negated else (found == value), f"{path} is {found!r}"
