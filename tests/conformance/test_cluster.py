"""Campaigns on a Dask cluster: without this a lost worker would lose or double verdicts."""

import json
import os
import signal
import socket

import pytest

from conformance import cluster
from conformance.cli import run
from conformance.cluster import ClusterAddress, open_cluster, parse_cluster
from conformance.commands import diff
from conformance.errors import HarnessError, UsageError

LOCAL = "dask://local?workers=3"
CASES = "90"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("dask://local", ClusterAddress(None, 2)),
        (LOCAL, ClusterAddress(None, 3)),
        ("dask://scheduler.example:8786", ClusterAddress("tcp://scheduler.example:8786")),
        ("dask://[::1]:8786/", ClusterAddress("tcp://[::1]:8786")),
    ],
)
def test_a_url_names_a_cluster(url, address):
    assert parse_cluster(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "dask://",
        "dask://host",
        "dask://host:99999",
        "tcp://host:1",
        "dask://host:1/path",
        "dask://host:1?workers=2",
        "dask://user@host:1",
        "dask://local?workers=0",
        "dask://local?workers=x",
        "dask://local?workers=65",
        "dask://local?cores=2",
    ],
)
def test_what_names_no_cluster_is_a_fault_of_usage(url):
    with pytest.raises(UsageError, match="names no cluster"):
        parse_cluster(url)


def _document(folder, name, *options):
    file = folder / f"{name}.json"
    arguments = ["diff", "--generated", CASES, "--seed", "11", "--findings", str(folder / "found")]
    code = run([*arguments, *options, "--report", f"json={file}"])
    document = json.loads(file.read_text("utf-8"))
    times = [document["run"].pop(field) for field in ("started_at", "duration_ms")]
    assert all(times)
    return code, json.dumps(document).encode()


@pytest.mark.slow
def test_a_worker_that_is_killed_in_the_middle_changes_nothing(tmp_path, monkeypatch, capsys):
    killed, lives = [], []
    opened = []

    def examine_all(*arguments, executor, **options):
        client = opened[0].client
        for number, result in enumerate(
            original(*arguments, executor=executor, **options), start=1
        ):
            if number == 3:  # most cases are under way or not begun
                pid = min(client.run(os.getpid).values())
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
            yield result
        client.wait_for_workers(3, 60)
        lives.extend(client.run(os.getpid).values())

    original = diff.examine_all
    here = _document(tmp_path, "here", "--jobs", "1")
    monkeypatch.setattr(diff, "examine_all", examine_all)

    class Opening:
        def __init__(self, address):
            self._inner = open_cluster(address)

        def __enter__(self):
            opened.append(self._inner.__enter__())
            return opened[0]

        def __exit__(self, *error):
            return self._inner.__exit__(*error)

    monkeypatch.setattr(diff, "open_cluster", Opening)
    there = _document(tmp_path, "there", "--cluster", LOCAL)
    assert there == here
    assert here[0] == 0
    assert len(killed) == 1
    assert len(lives) == 3
    assert killed[0] not in lives
    assert f"{CASES}" in capsys.readouterr().out


def test_a_scheduler_that_is_not_there_is_a_fault_of_the_harness(monkeypatch, capsys):
    monkeypatch.setattr(cluster, "CONNECT_S", 0.2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"dask://127.0.0.1:{taken.getsockname()[1]}"
        assert run(["diff", "--generated", "2", "--cluster", url]) == 3
    said = capsys.readouterr().err
    assert said.startswith("planproof: the cluster at tcp://127.0.0.1:")
    assert said.count("\n") == 1


def test_without_dask_the_command_says_what_to_install(monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(cluster.importlib, "import_module", absent)
    with (
        pytest.raises(HarnessError, match="not installed") as caught,
        open_cluster(ClusterAddress(None)),
    ):
        pass
    assert "planproof[cluster]" in caught.value.line()


def test_workers_with_another_version_are_refused():
    class Client:
        def run(self, function):
            return {"tcp://10.0.0.1:1": function(), "tcp://10.0.0.2:1": "0.0.1"}

    with pytest.raises(HarnessError, match=r"10\.0\.0\.2:1 has planproof 0\.0\.1"):
        cluster._check_versions(Client())


@pytest.mark.parametrize("options", [["--jobs", "2"], ["--store", "redis://localhost/3"]])
def test_a_cluster_brings_its_own_workers_and_stores(capsys, options):
    assert run(["diff", "--generated", "2", "--cluster", LOCAL, *options]) == 2
    assert "--cluster brings its own" in capsys.readouterr().err


def test_workers_that_mix_cases_are_refused():
    class Client:
        def nthreads(self):
            return {"tcp://10.0.0.1:1": 1, "tcp://10.0.0.2:1": 4}

    with pytest.raises(HarnessError, match=r"10\.0\.0\.2:1 has 4 threads"):
        cluster._workers(Client())


TIMES = {"cpu_s", "wall_s", "seconds", "started_at", "duration_ms", "facts"}
"""Fields that differ from run to run: times, and what is said about them in words."""


def _timeless(value):
    if isinstance(value, dict):
        return {name: _timeless(item) for name, item in value.items() if name not in TIMES}
    return [_timeless(item) for item in value] if isinstance(value, list) else value


@pytest.mark.slow
def test_a_chaos_campaign_says_the_same_on_a_cluster(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = []
    for options in (["--jobs", "2"], ["--cluster", "dask://local?workers=2"]):
        arguments = ["chaos", "--plan", "chain1", "--format", "json", "--output", "out.json"]
        assert run([*arguments, *options]) == 0
        found.append(_timeless(json.loads((tmp_path / "out.json").read_text())))
    assert found[0] == found[1]
    assert found[0]["parts"]
    assert found[0]["run"]["items"]


def test_cases_that_kill_every_worker_are_a_fault_of_the_harness(monkeypatch):
    # As Dask raises it where a task has lost more workers than it allows.
    killed = type("KilledWorker", (Exception,), {})

    class Distributed:
        def Client(self, *_arguments, **_options):  # noqa: N802 - the name in the library
            raise killed("carry_out-1", "worker")

    monkeypatch.setattr(cluster.importlib, "import_module", lambda _name: Distributed())
    with (
        pytest.raises(HarnessError, match="one worker after another died"),
        open_cluster(ClusterAddress("tcp://10.0.0.1:1")),
    ):
        pass
