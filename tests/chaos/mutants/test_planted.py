"""Without these a planted bug would be replayed on the engine without it."""

import subprocess
import sys

PRINTS = "import engine.workflow, sys; sys.stdout.write('loaded')"


def _planted(*arguments):
    command = [sys.executable, "-m", "chaos.mutants.planted", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_module_runs_with_its_own_arguments():
    done = _planted("done-before-call", "timeit", "-n1", "-r1", PRINTS)
    assert done.returncode == 0, done.stderr
    assert "loaded" in done.stdout


def test_there_is_no_program_without_a_known_bug():
    done = _planted("nobody", "timeit")
    assert done.returncode != 0
    assert "nobody" in done.stderr
