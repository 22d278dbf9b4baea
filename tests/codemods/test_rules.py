"""Without these a rule could break somebody's module, or rewrite what it must leave alone."""

import ast

import pytest

from codemods.edits import Edit, EditError, apply_edits, apply_to_bytes
from codemods.migration import Change
from codemods.module_plan import plan_module
from codemods.rules import RULES
from codemods.settings import ScanSettings
from codemods.verification import verify

ROOTS = (("durable_execution",),)
CASES = [(rule.id, case) for rule in RULES.values() for case in rule.cases]


def migrate(text, **options):
    plan = plan_module(text, ROOTS, **options)
    assert not (plan.edits and plan.blockers)
    return apply_edits(text, plan.edits), plan


@pytest.mark.parametrize(("rule", "case"), CASES, ids=[f"{r}: {c.name}" for r, c in CASES])
def test_case(rule, case) -> None:
    after, plan = migrate(case.before)
    assert after == case.after, plan.blockers
    if not case.is_noop:
        assert rule in plan.rules
        ast.parse(after)
        assert not plan_module(after, ROOTS).edits
    elif "durable_execution" in case.before:
        assert plan.blockers and all(item.reason for item in plan.blockers)


def test_every_rule_has_a_docstring_with_its_reasons_and_both_kinds_of_cases() -> None:
    for rule in RULES.values():
        assert "Why it is safe:" in rule.text and "What:" in rule.text
        assert any(case.is_noop for case in rule.cases)


HEAD = "from durable_execution import execute_segment\n"
CALL = "await execute_segment(p, t, execution_id='x', environment=e)"


@pytest.mark.parametrize(
    "text",
    [
        "from durable_execution import *\n",
        "import durable_execution\n",
        "import durable_execution as de\nprint(de)\n",
        "import durable_execution as de\nsetattr(de, 'x', de.ToolExecutor)\n",
        "from durable_execution import __version__\n",
        "from durable_execution.worker import main\n",
        "import durable_execution.worker\n",
        HEAD + "f = execute_segment\n",
        HEAD + "__all__ = ['execute_segment']\n",
        HEAD + "@execute_segment\ndef f(): ...\n",
        HEAD + f"async def f(p, t, e):\n    return {CALL}\n",
        HEAD + f"async def f(p, t, e):\n    r = {CALL}\n    g(r)\n",
        HEAD + f"async def f(p, t, e):\n    r = {CALL}\n    r = 1\n    return r.success\n",
        HEAD + f"async def f(p, t, e):\n    r = {CALL}\n    return r.state.status\n",
        HEAD
        + "async def f(p, t, e):\n    g(execute_segment(p, t, execution_id='x', environment=e))\n",
        HEAD + f"async def f(p, t):\n    {CALL.replace('=e', '=e()')}\n",
        HEAD + f"async def f(p, t, e):\n    {CALL.replace('=e', '=e, segment_number=n()')}\n",
        HEAD + f"async def f(p, t, e):\n    {CALL.replace('=e', '=e, initial_state=s')}\n",
        HEAD + f"async def f(p, t, e):\n    {CALL.replace('p, t', 'p, t, 3')}\n",
        HEAD + f"async def f(p, t, e):\n    {CALL.replace('=e', '=e, shards=2')}\n",
        "try:\n    " + HEAD + "except ImportError:\n    execute_segment = None\n",
        HEAD + f"async def f(p, t, e):\n    r = {CALL}\n    return f'{{r.error_code}}'\n",
        HEAD + f"async def f(p, t, e):\n    f'{{{CALL.replace(chr(39), chr(34))}}}'\n",
        HEAD + "patch('a.execute_segment')\n",
        "from durable_execution import ToolExecutor\nx = " + " + ".join(["a"] * 1500) + "\n",
        "from durable_execution import ToolExecutor\ntype = 1\nprint 'python 2'\n",
        HEAD + f"async def f(p, t, e):\n    {CALL.replace('=e', '=(e)')}\n",
        (
            "from durable_execution import CheckpointManager\nasync def f(x, e):\n"
            "    await CheckpointManager(e).load((x))\n"
        ),
        "class A:\n    import durable_execution as d\n    x = d.ToolExecutor\n",
        "# @generated\nfrom durable_execution import ToolExecutor\n",
        "from durable_execution import (ToolExecutor,  # a\n STEP_ABORT_MS)\n",
        "import durable_execution as de\ndef f(de): ...\nx: de.ToolExecutor\n",
    ],
)
def test_what_cannot_be_proved_is_reported_with_its_place(text) -> None:
    after, plan = migrate(text)
    assert after == text and plan.blockers
    assert all(item.line >= 1 and item.column >= 1 and item.reason for item in plan.blockers)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "from durable_execution import ToolExecutor\nx: 'list[ToolExecutor]'\n",
            "from engine import PositionalTools as ToolExecutor\nx: 'list[ToolExecutor]'\n",
        ),
        (
            "from durable_execution import ToolExecutor\nx = f()  # type: ToolExecutor\n",
            "from engine import PositionalTools as ToolExecutor\nx = f()  # type: ToolExecutor\n",
        ),
        (
            "class A:\n    from durable_execution import ToolExecutor\nx = A.ToolExecutor\n",
            (
                "class A:\n    from engine import PositionalTools as ToolExecutor\n"
                "x = A.ToolExecutor\n"
            ),
        ),
        (
            HEAD + "async def f(p, t, e):\n"
            "    await execute_segment(p, (t), execution_id=('x'), environment=e, segment_number=(2))\n",
            (
                "from engine import adapt_tools, execute_workflow, workflow_options\n"
                "async def f(p, t, e):\n"
                "    await execute_workflow(p, (adapt_tools(t, e)), execution_id=('x'), resume=False, "
                "**workflow_options(e))\n"
            ),
        ),
        (
            "from legacy.durable_execution import ToolExecutor as T\n",
            "from engine import PositionalTools as T\n",
        ),
        (
            "from .durable_execution import ToolExecutor as T\n",
            "from engine import PositionalTools as T\n",
        ),
        (
            "from . import durable_execution, other\nx: durable_execution.ToolExecutor\n",
            "from . import other\nfrom engine import PositionalTools\nx: PositionalTools\n",
        ),
        (
            "import os, legacy.durable_execution\nx = legacy.durable_execution.STEP_ABORT_MS\n",
            "import os\nfrom engine.limits import STEP_ABORT_MS\nx = STEP_ABORT_MS\n",
        ),
        (
            "if T: import durable_execution as de\nx = lambda y: de.ToolExecutor\n",
            "if T: from engine import PositionalTools\nx = lambda y: PositionalTools\n",
        ),
        (
            (
                "from engine import PositionalTools\nfrom durable_execution import ToolExecutor\n"
                "x: ToolExecutor\n"
            ),
            (
                "from engine import PositionalTools\nfrom engine import PositionalTools\n"
                "x: PositionalTools\n"
            ),
        ),
        (
            (
                "def f():\n    from durable_execution import ToolExecutor\n    return ToolExecutor\n"
                "def g():\n    from durable_execution import ToolExecutor\n    return ToolExecutor\n"
            ),
            (
                "def f():\n    from engine import PositionalTools\n    return PositionalTools\n"
                "def g():\n    from engine import PositionalTools\n    return PositionalTools\n"
            ),
        ),
        (
            (
                "if sys.version_info > (3,):\n    from durable_execution import ToolExecutor\n"
                "else:\n    from other import ToolExecutor\n"
            ),
            (
                "if sys.version_info > (3,):\n    from engine import PositionalTools as ToolExecutor\n"
                "else:\n    from other import ToolExecutor\n"
            ),
        ),
        (
            (
                "from durable_execution import SchemaViolation, MalformedPlanError\ntry: f()\n"
                "except (SchemaViolation, MalformedPlanError): pass\n"
            ),
            (
                "from engine.errors import InvalidPlanError\ntry: f()\n"
                "except (InvalidPlanError, InvalidPlanError): pass\n"
            ),
        ),
        (
            (
                "import asyncio\nfrom durable_execution import resume_from_checkpoint\n"
                "def main(x, t, e):\n"
                "    r = asyncio.run(resume_from_checkpoint(x, t, environment=e))\n"
                "    while r.is_partial:\n"
                "        r = asyncio.run(resume_from_checkpoint(x, t, environment=e))\n"
            ),
            (
                "import asyncio\nfrom engine import WorkflowMachine, adapt_tools, workflow_options\n"
                "def main(x, t, e):\n"
                "    r = asyncio.run(WorkflowMachine.resume(x, adapt_tools(t, e), "
                "**workflow_options(e)))\n"
                "    while r.is_partial:\n"
                "        r = asyncio.run(WorkflowMachine.resume(x, adapt_tools(t, e), "
                "**workflow_options(e)))\n"
            ),
        ),
    ],
)
def test_forms(before, after) -> None:
    result, plan = migrate(before)
    assert result == after, plan.blockers
    change = Change("/a.py", "a.py", before.encode(), result.encode(), plan.rules)
    proofs = verify([change], ScanSettings(), "P2")
    assert [proof.fault for proof in proofs] == ["", "", ""]


def test_a_name_that_other_modules_take_is_kept() -> None:
    text = "from durable_execution import ToolExecutor\n"
    after, _ = migrate(text, kept=["ToolExecutor"])
    assert after == "from engine import PositionalTools as ToolExecutor\n"
    _, plan = migrate(HEAD, kept=["execute_segment"])
    assert "used by other modules" in plan.blockers[0].reason


@pytest.mark.parametrize(
    ("encoding", "bom"),
    [("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("latin-1", b""), ("koi8-r", b"")],
)
def test_every_other_byte_is_kept(encoding, bom) -> None:
    word = "ж" if encoding == "koi8-r" else "é"
    text = f"# -*- coding: {encoding} -*-\r\n\f\r\nfrom durable_execution import ToolExecutor\r\nx: ToolExecutor = '{word}'\t"
    data = bom + text.encode(encoding)
    after = apply_to_bytes(data, plan_module(text, ROOTS).edits)
    expected = data.replace(b"durable_execution", b"engine").replace(
        b"ToolExecutor", b"PositionalTools"
    )
    assert after == expected


def test_edits_that_do_not_fit_are_refused() -> None:
    with pytest.raises(EditError, match="does not begin"):
        apply_edits("abc", [Edit(0, 1, "x", "y")])
    with pytest.raises(EditError, match="meet"):
        apply_edits("abc", [Edit(0, 2, "ab", "y"), Edit(1, 3, "bc", "z")])
    with pytest.raises(EditError, match="cannot be written"):
        apply_to_bytes(b"# coding: latin-1\n", [Edit(0, 1, "#", "\u0416")])
