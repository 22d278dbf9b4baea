"""The history of runs: each once, by series, readable by people, and never a half-made file."""

import sqlite3

import pytest

from conformance.errors import HarnessError, UsageError
from conformance.report import Verdict
from conformance.report_history import VERSION, read, record, series_of, sparkline
from conformance.report_model import Gauge, Item, Metric, RunReport, Status

NOW = "2026-11-29T12:00:00.000Z"


def _run(started_at="", size=40.0, **fields):
    gauge = Gauge(value=size, goal=20, low=0, high=100, unit="%", better="higher")
    metric = Metric(id="engine-size", title="t", verdict=Verdict.MET, figure="f", gauge=gauge)
    given = {
        "kind": "gate",
        "product_version": "1",
        "subject": "/repo",
        "profile": "pr",
        "started_at": started_at,
        "metrics": (metric,),
        "items": (Item(id="a", group="g", status=Status.PASSED),),
    }
    return RunReport(**(given | fields))


def test_runs_are_kept_in_order_and_each_once(tmp_path):
    file = tmp_path / "new" / "history.sqlite"
    later, earlier = _run("2026-11-03T00:00:00Z", 30.0), _run("2026-11-02T00:00:00Z", 20.0)
    assert record(file, [later, earlier, later], now=NOW) == 2
    assert record(file, [later], now=NOW) == 0
    runs = read(file, "gate pr")
    assert [run.metrics["engine-size"].value for run in runs] == [20.0, 30.0]
    assert (runs[0].exit_code, runs[0].counts) == (0, {"passed": 1})
    assert len(read(file, limit=1)) == 1
    assert read(file, limit=1)[0].started_at == "2026-11-03T00:00:00Z"


def test_a_run_of_unknown_time_is_recorded_at_the_time_of_recording(tmp_path):
    file = tmp_path / "history.sqlite"
    record(file, [_run()], now=NOW)
    assert read(file)[0].started_at == NOW


def test_only_comparable_runs_are_a_series(tmp_path):
    file = tmp_path / "history.sqlite"
    diff = {"kind": "diff", "profile": "", "executors": ("legacy", "unified")}
    shipped, chosen = _run(source="the shipped corpus", **diff), _run(source="a.json", **diff)
    assert series_of(shipped) == "diff legacy unified the shipped corpus"
    record(file, [_run(), _run(profile="nightly"), shipped, chosen], now=NOW)
    assert [len(read(file, series_of(run))) for run in (_run(), shipped, chosen)] == [1, 1, 1]
    assert len(read(file)) == 4


def test_a_file_that_is_no_history_is_named(tmp_path):
    file = tmp_path / "history.sqlite"
    with pytest.raises(UsageError, match="there is no history"):
        read(file)
    file.write_text("no database, though it is long enough to be looked at\n" * 50)
    with pytest.raises(HarnessError, match="the history cannot be used: file is not a database"):
        record(file, [_run()], now=NOW)


def test_a_newer_file_is_left_alone(tmp_path):
    file = tmp_path / "history.sqlite"
    connection = sqlite3.connect(file)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(HarnessError, match="the history has version 2"):
        record(file, [_run()], now=NOW)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HarnessError, match=r"File exists|Not a directory"):
        record(tmp_path / "file" / "history.sqlite", [_run()], now=NOW)


@pytest.mark.parametrize(
    ("values", "bars"),
    [([], ""), ([1.0], "▁"), ([0.0, 7.0, None, 3.5], "▁█·▅"), ([2.0, 2.0], "▁▁")],
)
def test_bars_go_from_the_lowest_to_the_highest(values, bars):
    assert sparkline(values) == bars
