"""The forms in which legacy uses are planted: text for the end of a module.

`LEGACY` stands for the legacy module's name, which is not written out here: this repository is
itself searched for it.
"""

from dataclasses import dataclass

# Stands in a text for the dotted name of another planted module.
OTHER = "OTHER"
LEGACY = "LEGACY"


@dataclass(frozen=True, slots=True)
class Form:
    """One way to use the legacy module.

    Attributes:
        name: what the form is called in the report.
        text: statements for the end of a module.
        other: the form of a second module, which reaches the legacy module only through this one.
    """

    name: str
    text: str
    other: str = ""


_CALL = "execute_segment(plan, tools, execution_id='x', environment=environment)"

FORMS: tuple[Form, ...] = (
    Form(
        "from import and call",
        "from LEGACY import execute_segment\n"
        "async def planted_run(plan, tools, environment):\n"
        f"    outcome = await {_CALL}\n"
        "    return outcome.success\n",
    ),
    Form(
        "from import under another name",
        "from LEGACY import resume_from_checkpoint as resume_run\n"
        "async def planted_go_on(tools, environment):\n"
        "    outcome = await resume_run('x', tools, environment=environment)\n"
        "    return outcome.is_partial\n",
    ),
    Form(
        "module and attribute",
        "import LEGACY\n"
        "async def planted_run(plan, tools, environment):\n"
        f"    await LEGACY.{_CALL}\n",
    ),
    Form(
        "module under another name",
        "import LEGACY as durable\ndef planted_hint(tool: durable.ToolExecutor) -> None: ...\n",
    ),
    Form(
        "parenthesised names with comments",
        "from LEGACY import (\n"
        "    CheckpointManager,  # reads\n"
        "    ToolExecutor as LegacyTools,\n"
        ")\n"
        "async def planted_load(environment, tool: LegacyTools):\n"
        "    await CheckpointManager(environment).load('x')\n",
    ),
    Form(
        "import in a function",
        "async def planted_run(plan, tools, environment):\n"
        "    from LEGACY import execute_segment\n"
        f"    await {_CALL}\n",
    ),
    Form(
        "import in try",
        "try:\n    from LEGACY import ToolExecutor\nexcept ImportError:\n    ToolExecutor = None\n",
    ),
    Form(
        "only for type checking, annotation in quotes",
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n"
        "    from LEGACY import DurableExecutionResult\n"
        "def planted_read(outcome: 'DurableExecutionResult'): return outcome.success\n",
    ),
    Form(
        "path in a string that is patched",
        "from unittest import mock\n"
        "def test_planted():\n"
        "    with mock.patch('LEGACY.execute_segment'):\n"
        "        pass\n",
    ),
    Form(
        "dynamic import",
        "import importlib\nplanted_module = importlib.import_module('LEGACY')\n",
    ),
    Form(
        "path in settings",
        "PLANTED = {'runner': 'LEGACY.execute_segment'}\n",
    ),
    Form("star import", "from LEGACY import *\n"),
    Form(
        "partial",
        "import functools\n"
        "from LEGACY import execute_segment\n"
        "planted_run = functools.partial(execute_segment, execution_id='x')\n",
    ),
    Form(
        "attribute by name",
        "import LEGACY\nplanted_run = getattr(LEGACY, 'execute_segment')\n",
    ),
    Form(
        "handed on to another module",
        "from LEGACY import execute_segment\n__all__ = ['execute_segment']\n",
        "from OTHER import execute_segment\n"
        "async def planted_run(plan, tools, environment):\n"
        f"    await {_CALL}\n",
    ),
)
