"""pytest for users of the engine and for suites that are on their way to it.

Load it with `-p conformance.pytest_plugin`; a run that does not is not touched. It gives

- the fixtures `workflow_machine`, `plan_builder`, `chaos`, `kill_point`, `executor`, `scenario`;
- the markers `executors`, `scenarios` and `kill_points`;
- scenario files (`*.scenario.json`, `*.scenario.jsonl`, and those below the folders of the ini
  option `planproof_scenarios`) as tests, each judged by the divergence ledger;
- `--executor legacy,unified`: the whole suite, unchanged, under both executors, with the two
  outcomes of each test paired.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from conformance.errors import PlanproofError
from conformance.executor_switch import DEFAULT_MODULES, EXECUTOR_VARIABLE, install
from conformance.pytest_plugin.passes import (
    EXECUTORS,
    RECORD_VARIABLE,
    PassRecorder,
    asked_for,
    is_wanted,
    run_passes,
)

# The engine and the executors are imported by whoever uses them: a run that only pairs outcomes,
# or uses nothing of this at all, starts as quickly as without the plugin.
if TYPE_CHECKING:
    from conformance.pytest_plugin.kills import KillReport, KillTrial
    from conformance.pytest_plugin.machine import ClockName, Tools, WorkflowRun
    from conformance.pytest_plugin.plans import PlanBuilder
    from conformance.scenario import Scenario

SCENARIO_SUFFIXES = (".scenario.json", ".scenario.jsonl")

__all__ = ["ChaosFixture", "WorkflowMachineFixture"]

_MARKERS = (
    "executors(*names): run the test under these executors only; the fixture `executor` names them",
    "scenarios(*paths): run the test for each scenario below the paths, as the argument `scenario`",
    "kill_points(plan, tools, effects=None, **options): run the test for each kill point of the plan",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; nothing happens without them."""
    group = parser.getgroup("planproof")
    group.addoption(
        "--executor",
        metavar="NAMES",
        help="run the suite once under each of these executors, for example legacy,unified",
    )
    group.addoption(
        "--executor-report", metavar="FILE", help="write the paired outcomes to this JSON file"
    )
    group.addoption(
        "--executor-lenient",
        action="store_true",
        help="let only regressions fail the run: tests that legacy passes and unified does not",
    )
    parser.addini("planproof_scenarios", "folders of scenario files", type="args", default=[])
    parser.addini("planproof_ledger", "the divergence ledger that scenario files are judged by")
    parser.addini(
        "planproof_legacy_modules",
        "names under which the suite imports the legacy module",
        type="args",
        default=list(DEFAULT_MODULES),
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Let a `conftest` that needs the executor be imported in the process that starts the others."""
    if early_config.known_args_namespace.executor and RECORD_VARIABLE not in os.environ:
        install({EXECUTOR_VARIABLE: "legacy"})


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Start a run for each executor, in the place of this one."""
    if config.getoption("executor"):
        asked_for(config.getoption("executor"))
    elif config.getoption("executor_report") or config.getoption("executor_lenient"):
        raise pytest.UsageError("--executor-report and --executor-lenient need --executor")
    return run_passes(config) if is_wanted(config) else None


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known, and record the outcomes if this is one of several runs."""
    for line in _MARKERS:
        config.addinivalue_line("markers", line)
    if RECORD_VARIABLE in os.environ:
        config.pluginmanager.register(PassRecorder(config), "planproof-passes")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect scenario files."""
    if not is_scenario_file(file_path, parent.config):
        return None
    from conformance.pytest_plugin.scenario_files import ScenarioFile  # noqa: PLC0415 - see above

    return ScenarioFile.from_parent(parent, path=file_path)


def is_scenario_file(path: Path, config: pytest.Config) -> bool:
    """Whether a file is one by its name, or by the folder that the configuration names."""
    if path.name.endswith(SCENARIO_SUFFIXES):
        return True
    if path.suffix not in {".json", ".jsonl"}:
        return False
    folders: list[str] = config.getini("planproof_scenarios")
    return any(path.is_relative_to(config.rootpath / folder) for folder in folders)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat a test for each executor, scenario or kill point that its markers name."""
    names = metafunc.fixturenames
    if "executor" in names:
        chosen = _executors(metafunc.definition)
        # Of a run under one executor the ids say nothing of it, so that they can be paired.
        ids = [pytest.HIDDEN_PARAM] if RECORD_VARIABLE in os.environ else chosen
        metafunc.parametrize("executor", chosen, indirect=True, ids=ids)
    scenarios = [*metafunc.definition.iter_markers("scenarios")]
    if scenarios and "scenario" in names:
        folder = metafunc.definition.path.parent
        paths = [folder / path for mark in reversed(scenarios) for path in mark.args]
        found = _scenarios(metafunc.definition, paths)
        metafunc.parametrize("scenario", found, ids=[each.name for each in found])
    kills = metafunc.definition.get_closest_marker("kill_points")
    if kills is not None and "kill_point" in names:
        from conformance.pytest_plugin.kills import PlannedKill  # noqa: PLC0415 - see above

        trial = kill_trial(*kills.args, **kills.kwargs)
        planned = [PlannedKill(trial, point) for point in trial.points()]
        metafunc.parametrize("kill_point", planned, ids=[str(each.point) for each in planned])


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test out under an executor that its marker does not name."""
    now = os.environ.get(EXECUTOR_VARIABLE) if RECORD_VARIABLE in os.environ else None
    mark = item.get_closest_marker("executors")
    if now is not None and mark is not None and now not in mark.args:
        pytest.skip(f"not for the executor {now}")


def _executors(item: pytest.Item) -> tuple[str, ...]:
    if RECORD_VARIABLE in os.environ:
        return (os.environ[EXECUTOR_VARIABLE],)
    mark = item.get_closest_marker("executors")
    names = EXECUTORS if mark is None else mark.args
    unknown = [name for name in names if name not in EXECUTORS]
    if unknown or not names:
        raise pytest.Collector.CollectError(
            f"{item.nodeid}: executors({', '.join(map(repr, names))}): known are {', '.join(EXECUTORS)}"
        )
    return tuple(names)


def _scenarios(item: pytest.Item, paths: list[Path]) -> "list[Scenario]":
    from conformance.scenario import read_corpus  # noqa: PLC0415 - see above

    try:
        return read_corpus(paths)
    except PlanproofError as error:
        raise pytest.Collector.CollectError(f"{item.nodeid}: {error.line()}") from None


@pytest.fixture
def executor(request: pytest.FixtureRequest) -> str:
    """Return the executor's name; a test with this argument runs for each one.

    `conformance.runner.run_scenario(scenario, executor)` runs a scenario on it. In a run with
    `--executor`, it is the one of the run.
    """
    name: str = request.param
    return name


class WorkflowMachineFixture(Protocol):
    """What the fixture `workflow_machine` gives."""

    def __call__(
        self,
        plan: Mapping[str, Any],
        tools: "Tools",
        *,
        execution_id: str = "execution-1",
        clock: "ClockName" = "virtual",
        seed: int = 0,
        **options: Any,
    ) -> "WorkflowRun":
        """Prepare an execution on an embedded store of its own.

        Args:
            plan: its JSON form; see the fixture `plan_builder`.
            tools: a `ToolRegistry`, any tool executor, or functions by name.
            execution_id: names the execution.
            clock: `virtual`: waiting takes no time. `real`: the clock of the machine.
            seed: of ids and jitter.
            options: further arguments of `engine.WorkflowMachine`, `settings` for example.
        """


@pytest.fixture
def workflow_machine() -> WorkflowMachineFixture:
    """Return a factory of executions; `workflow_machine(plan, tools).run()` runs one to its end."""
    from conformance.pytest_plugin.machine import WorkflowRun  # noqa: PLC0415 - see above

    return WorkflowRun


@pytest.fixture
def plan_builder() -> "Callable[..., PlanBuilder]":
    """Return a factory of plans: `plan_builder("trip").step("seat", "hold").then("pay").build()`."""
    from conformance.pytest_plugin.plans import PlanBuilder  # noqa: PLC0415 - see above

    return PlanBuilder


class ChaosFixture(Protocol):
    """What the fixture `chaos` gives."""

    def __call__(
        self,
        plan: Mapping[str, Any],
        tools: Any,
        *,
        effects: Callable[[Any], Any] | None = None,
        **options: Any,
    ) -> "KillReport":
        """Kill the plan at every point, resume it, and assert that nothing depends on the kill.

        Args:
            plan: its JSON form.
            tools: a function that makes fresh tools for each run.
            effects: what happened, from the tools that were made; by default calls are counted.
            options: further arguments of `engine.WorkflowMachine`.

        Raises:
            AssertionError: outcome, outputs or effects differ; the message lists each point.
        """


@pytest.fixture
def chaos() -> ChaosFixture:
    """Return a function that kills a plan at every point and compares; see `ChaosFixture`."""
    from conformance.pytest_plugin.kills import check_everywhere  # noqa: PLC0415 - see above

    def check(plan: Mapping[str, Any], tools: Any, **named: Any) -> "KillReport":
        return check_everywhere(kill_trial(plan, tools, **named))

    return check


def kill_trial(
    plan: Mapping[str, Any],
    tools: Any,
    *,
    effects: Callable[[Any], Any] | None = None,
    **options: Any,
) -> "KillTrial":
    """Return a plan and its tools, to be killed at any point; for arguments see `ChaosFixture`."""
    from conformance.pytest_plugin.kills import KillTrial  # noqa: PLC0415 - see above

    return KillTrial(plan, tools, effects, options)
