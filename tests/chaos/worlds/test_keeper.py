"""Without these a campaign could leave servers, workers and files behind, each time it is interrupted."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaos.case import Case, Judgement
from chaos.running import run_case
from chaos.worlds import keeper
from chaos.worlds.premises import Premises

pytestmark = [pytest.mark.redis, pytest.mark.usefixtures("process_world")]

POLLS = 1_000
POLL_S = 0.02
# A shell that starts a job in the background lets it ignore a Ctrl-C: what is tested here hears it.
CAMPAIGN = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
import itertools
from chaos.fault_id import parse_case
from chaos.running import run_case
from chaos.worlds.premises import premises
ids = ("chain3/L1@s2.tool#1:TA", "chain3/L1@s1.commit+s2.intent#1:STOP",
       "chain3/L1@s2.tool#1:TA/L1@server#1:FAILOVER=1/policy=failover")
if __name__ == "__main__":
    for number in itertools.count():
        result = run_case(parse_case(ids[number % len(ids)] + "/world=process"))
        assert result.judgement == "held", result
        print(premises().keeping.pid, premises().keeping.folder, flush=True)
"""
POOL = """
import multiprocessing, os
from concurrent.futures import ProcessPoolExecutor
from chaos.fault_id import parse_case
from chaos.running import run_case
from chaos.worlds.premises import premises
def one(_):
    result = run_case(parse_case("chain3/L1@s2.tool#1:TA/world=process"))
    assert result.judgement == "held", result
    return os.getpid(), premises().keeping.pid, str(premises().keeping.folder)
if __name__ == "__main__":
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        for worker, keeper, folder in pool.map(one, range(10_000)):
            print(worker, keeper, folder, flush=True)
"""


def _session(pid: int) -> list[int]:
    """Return the processes of a keeper's session: it, its servers and its workers."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == pid and fields[0] != "Z":
            found.append(int(entry.parent.name))
    return found


def _until(holds) -> bool:
    for _ in range(POLLS):
        if holds():
            return True
        time.sleep(POLL_S)
    return False


@pytest.fixture
def campaign():
    """Run an endless campaign in a process of its own; give it and what its keeper said."""
    process = subprocess.Popen(
        [sys.executable, "-c", CAMPAIGN],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(4)]
    assert all(lines), process.stderr.read() if process.stderr else ""
    pid, folder = lines[-1].split()
    yield process, int(pid), Path(folder)
    process.kill()
    process.communicate()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.slow
def test_nothing_survives_the_harness(campaign, end):
    process, pid, folder = campaign
    assert len(_session(pid)) >= 3, "a keeper and two servers at least"
    assert folder.is_dir()
    process.send_signal(end)
    process.communicate(timeout=60)
    assert _until(lambda: not _session(pid)), _session(pid)
    assert _until(lambda: not folder.exists())


@pytest.mark.slow
def test_a_pool_does_not_survive_its_owner():
    process = subprocess.Popen(
        [sys.executable, "-c", POOL],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    said = {tuple(process.stdout.readline().split()) for _ in range(6)}
    process.kill()
    process.wait()
    process.stdout.close()
    for worker, pid, folder in said:
        assert _until(lambda worker=worker: not Path("/proc", worker).exists())
        assert _until(lambda pid=pid: not _session(int(pid)))
        assert _until(lambda folder=folder: not Path(folder).exists())


@pytest.mark.slow
def test_nothing_survives_the_keeper_either(campaign):
    process, pid, folder = campaign
    os.kill(pid, signal.SIGKILL)
    assert _until(lambda: not _session(pid)), _session(pid)
    process.send_signal(signal.SIGINT)  # unless the case that it broke has ended the campaign
    process.communicate(timeout=60)
    assert not folder.exists()


def test_premises_end_what_they_started_and_start_again():
    premises = Premises()
    keeping = premises.keeping
    sleeper = keeping.start(["sleep", "600"])
    assert sleeper in _session(keeping.pid)
    os.kill(keeping.pid, signal.SIGKILL)
    assert _until(lambda: not keeping.is_alive)
    again = premises.keeping
    assert again.pid != keeping.pid
    assert not keeping.folder.exists()
    premises.close()
    assert not _session(again.pid)
    assert not again.folder.exists()


def test_what_was_left_by_processes_that_were_killed_together_is_removed(tmp_path):
    left = tmp_path / f"{keeper.FOLDER_PREFIX}left"
    left.mkdir()
    (left / keeper.LOCK).touch()
    foreign = tmp_path / f"{keeper.FOLDER_PREFIX}foreign"
    foreign.mkdir()
    mine = keeper.make_folder(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([foreign, mine])
    keeper.make_folder(tmp_path)
    assert mine.exists(), "its keeper lives"
    for lock in keeper._LOCKS:
        lock.close()


def test_what_an_interrupt_has_left_half_removed_is_removed_by_the_next_keeper(
    tmp_path, monkeypatch
):
    left = tmp_path / f"{keeper.FOLDER_PREFIX}left"
    (left / "server-1").mkdir(parents=True)
    (left / keeper.LOCK).touch()

    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(keeper.shutil, "rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            keeper.remove_folder(left)
    mine = keeper.make_folder(tmp_path)
    assert list(tmp_path.iterdir()) == [mine]
    keeper._LOCKS[-1].close()


def test_a_program_that_ends_is_reaped_once():
    premises = Premises()
    pid = premises.keeping.start(["false"])
    ended = premises.keeping.reap(pid)
    assert ended is not None
    assert ended.status == 1
    assert ended.cpu_s > 0
    assert premises.keeping.reap(pid) is None
    assert premises.keeping.stop(pid) is None
    premises.close()


def test_a_case_runs_after_somebody_has_killed_the_keeper(process_world):
    os.kill(process_world.keeping.pid, signal.SIGKILL)
    assert _until(lambda: not process_world._keeping.is_alive)
    assert run_case(Case("chain1", world="process")).judgement is Judgement.HELD
