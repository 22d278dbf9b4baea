"""Without these a bad migration could pass the ladder, or a good one be stopped by it."""

import pytest

from codemods.edits import apply_edits
from codemods.migration import Change
from codemods.module_plan import plan_module
from codemods.rules import RULES
from codemods.settings import ScanSettings
from codemods.verification import verify

SETTINGS = ScanSettings()
ALONE = ("P0", "P1", "P2")  # what can be proved of changes without a plan or a project
CASES = [case for rule in RULES.values() for case in rule.cases if not case.is_noop]
BEFORE = (
    "import os\n"
    "async def f(p, t, e):\n"
    "    from durable_execution import execute_segment\n"
    "    result = await execute_segment(p, t, execution_id='x', environment=e, trace_id=os.name)\n"
    "    return result.error_code, result.success\n"
)


def faults(before, after, level="P2"):
    change = Change("/a.py", "a.py", before.encode(), after.encode(), ())
    return {proof.level: proof.fault for proof in verify([change], SETTINGS, level)}


def migrated():
    plan = plan_module(BEFORE, SETTINGS.all_roots)
    assert plan.edits, plan.blockers
    return apply_edits(BEFORE, plan.edits)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_every_case_of_every_rule_climbs_the_ladder(case) -> None:
    assert faults(case.before, case.after) == dict.fromkeys(ALONE, "")


def test_a_good_migration_holds() -> None:
    assert faults(BEFORE, migrated()) == dict.fromkeys(ALONE, "")
    assert list(faults(BEFORE, migrated(), "P0")) == ["P0"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("await ", ""),
        ("execution_id=", "run_id="),
        ("'x'", "'y'"),
        ("adapt_tools(t, e)", "t"),
        ("**workflow_options(e)", "store=e"),
        (", resume=False", ""),
        (", trace_id=os.name", ""),
        ("result.error.code if result.error else None", "result.error"),
        ("result.success", "result.is_partial"),
        ("import os\n", "import os\nimport sys\n"),
        ("async def", "def"),
    ],
)
def test_a_bad_migration_is_caught(old, new) -> None:
    good = migrated()
    assert old in good
    assert any(faults(BEFORE, good.replace(old, new)).values())


def test_a_hoisted_import_is_caught() -> None:
    good = migrated()
    line = next(item for item in good.splitlines(keepends=True) if "from engine" in item)
    assert faults(BEFORE, line.strip() + "\n" + good.replace(line, ""))["P0"]


def test_what_is_left_to_do_and_what_does_not_compile_is_caught() -> None:
    assert faults(BEFORE, BEFORE)["P1"]
    assert faults(BEFORE, "def f(:\n")["P2"]


@pytest.mark.parametrize("indent", ["", "    "])
def test_a_name_that_two_statements_lead_to_is_imported_once(indent) -> None:
    imports = (
        f"{indent}from durable_execution import execute_segment\n"
        f"{indent}from durable_execution import resume_from_checkpoint\n"
    )
    top, inner = (imports, "") if not indent else ("", imports)
    before = (
        f"{top}async def f(p, t, e):\n{inner}"
        "    await execute_segment(p, t, execution_id='x', environment=e)\n"
        "    await resume_from_checkpoint('x', t, environment=e)\n"
    )
    after = apply_edits(before, plan_module(before, SETTINGS.all_roots).edits)
    assert after.count("import") == 2 and after.count("WorkflowMachine") == 2
    assert faults(before, after) == dict.fromkeys(ALONE, "")


def test_two_functions_need_an_import_each() -> None:
    one = (
        "async def {}(p, t, e):\n    from durable_execution import execute_segment\n"
        "    await execute_segment(p, t, execution_id='x', environment=e)\n"
    )
    before = one.format("f") + one.format("g")
    after = apply_edits(before, plan_module(before, SETTINGS.all_roots).edits)
    assert after.count("from engine import adapt_tools, execute_workflow") == 2
    assert faults(before, after) == dict.fromkeys(ALONE, "")
