"""`--executor`: the suite runs once under each executor, in a Python process of its own.

A process of its own for each, because a suite binds the executor's names when it is imported. The
arguments of the run are those that the user gave. What a process saw comes back through a file.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from conformance.errors import PlanproofError
from conformance.executor_switch import (
    EXECUTOR_VARIABLE,
    FOLDER,
    MODULES_VARIABLE,
    reached,
)
from conformance.pytest_plugin.pairs import INTERNAL, PassRecord, pair_up
from conformance.report_files import check_writable, write_report

EXECUTORS = ("legacy", "unified")
RECORD_VARIABLE = "PLANPROOF_EXECUTOR_RECORD"
FAULT_LINES = 20  # of a failure that are kept for the report
_NO_RUN = ("help", "version", "showfixtures", "show_fixtures_per_test", "markers", "collectonly")


def asked_for(text: str) -> tuple[str, ...]:
    """Return the executors of an option like `legacy,unified`.

    Raises:
        pytest.UsageError: an unknown name, or one that is given twice.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in EXECUTORS]
    if unknown or not names or len(set(names)) < len(names):
        known = ",".join(EXECUTORS)
        raise pytest.UsageError(
            f"--executor {text!r}: give one of {', '.join(EXECUTORS)}, or {known}"
        )
    return names


def is_wanted(config: pytest.Config) -> bool:
    """Whether this process is the one that starts the others."""
    if not config.getoption("executor") or RECORD_VARIABLE in os.environ:
        return False
    return not any(config.getoption(name, default=False) for name in _NO_RUN)


def run_passes(config: pytest.Config) -> int:
    """Run the suite under each executor, print the pairs, and return the exit status."""
    names = asked_for(config.getoption("executor"))
    target: str | None = config.getoption("executor_report")
    report = config.invocation_params.dir / target if target else None
    try:
        check_writable(report)
        records = [_run(config, name) for name in names]
        pairing = pair_up(records, lenient=bool(config.getoption("executor_lenient")))
        sys.stdout.write(f"\n{' both executors ' if len(names) > 1 else ' executor ':=^80}\n")
        sys.stdout.writelines(f"{line}\n" for line in pairing.lines())
        sys.stdout.flush()
        if report is not None:
            write_report(report, pairing.text())
    except PlanproofError as error:
        raise pytest.UsageError(error.line()) from None
    return pairing.verdict[0]


def _run(config: pytest.Config, executor: str) -> PassRecord:
    sys.stdout.write(f"\n{f' executor: {executor} ':=^80}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="planproof-") as folder:
        file = Path(folder) / "record.json"
        done = subprocess.run(  # noqa: S603 - the arguments of this very run
            _command(config, executor),
            cwd=config.invocation_params.dir,
            env=_environment(config, executor, file),
            check=False,
        )
        try:
            document = json.loads(file.read_text("utf-8"))
        except OSError:
            complaint = f"the run left no record (exit code {done.returncode})"
            return PassRecord(executor, done.returncode or INTERNAL, complaint=complaint)
    return PassRecord(**{**document, "reached": tuple(document["reached"])})


def _command(config: pytest.Config, executor: str) -> list[str]:
    folder = str(config.invocation_params.dir)
    # `python -m pytest` puts the folder on the path, `pytest` does not: the same again.
    safe = [] if {"", folder} & set(sys.path) else ["-P"]
    warned = [f"-W{option}" for option in sys.warnoptions]
    given = list(config.invocation_params.args)
    more = ["--continue-on-collection-errors"]
    junit: str | None = config.getoption("xmlpath", default=None)
    if junit:
        path = Path(junit)
        more.append(f"--junitxml={path.with_name(f'{path.stem}.{executor}{path.suffix}')}")
    return [sys.executable, *safe, *warned, "-m", "pytest", *map(str, given), *more]


def _environment(config: pytest.Config, executor: str, record: Path) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(FOLDER), os.environ.get("PYTHONPATH", "")]))
    # A run inside of a run (the tests of this plugin) must not inherit what pytest adds itself.
    found = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return {
        **found,
        "PYTHONPATH": path,
        EXECUTOR_VARIABLE: executor,
        MODULES_VARIABLE: ",".join(
            shlex.split(" ".join(config.getini("planproof_legacy_modules")))
        ),
        RECORD_VARIABLE: str(record),
    }


class PassRecorder:
    """Writes down how each test of one pass went; the controller's, where xdist runs workers."""

    def __init__(self, config: pytest.Config) -> None:
        """Record for the process that started this one."""
        self._config = config
        self._executor = os.environ[EXECUTOR_VARIABLE]
        self._outcomes: dict[str, str] = {}
        self._faults: dict[str, str] = {}
        self._reached: set[str] = set()
        self._complaint = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst of a test's phases."""
        outcome = _outcome_of(report)
        if outcome is not None:
            before = self._outcomes.get(report.nodeid)
            if before is None or before in {"passed", "xpassed"} or outcome in {"failed", "error"}:
                self._outcomes[report.nodeid] = outcome
        if report.failed:
            self._faults[report.nodeid] = _last_lines(report.longrepr)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what could not be collected."""
        if report.failed:
            self._outcomes[report.nodeid] = "not collected"
            self._faults[report.nodeid] = _last_lines(report.longrepr)
        elif report.skipped:
            self._outcomes[report.nodeid] = "skipped"

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker of xdist has seen."""
        output = getattr(node, "workeroutput", {})
        self._reached.update(output.get("planproof_reached", ()))
        self._complaint = self._complaint or output.get("planproof_complaint", "")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Hand the record over: to the controller, or to the process that waits for it."""
        try:
            self._reached.update(reached(self._executor))
        except RuntimeError as error:
            self._complaint = str(error)
        output: dict[str, Any] | None = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["planproof_reached"] = sorted(self._reached)
            output["planproof_complaint"] = self._complaint
            return
        record = PassRecord(
            self._executor,
            int(exitstatus),
            self._outcomes,
            self._faults,
            tuple(sorted(self._reached)),
            stopped=bool(session.shouldstop or session.shouldfail),
            complaint=self._complaint,
        )
        Path(os.environ[RECORD_VARIABLE]).write_text(json.dumps(asdict(record)), "utf-8")


def _outcome_of(report: pytest.TestReport) -> str | None:
    """Return what a phase adds to the outcome of its test; None: nothing."""
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed:
        return "failed" if report.when == "call" else "error"
    if report.skipped:
        return "skipped"
    return "passed" if report.when == "call" else None


def _last_lines(fault: Any) -> str:
    crash = getattr(fault, "reprcrash", None)
    lines: Sequence[str] = str(fault).splitlines()
    if crash is not None:
        lines = [*lines, crash.message.splitlines()[0] if crash.message else ""]
    return "\n".join(_kept(lines))


def _kept(lines: Iterable[str]) -> list[str]:
    return [line.rstrip() for line in lines if line.strip()][-FAULT_LINES:]
