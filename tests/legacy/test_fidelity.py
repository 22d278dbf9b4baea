"""The frozen executor leaves the original's traces, field for field, on every recorded scenario."""

import json
from pathlib import Path

import pytest

from conformance.cli import run
from conformance.runner import run_scenario
from conformance.scenario import read_corpus

FOLDER = Path(__file__).parents[1] / "fixtures" / "legacy"
SCENARIOS = {s.name: s for s in read_corpus([FOLDER / "scenarios.jsonl"])}
TRACES = {
    trace["scenario"]: trace
    for trace in map(json.loads, (FOLDER / "traces.jsonl").read_text("utf-8").splitlines())
}


def test_the_recording_is_whole():
    assert len(SCENARIOS) == 160
    assert list(SCENARIOS) == list(TRACES)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_trace_is_the_originals(name):
    trace = run_scenario(SCENARIOS[name], "legacy")
    assert list(trace) == list(TRACES[name])
    for field, expected in TRACES[name].items():
        assert trace[field] == expected, field


@pytest.mark.redis
def test_a_real_store_gives_the_same_bytes(redis_url, tmp_path):
    output = tmp_path / "traces.jsonl"
    arguments = ["trace", "--executor", "legacy", "--output", str(output)]
    assert run([*arguments, "--store", redis_url, str(FOLDER / "scenarios.jsonl")]) == 0
    assert output.read_bytes() == (FOLDER / "traces.jsonl").read_bytes()
