"""Without this an interrupted campaign could leave processes behind, or begin anew."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

PLANS = ("chain1", "chain2", "unkeyed", "queryable")
ARGUMENTS = ["--cutover", *(word for plan in PLANS for word in ("--plan", plan)), "--jobs", "2"]
# A shell that starts a job in the background lets it ignore a Ctrl-C: what is tested here hears it.
HEARING = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from conformance.cli import main; main()"
)
COMMAND = [sys.executable, "-c", HEARING, "chaos", *ARGUMENTS]
PATIENCE_S = 120
"""How long a process may take that does what it should."""


def _until(met):
    end = time.monotonic() + PATIENCE_S
    while not (found := met()):
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)
    return found


def _done(folder):
    """Return the units that the journal has: whole lines, its head left out."""
    lines = "".join(file.read_text("utf-8") for file in folder.glob(".planproof/chaos/*.jsonl"))
    return [json.loads(line)["unit"] for line in lines.splitlines()[1:] if line.endswith("}")]


def _is_gone(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_behind_and_the_same_command_goes_on(tmp_path, tmp_path_factory):
    temporary = tmp_path_factory.mktemp("t")  # the name of a socket has room for a short path only
    surroundings = {**os.environ, "TMPDIR": str(temporary)}
    first = subprocess.Popen(
        COMMAND,
        cwd=tmp_path,
        env=surroundings,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _until(lambda: _done(tmp_path) or first.poll() is not None)
        os.killpg(first.pid, signal.SIGINT)  # what a terminal does
        said, _ = first.communicate(timeout=PATIENCE_S)
    finally:
        if not _is_gone(first.pid) and first.poll() is None:
            os.killpg(first.pid, signal.SIGKILL)
    assert first.returncode not in (0, 1), said
    assert "Traceback" not in said
    _until(lambda: _is_gone(first.pid))
    assert list(temporary.iterdir()) == []
    kept = _done(tmp_path)
    assert 0 < len(kept) < len(PLANS)
    again = subprocess.run(
        COMMAND, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    continued = re.search(r"continued: (\d+) units", again.stdout)
    assert continued is not None
    assert int(continued[1]) == len(kept)
    assert "cutover: 4 of 4 units" in again.stdout
    assert not list(tmp_path.glob(".planproof/chaos/*.jsonl"))
    assert list(temporary.iterdir()) == []
