"""Without these a forked life could differ from a started one, or outlive the harness."""

import os
import signal

import pytest

from conformance.kit import fork_launch
from conformance.kit.executor_fault import ExecutorFault
from conformance.kit.fork_launch import ForkServer, fork_life

PROGRAM = """
import os, sys, time
{body}
"""


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """Begin a life of a program with this body, by a server of the test's own."""
    servers = []
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with (tmp_path / "stderr").open("w+b") as stderr:

        def run(body, name="forked_program"):
            (tmp_path / f"{name}.py").write_text(PROGRAM.format(body=body))
            if not servers:
                servers.append(ForkServer(name, ("json",)))
            return servers[0].start(tmp_path, stderr)

        run.stderr = stderr
        yield run
        for server in servers:
            server.close()


def _told(life):
    with life.stdin, life.stdout:
        told = life.stdout.read()
    return told.decode(), life.wait()


def test_a_life_has_its_folder_its_pipes_and_a_session(begin, tmp_path):
    body = "print(os.getcwd(), os.getsid(0) == os.getpid(), 'json' in sys.modules, __name__)"
    assert _told(begin(body)) == (f"{tmp_path} True True __main__\n", 0)


def test_lives_know_nothing_of_each_other(begin):
    body = "print(getattr(os, 'left', 'nothing')); os.left = 'something'"
    assert [_told(begin(body)) for _ in range(2)] == [("nothing\n", 0)] * 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("sys.exit(7)", 7),
        ("sys.exit()", 0),
        ("sys.exit('no')", 1),
        ("raise ValueError('bad luck')", 1),
        ("os.kill(os.getpid(), 9)", -9),
    ],
)
def test_its_end_is_told(begin, body, code):
    assert _told(begin(body)) == ("", code)


def test_what_nobody_catches_is_on_standard_error(begin):
    _told(begin("raise ValueError('bad luck')"))
    begin.stderr.seek(0)
    assert begin.stderr.read().decode().endswith("ValueError: bad luck\n")


def test_it_is_killed_as_a_group(begin):
    life = begin("os.fork() and time.sleep(60) or time.sleep(60)")
    os.killpg(life.pid, signal.SIGKILL)
    assert _told(life) == ("", -signal.SIGKILL)
    assert life.wait() == -signal.SIGKILL


def test_a_package_that_cannot_be_imported_is_a_fault_and_leaves_nothing(tmp_path):
    before = dict(fork_launch._SERVERS)
    with (tmp_path / "stderr").open("w+b") as stderr, pytest.raises(ExecutorFault, match="ended"):
        fork_life("json.tool", ("no_such_package",), tmp_path, stderr)
    assert before == fork_launch._SERVERS
