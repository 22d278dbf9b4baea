"""The migration checklist: one row per step of the plan, each with a check by machine.

A row reports what the source and the test results show, and `missed` with the reason "planned" for
a part that does not exist yet. In which profiles rows decide the exit code is data in
`conformance.report`. A repository may answer a row by hand in `[tool.planproof.checklist]`; such a
row names the file that shows it and is marked as attested.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from conformance.config import Attestation
from conformance.errors import UsageError
from conformance.metrics.execution_tests import TestEvidence
from conformance.metrics.legacy_imports import ScanEvidence
from conformance.metrics.monitoring import AlertTests, watch
from conformance.report import Finding, Verdict

LEGACY_NAMES = (
    "execute_segment",
    "resume_from_checkpoint",
    "CheckpointManager",
    "ExecutionCheckpoint",
    "DurableExecutionResult",
    "ToolExecutor",
)
SHARED_UTILITIES = (
    "resolve_step_parameters",
    "find_ready_steps",
    "execute_step_with_checkpointing",
)
ROUTER = "engine.router"
UTILITIES_FILE = "engine/utils/execution_utils.py"
INTERFACE_FILE = "engine/types/execution.py"
INTERFACE_NAMES = ("WorkflowExecutor", "ExecutionResult", "SingleStepResult")
MACHINE_FILE = "engine/workflow_machine.py"
RESUME_EVENT = "WORKFLOW_RESUME"
CHECKPOINT_EVENT = "CHECKPOINT_FAILED"

_CHAOS_TEST = re.compile(r"chaos|crash|resum|kill", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ChecklistEvidence:
    """What the rows are judged by.

    `sources` maps a path as it is shown (`engine/clock.py`) to its text: the Python modules of the
    engine and the legacy package, and the rule and dashboard files beside them. `scan` is that of
    the tests' own source.
    """

    sources: Mapping[str, str]
    tests: TestEvidence | None = None
    scan: ScanEvidence | None = None
    documentation: Finding | None = None
    alert_tests: AlertTests | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of one row: verdict, figure and, unless it is met, the reason."""

    verdict: Verdict
    figure: str
    evidence: tuple[str, ...] = ()
    reason: str = ""


Check: TypeAlias = Callable[[ChecklistEvidence], Answer]


@dataclass(frozen=True, slots=True)
class Row:
    """One step of the migration plan."""

    id: str
    title: str
    target: str
    check: Check = field(repr=False)


def answer(
    evidence: ChecklistEvidence, attested: Mapping[str, Attestation], place: str
) -> tuple[Finding, ...]:
    """Return the findings of all rows.

    Raises:
        UsageError: an attestation names a row that does not exist; the message lists the rows.
    """
    known = [row.id for row in ROWS]
    for name in attested:
        if name not in known:
            raise UsageError(
                f"tool.planproof.checklist.{name}: unknown row; rows: {', '.join(known)}",
                place=place,
            )
    return tuple(_finding(row, evidence, attested.get(row.id)) for row in ROWS)


def _finding(row: Row, evidence: ChecklistEvidence, attested: Attestation | None) -> Finding:
    if attested is not None:
        found = Answer(Verdict(attested.verdict), "attested", (attested.evidence,), attested.reason)
    else:
        found = row.check(evidence)
    return Finding(
        id=row.id,
        title=row.title,
        verdict=found.verdict,
        figure=found.figure,
        target=row.target,
        evidence=found.evidence,
        reason=found.reason,
    )


def _share(found: list[str], wanted: tuple[str, ...], what: str, place: tuple[str, ...]) -> Answer:
    absent = [name for name in wanted if name not in found]
    figure = f"{len(wanted) - len(absent)} of {len(wanted)} {what}"
    if absent:
        return Answer(Verdict.MISSED, figure, place, f"planned: {', '.join(absent)}")
    return Answer(Verdict.MET, figure, place)


def _deprecated(evidence: ChecklistEvidence) -> Answer:
    """Every name that the package exports is marked, and the marked ones are routed."""
    marked: dict[str, str] = {}
    routed: set[str] = set()
    for path, tree in _modules(evidence, "legacy/"):
        if any(isinstance(n, ast.ImportFrom) and n.module == ROUTER for n in tree.body):
            routed.add(path)
        for node in tree.body:
            if isinstance(node, _DEFINITIONS) and "deprecated" in _decorators(node):
                marked[node.name] = path
    exported = [name for _, tree in _modules(evidence, "legacy/") for name in _exported(tree)]
    # A constant cannot be marked; the rest of what is exported is a class or a function.
    names = tuple(dict.fromkeys((*LEGACY_NAMES, *(n for n in exported if not n.isupper()))))
    places = tuple(sorted({marked[name] for name in names if name in marked}))
    found = _share(list(marked), names, "legacy names deprecated", places)
    if found.verdict is Verdict.MET and marked[LEGACY_NAMES[0]] not in routed:
        return Answer(
            Verdict.MISSED, found.figure, found.evidence, f"planned: calls through {ROUTER}"
        )
    return found


def _exported(tree: ast.Module) -> list[str]:
    """Return the names in a module's `__all__`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List):
            named = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if named == ["__all__"]:
                values = [each for each in node.value.elts if isinstance(each, ast.Constant)]
                return [str(each.value) for each in values]
    return []


def _shared_utilities(evidence: ChecklistEvidence) -> Answer:
    defined = _defined(evidence, UTILITIES_FILE)
    found = _share(list(defined), SHARED_UTILITIES, "functions extracted", (UTILITIES_FILE,))
    users = [
        path
        for path, tree in _modules(evidence, "engine/")
        if path != UTILITIES_FILE and "execution_utils" in ast.dump(tree)
    ]
    if found.verdict is Verdict.MET and not users:
        return Answer(
            Verdict.MISSED, found.figure, found.evidence, "nothing in the engine uses them"
        )
    return found


def _one_interface(evidence: ChecklistEvidence) -> Answer:
    interface = _defined(evidence, INTERFACE_FILE)
    found = _share(list(interface), INTERFACE_NAMES, "types", (INTERFACE_FILE,))
    if found.verdict is not Verdict.MET:
        return found
    machine = _defined(evidence, MACHINE_FILE).get("WorkflowMachine")
    if machine is None:
        return Answer(Verdict.MISSED, found.figure, found.evidence, "planned: WorkflowMachine")
    wanted = tuple(_methods(interface["WorkflowExecutor"]))
    places = (INTERFACE_FILE, MACHINE_FILE)
    return _share(_methods(machine), wanted, "methods of WorkflowExecutor", places)


def _one_engine_tests(evidence: ChecklistEvidence) -> Answer:
    scan = evidence.scan
    if scan is None or scan.files == 0:
        return Answer(
            Verdict.UNKNOWN, "not examined", (), "the source of the tests was not examined"
        )
    left = len(scan.occurrences)
    figure = f"{left} uses of legacy in tests ({scan.files} files examined)"
    if left:
        return Answer(Verdict.MISSED, figure, scan.places(3), "tests still use legacy")
    if scan.undecided or scan.unexamined:
        return Answer(Verdict.UNKNOWN, figure, scan.places(3), "candidates could not be decided")
    return Answer(Verdict.MET, figure)


def _documentation(evidence: ChecklistEvidence) -> Answer:
    found = evidence.documentation
    if found is None:
        return Answer(Verdict.UNKNOWN, "not examined", (), "the documentation was not examined")
    return Answer(found.verdict, found.figure, found.evidence, found.reason)


def _feature_flag(evidence: ChecklistEvidence) -> Answer:
    """There is a router, and it and its flags know all three modes."""
    place, known = "", set[str]()
    for path, tree in _modules(evidence, "engine/router"):
        known |= {
            str(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.name == "Router":
                place = f"{path}:{node.lineno}"
    if not place:
        return Answer(Verdict.MISSED, "no router", (), "planned: a Router in the engine")
    modes = ("legacy", "unified", "shadow")
    return _share([mode for mode in modes if mode in known], modes, "modes", (place,))


def _chaos_tests(evidence: ChecklistEvidence) -> Answer:
    if evidence.tests is None or not evidence.tests.cases:
        return Answer(Verdict.UNKNOWN, "no test results", (), "no test results were read")
    cases = [case for case in evidence.tests.cases if _CHAOS_TEST.search(case.label)]
    passed = sum(case.outcome == "passed" for case in cases)
    broken = sum(case.outcome in {"failed", "error"} for case in cases)
    figure = f"{passed} tests of crash and resume passed, {broken} failed"
    if broken:
        return Answer(Verdict.MISSED, figure, (evidence.tests.source,), "chaos tests fail")
    if not passed:
        reason = (
            "planned: no test ran whose name has chaos, crash, resume or kill;"
            " the fixture `chaos` of conformance.pytest_plugin kills your plans at every point"
        )
        return Answer(Verdict.MISSED, figure, (evidence.tests.source,), reason)
    return Answer(Verdict.MET, figure, (evidence.tests.source,))


def _watched(evidence: ChecklistEvidence, event: str) -> Answer:
    sources = {path: text for path, text in evidence.sources.items() if path.startswith("engine/")}
    found = watch(sources, event, evidence.alert_tests)
    return Answer(found.verdict, found.figure, found.evidence, found.reason)


def _resume_monitoring(evidence: ChecklistEvidence) -> Answer:
    return _watched(evidence, RESUME_EVENT)


def _checkpoint_alerts(evidence: ChecklistEvidence) -> Answer:
    return _watched(evidence, CHECKPOINT_EVENT)


_DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _modules(evidence: ChecklistEvidence, prefix: str) -> Iterator[tuple[str, ast.Module]]:
    for path, text in evidence.sources.items():
        if path.startswith(prefix) and path.endswith(".py"):
            yield path, ast.parse(text)


def _defined(evidence: ChecklistEvidence, path: str) -> dict[str, ast.AST]:
    tree = ast.parse(evidence.sources.get(path, ""))
    return {node.name: node for node in tree.body if isinstance(node, _DEFINITIONS)}


def _methods(node: ast.AST) -> list[str]:
    body = getattr(node, "body", [])
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [n.name for n in body if isinstance(n, functions) and not n.name.startswith("_")]


def _decorators(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    calls = [each.func if isinstance(each, ast.Call) else each for each in node.decorator_list]
    return {
        each.attr if isinstance(each, ast.Attribute) else getattr(each, "id", "") for each in calls
    }


ROWS: tuple[Row, ...] = (
    Row("deprecate-legacy", "Deprecate the legacy executor", "all names, routed", _deprecated),
    Row("shared-utilities", "Extract the shared utilities", "3 of 3 functions", _shared_utilities),
    Row("one-interface", "One executor interface", "all types and methods", _one_interface),
    Row("one-engine-tests", "Tests on one engine", "0 uses", _one_engine_tests),
    Row("documentation", "Document the engine", "as the metric", _documentation),
    Row("feature-flag", "Side by side behind a feature flag", "3 of 3 modes", _feature_flag),
    Row(
        "chaos-tests", "Chaos tests of checkpoint and resume", "at least 1, all pass", _chaos_tests
    ),
    Row(
        "resume-monitoring",
        f"Monitor {RESUME_EVENT} events",
        "emitted, counted, alerted on, the alerts tested",
        _resume_monitoring,
    ),
    Row(
        "checkpoint-alerts",
        "Alert on checkpoint failures",
        "emitted, counted, alerted on, the alerts tested",
        _checkpoint_alerts,
    ),
)
