"""Without these the benchmark could count the wrong thing, or praise an engine that did nothing."""

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import RedisServer

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _repository(monkeypatch):
    # Benchmarks are run from the root of the repository and not installed.
    monkeypatch.syspath_prepend(str(ROOT))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "benchmarks"]:
        del sys.modules[name]


@pytest.mark.redis
@pytest.mark.slow
def test_a_quick_run_counts_what_our_own_send(capsys):
    from benchmarks.engine.__main__ import main
    from benchmarks.engine.contenders import FLOOR, LEGACY, OURS

    assert main(["--quick", "--own"]) in (0, 1)
    printed = capsys.readouterr()
    assert "starting: planproof engine" in printed.err and "met: round trips" in printed.err
    found = json.loads(printed.out)
    assert (found["benchmark"], found["schema_version"]) == ("engine", "benchmark-engine/v1")
    assert list(found["contenders"]) == [FLOOR, OURS, LEGACY]
    assert found["not_measured"] == {}
    floor, ours, legacy = (found["contenders"][name] for name in (FLOOR, OURS, LEGACY))
    # The floor's own: one write of the fence, then one script a step.
    assert {steps: one["round_trips"] for steps, one in floor["sent"].items()} == {
        "10": 11,
        "100": 101,
    }
    for steps, one in ours["sent"].items():
        assert one["round_trips"] <= int(steps) + 3
    sizes = {steps: one["bytes_per_step"] for steps, one in ours["sent"].items()}
    assert sizes["1000"] == pytest.approx(sizes["100"], rel=0.1)
    assert legacy["sent"]["100"]["bytes_per_step"] > 5 * legacy["sent"]["10"]["bytes_per_step"]
    for item in found["contenders"].values():
        assert set(item["series"]) == {"10 steps", "100 steps", "10 steps, 50 at once"}
        assert all(one["over_floor"] > 0 for one in item["series"].values())
        assert item["peak_mb"] > 0 and item["import_cpu_ms"] > 0
    counted = [one for one in found["targets"] if one["figure"].startswith(("round", "bytes"))]
    assert len(counted) == 4 and all(one["met"] for one in counted)


def test_a_run_that_did_no_work_is_no_measurement(monkeypatch):
    from benchmarks.engine.measurement import Agent
    from benchmarks.engine.workload import Load
    from conformance.errors import HarnessError

    agent = Agent.__new__(Agent)
    agent.name, agent._runs = "lazy", 0
    monkeypatch.setattr(agent, "_ask", lambda _order: {"steps": 9})
    assert agent.run(Load(9, 1))["steps"] == 9
    with pytest.raises(HarnessError, match="9 of 10 steps were done"):
        agent.run(Load(10, 1))


@pytest.mark.redis
def test_what_cannot_be_opened_says_why(tmp_path, redis_server: RedisServer):
    from benchmarks.engine.contenders import OURS
    from benchmarks.engine.measurement import Agent
    from conformance.errors import HarnessError

    redis_server.stop()
    agent = Agent(OURS, redis_server.url, tmp_path / "ours")
    try:
        from benchmarks.engine.workload import Load

        with pytest.raises(HarnessError, match="StoreUnavailableError"):
            agent.run(Load(10, 1))
    finally:
        agent.close()


class Turns:
    """An agent that takes as long as it is told to, and notes whose turn it was."""

    def __init__(self, name, seconds, order):
        self.name, self._seconds, self._order = name, iter(seconds), order

    def run(self, load):
        self._order.append(self.name)
        wall_s = next(self._seconds) * load.total
        return {"steps": load.total, "wall_s": wall_s, "cpu_s": wall_s / 2}


def test_a_ratio_is_taken_to_the_floor_before_and_after():
    from benchmarks.engine.contenders import FLOOR, OURS
    from benchmarks.engine.measurement import Series, run_rounds
    from benchmarks.engine.workload import Load

    order = []
    # The machine gets slower all the time; the first of each is the warm-up.
    agents = [
        Turns(FLOOR, [9, 1, 3, 5, 7, 9, 11], order),
        Turns(OURS, [9, 4, 20], order),
        Turns("peer", [9, 8, 24], order),
    ]
    series = Series("10 steps", Load(10, 4), slow=1, rounds=2, slow_rounds=2)
    figures = run_rounds(agents, [series], lambda _text: None)
    assert order[3:] == [FLOOR, OURS, FLOOR, "peer", FLOOR, FLOOR, "peer", FLOOR, OURS, FLOOR]
    assert [one.ratio for one in figures[OURS].samples["10 steps"]] == [2 / 4, 10 / 20]
    assert [one.ratio for one in figures["peer"].samples["10 steps"]] == [4 / 8, 8 / 24]
    assert [one.cpu_ratio for one in figures[OURS].samples["10 steps"]] == [0.5, 0.5]


@pytest.mark.parametrize(("ratio", "trips", "met"), [(0.5, 103, True), (0.49, 104, False)])
def test_targets_are_judged_and_shown(ratio, trips, met):
    from benchmarks.engine.contenders import FLOOR, LEGACY, OURS
    from benchmarks.engine.measurement import Figures, Sample, Sent, Series
    from benchmarks.engine.report import document, table
    from benchmarks.engine.workload import Load

    listed = [Series("100 steps", Load(100, 1), slow=1, rounds=1, slow_rounds=1)]

    def figures(value):
        samples = {"100 steps": [Sample(1_000, value, value)]}
        return Figures(samples, {"100": Sent(1_000, trips)}, 50, 100)

    measured = {FLOOR: figures(1.0), OURS: figures(ratio), LEGACY: figures(0.1)}
    measured["peer"] = figures(ratio * (0.9 if met else 1.1))
    found = document(measured, listed, {"other": "ModuleNotFoundError: No module named 'other'"})
    results = {one["figure"]: one["met"] for one in found["targets"]}
    assert results == {
        "round trips, 100 steps": met,
        "over the floor, 100 steps": met,
        "over the legacy executor, 100 steps": met,
        "over peer, 100 steps": met,
    }
    text = table(found, listed)
    assert text.count("met: " if met else "MISSED: ") == 4
    assert "not measured: other: ModuleNotFoundError" in text
