"""The results of the execution tests: read from JUnit XML, or produced by the test command."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from conformance.config import Repository
from conformance.errors import HarnessError, UsageError
from conformance.metrics.execution_tests import TestEvidence, read_junit

# Set in the environment of the test command. Tests that run the gate would else start themselves.
INSIDE_GATE = "PLANPROOF_INSIDE_GATE"
NO_TESTS_COLLECTED = 5  # pytest's exit code, which is no failure of its own
TESTS_FAILED = 1  # pytest's exit code


def suite_results(repository: Repository, environment: Mapping[str, str]) -> TestEvidence:
    """Return the results of the execution tests, without the scan of their source.

    The configured JUnit file is read if it exists and is not older than the tests; else the test
    command runs.

    Raises:
        HarnessError: the file is no JUnit XML, or the command could not run, ran too long, or
            failed without a failing test.
    """
    junit = repository.settings.tests.junit
    if junit is not None and _is_fresh(repository, repository.path(junit)):
        return TestEvidence(cases=read_junit(repository.path(junit)), source=junit)
    command = repository.settings.tests.command
    if not command:
        missing = f"{junit} is missing or older than the tests" if junit else "no test command"
        return TestEvidence(cases=(), source=str(repository.file), unavailable=missing)
    if environment.get(INSIDE_GATE):
        return TestEvidence(
            cases=(),
            source=str(repository.file),
            unavailable="this gate runs inside the tests of another one",
        )
    return run_command(repository, environment)


ERROR_MARK = "E   "
"""How pytest begins the lines that say what an error was."""


def run_command(repository: Repository, environment: Mapping[str, str]) -> TestEvidence:
    """Run the configured test command and return its results.

    Raises:
        HarnessError: see `suite_results`.
    """
    settings = repository.settings.tests
    with tempfile.TemporaryDirectory(prefix="planproof-") as folder:
        junit, log = Path(folder) / "junit.xml", Path(folder) / "log"
        given = (*settings.command, *settings.args)
        words = [word.replace("{junit}", str(junit)) for word in given]
        # As somebody would type it, to see the tests fail.
        shown = shlex.join(word.replace("{junit}", junit.name) for word in given)
        if not any("{junit}" in word for word in settings.command):
            raise UsageError(
                "tool.planproof.tests.command: has no `{junit}` for the file it writes",
                place=str(repository.file),
            )
        if words[0] == "python":
            words[0] = sys.executable
        code = _run(words, repository.root, environment, log, settings.timeout_s)
        if code == NO_TESTS_COLLECTED:
            return TestEvidence(cases=(), source=shown, unavailable="the command collected no test")
        cases = read_junit(junit) if junit.is_file() else ()
        broken = any(case.outcome in {"failed", "error"} for case in cases)
        if code not in {0, TESTS_FAILED} or (code == TESTS_FAILED and not broken):
            told = _complaint(log) or f"exit code {code} and no failing test"
            raise HarnessError(f"the test command failed: {told}", place=shown)
        return TestEvidence(cases=cases, source=shown)


def _run(
    words: list[str], root: Path, environment: Mapping[str, str], log: Path, timeout_s: float
) -> int:
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - the command that the repository configures
                words,
                cwd=root,
                env={**environment, INSIDE_GATE: "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that its workers can be ended with it
            )
        except OSError as error:
            raise HarnessError(f"cannot be run: {error.strerror}", place=words[0]) from None
        try:
            return process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise HarnessError(f"ran longer than {timeout_s} s", place=shlex.join(words)) from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _is_fresh(repository: Repository, junit: Path) -> bool:
    if not junit.is_file():
        return False
    folders = (repository.path(path) for path in repository.settings.tests.paths)
    return junit.stat().st_mtime >= _newest(file for path in folders for file in _python(path))


def _newest(files: Iterable[Path]) -> float:
    return max((file.stat().st_mtime for file in files), default=0.0)


def _python(path: Path) -> Iterable[Path]:
    return [path] if path.is_file() else path.rglob("*.py")


def _complaint(log: Path) -> str:
    """Return the first error that pytest tells, and the last line of the output."""
    lines = [line.strip() for line in log.read_text("utf-8", errors="replace").split("\n")]
    first = next((line[1:].strip() for line in lines if line.startswith(ERROR_MARK)), "")
    last = next((line for line in reversed(lines) if line), "").strip("= ")
    return "; ".join(filter(None, dict.fromkeys([first, last])))
