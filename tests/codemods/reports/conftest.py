"""Projects on disk with their plans, and plans that no disk would hold."""

import dataclasses

import pytest

from codemods.migration import Change, Migration, Outcome, Row
from codemods.migration_plan import plan_migration
from codemods.occurrence import RULES, Kind, Occurrence, Scope, Status
from codemods.report import ScanReport
from codemods.settings import ScanSettings
from codemods.verification import Proof

TOOLS = "from durable_execution import ToolExecutor\n\ndef f(tools: ToolExecutor): ...\n"


@pytest.fixture
def project(tmp_path):
    """Return a function that writes files into a project and gives its folder."""
    folder = tmp_path / "project"

    def write(files):
        for name, content in {"pyproject.toml": "", **files}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return folder

    return write


@pytest.fixture
def planned(project):
    """Return a function that gives the plan of a project with these files, and proofs that hold."""

    def run(files, settings=None):
        plan = plan_migration([project(files)], settings or ScanSettings())
        levels = ("P0", "P1", "P2")
        proofs = [Proof(change.shown, level) for change in plan.changes for level in levels]
        return plan, tuple(proofs)

    return run


MIXED = {
    "direct.py": TOOLS,
    "bridged.py": "from durable_execution import execute_segment\n\nRUN = execute_segment\n",
    "left.py": "from durable_execution import ToolExecutor, nothing\n\nx: ToolExecutor\n",
    "tests/test_left.py": "import durable_execution.worker\n",
    "service.yaml": "a:\n  label: durable_execution\n  b: 1\n",
    "broken.py": "import durable_execution\ndef f(:\n",
}


def row(path, line, *, outcome=Outcome.REPORTED, text="import durable_execution", **values):
    """Return one row as the planner would make it."""
    fields = {"kind": Kind.IMPORT, "scope": Scope.PRODUCTION, "status": Status.USE, **values}
    extra = {name: fields.pop(name) for name in ("rules", "reasons", "notes") if name in fields}
    item = Occurrence(
        path=path,
        line=line,
        column=8,
        end_column=25,
        text=text,
        target="durable_execution",
        rule_id=RULES[fields["kind"]],
        reason="",
        needle="durable_execution",
        **fields,
    )
    return Row(item, outcome, **{"reasons": ("1:1 CM001 no rule does this",), **extra})


def made(rows=(), changes=(), **report):
    """Return a plan of these rows and changes, which no scan has made."""
    scanned = ScanReport(
        root="/srv/project",
        legacy_roots=("durable_execution",),
        files_found=len(rows) + 1,
        files_examined=len(rows) + 1,
        files_with_hits=len(rows),
        skipped={},
        words=len(rows),
        substrings=0,
        facades={},
        occurrences=tuple(row.occurrence for row in rows),
    )
    return Migration(dataclasses.replace(scanned, **report), tuple(rows), tuple(changes))


def large(number=5_000, *, reason="r" * 3_000):
    """Return a plan as large as they come: half is rewritten, in one group, half is left."""
    rows, changes = [], []
    for index in range(number):
        path = f"package/{'deep/' * 10}module_{index}.py"
        if index % 2:
            rows.append(row(path, 1, reasons=(reason,) * 3))
            continue
        rows.append(row(path, 1, outcome=Outcome.REWRITTEN, rules=("CM001", "CM108"), reasons=()))
        before, after = b"import durable_execution\n", b"from engine import segment_api\n"
        changes.append(Change(f"/srv/project/{path}", path, before, after, ("CM001", "CM108"), 0))
    return made(rows, changes)
