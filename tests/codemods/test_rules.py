"""Without these a rule could break somebody's module, or rewrite what it must leave alone."""

import ast
import sys

import pytest

from codemods.edits import Edit, EditError, apply_edits, apply_to_bytes
from codemods.migration import Change
from codemods.module_plan import plan_module
from codemods.rules import RULES
from codemods.settings import ScanSettings
from codemods.verification import verify

ROOTS = (("durable_execution",),)
CASES = [(rule.id, case) for rule in RULES.values() for case in rule.cases]


def assert_proved(before, after) -> None:
    change = Change("/a.py", "a.py", before.encode(), after.encode(), ())
    assert [proof.fault for proof in verify([change], ScanSettings(), "P0")] == [""]
    assert not plan_module(after, ROOTS).edits


def migrate(text, **options):
    plan = plan_module(text, ROOTS, **options)
    assert not (plan.edits and plan.blockers)
    return apply_edits(text, plan.edits), plan


@pytest.mark.parametrize(("rule", "case"), CASES, ids=[f"{r}: {c.name}" for r, c in CASES])
def test_case(rule, case) -> None:
    after, plan = migrate(case.before)
    assert after == case.after, plan.blockers
    if not case.is_noop:
        assert rule in plan.rules or "CM108" in plan.rules
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


# What no rule can write directly: only the import changes.
BRIDGED = [
    "from durable_execution import *\n",
    HEAD + "f = execute_segment\n",
    HEAD + "__all__ = ['execute_segment']\n",
    HEAD + "@execute_segment\ndef f(): ...\n",
    HEAD + f"async def f(p, t, e):\n    return {CALL}\n",
    HEAD + f"async def f(p, t, e):\n    r = {CALL}\n    g(r)\n",
    HEAD + f"async def f(p, t, e):\n    r = {CALL}\n    r = 1\n    return r.success\n",
    HEAD + f"async def f(p, t, e):\n    r = {CALL}\n    return r.state.status\n",
    HEAD + "async def f(p, t, e):\n    g(execute_segment(p, t, execution_id='x', environment=e))\n",
    HEAD + f"async def f(p, t):\n    {CALL.replace('=e', '=e()')}\n",
    HEAD + f"async def f(p, t, e):\n    {CALL.replace('=e', '=e, segment_number=n()')}\n",
    HEAD + f"async def f(p, t, e):\n    {CALL.replace('=e', '=e, initial_state=s')}\n",
    "try:\n    " + HEAD + "except ImportError:\n    execute_segment = None\n",
    HEAD + f"async def f(p, t, e):\n    r = {CALL}\n    return f'{{r.error_code}}'\n",
    HEAD + f"async def f(p, t, e):\n    f'{{{CALL.replace(chr(39), chr(34))}}}'\n",
    HEAD + "patch('a.execute_segment')\n",
    HEAD + f"async def f(p, t, e):\n    {CALL.replace('=e', '=(e)')}\n",
    (
        "from durable_execution import CheckpointManager\nasync def f(x, e):\n"
        "    await CheckpointManager(e).load((x))\n"
    ),
    "from durable_execution import (ToolExecutor,  # a\n STEP_ABORT_MS)\n",
    HEAD + "def f(execute_segment): return execute_segment\nglobal_name = execute_segment\n",
    HEAD + "def f():\n    global execute_segment\n    del execute_segment\n",
]


@pytest.mark.parametrize("text", BRIDGED)
def test_what_cannot_be_followed_is_bridged_and_nothing_but_the_import_changes(text) -> None:
    after, plan = migrate(text)
    assert after == text.replace("from durable_execution", "from engine.segment_api")
    assert "CM108" in plan.rules and plan.notes
    assert_proved(text, after)
    _, plan = migrate(text, bridge=False)
    assert plan.blockers and not plan.edits


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import durable_execution\n", "from engine import segment_api\n"),
        (
            "import durable_execution as de\nprint(de)\n",
            "from engine import segment_api as de\nprint(de)\n",
        ),
        (
            "import durable_execution as de\nsetattr(de, 'x', de.ToolExecutor)\n",
            "from engine import segment_api as de\nsetattr(de, 'x', de.ToolExecutor)\n",
        ),
        (
            "import durable_execution\ndurable_execution.execute_segment = f\n",
            "from engine import segment_api\nsegment_api.execute_segment = f\n",
        ),
        (
            "class A:\n    import durable_execution as d\n    x = d.ToolExecutor\n",
            "class A:\n    from engine import segment_api as d\n    x = d.ToolExecutor\n",
        ),
        (
            "import durable_execution as de\ndef f(de): ...\nx: de.ToolExecutor\n",
            "from engine import segment_api as de\ndef f(de): ...\nx: de.ToolExecutor\n",
        ),
        (
            "segment_api = 1\nimport durable_execution\nx = [durable_execution]\n",
            (
                "segment_api = 1\nfrom engine import segment_api as engine_segment_api\n"
                "x = [engine_segment_api]\n"
            ),
        ),
        (
            "import durable_execution\nx = f'{durable_execution.STEP_ABORT_MS}'\n",
            (
                "from engine import segment_api as durable_execution\n"
                "x = f'{durable_execution.STEP_ABORT_MS}'\n"
            ),
        ),
        (
            "import os, a.durable_execution\nx = a.durable_execution.execute_segment\n",
            "import os\nfrom engine import segment_api\nx = segment_api.execute_segment\n",
        ),
        (
            (
                "from functools import partial\n"
                "from durable_execution import ToolExecutor as T, execute_segment\n"
                "go = partial(execute_segment)\nx: T\n"
            ),
            (
                "from functools import partial\n"
                "from engine import PositionalTools as T\n"
                "from engine.segment_api import execute_segment\n"
                "go = partial(execute_segment)\nx: T\n"
            ),
        ),
    ],
)
def test_a_module_that_is_handed_on_becomes_the_bridge(before, after) -> None:
    result, plan = migrate(before)
    assert result == after, plan.blockers
    assert_proved(before, result)


def test_names_in_annotations_follow_the_module() -> None:
    before = (
        "import a.durable_execution\nx: 'list[a.durable_execution.ToolExecutor]'\n"
        "y = f()  # type: a.durable_execution.ToolExecutor\nz = a.durable_execution\n"
    )
    after, _ = migrate(before, named=[(2, 12), (3, 20)])
    assert after == (
        "from engine import segment_api\nx: 'list[segment_api.ToolExecutor]'\n"
        "y = f()  # type: segment_api.ToolExecutor\nz = segment_api\n"
    )
    assert_proved(before, after)


def test_what_tests_replace_by_name_is_bridged() -> None:
    text = HEAD + f"async def f(p, t, e):\n    {CALL}\n"
    after, plan = migrate(text, pinned=["execute_segment"])
    assert after == text.replace("durable_execution", "engine.segment_api")
    assert "elsewhere in the project" in plan.notes[0]


def test_syntax_that_is_newer_than_the_running_python_is_bridged_in_place() -> None:
    text = "import durable_execution\ntry:\n    durable_execution.f\nexcept A, B:\n    pass\n"
    text = text.replace(".f\n", ".STEP_ABORT_MS\n")
    after, _ = migrate(text)
    local = "" if sys.version_info >= (3, 14) else " as durable_execution"
    assert after.startswith(f"from engine import segment_api{local}\n")


@pytest.mark.parametrize(
    "text",
    [
        "from durable_execution import __version__\n",
        "from durable_execution.worker import main\n",
        "import durable_execution.worker\n",
        "import durable_execution as de\nx = de.__version__\n",
        "import a.durable_execution\na.other(a.durable_execution.ToolExecutor)\n",
        HEAD + f"async def f(p, t):\n    {CALL.replace('p, t', 'p, t, 3')}\n",
        HEAD + f"async def f(p, t, e):\n    {CALL.replace('=e', '=e, shards=2')}\n",
        HEAD + "async def f(p, t, e):\n    await execute_segment(p, t)\n",
        "from durable_execution import ToolExecutor\nx = " + " + ".join(["a"] * 1500) + "\n",
        "from durable_execution import ToolExecutor\ntype = 1\nprint 'python 2'\n",
        "# @generated\nfrom durable_execution import ToolExecutor\n",
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
            ("from engine import PositionalTools\nx: PositionalTools\n"),
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
    assert_proved(before, result)


def test_a_name_that_other_modules_take_is_kept() -> None:
    text = "from durable_execution import ToolExecutor\n"
    after, _ = migrate(text, kept=["ToolExecutor"])
    assert after == "from engine import PositionalTools as ToolExecutor\n"
    after, plan = migrate(HEAD, kept=["execute_segment"])
    assert after == "from engine.segment_api import execute_segment\n"
    assert "used by other modules" in plan.notes[0]


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
