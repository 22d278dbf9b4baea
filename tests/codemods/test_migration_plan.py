"""Files that depend on each other: patches and what they patch, facades and who imports them."""

import json
from pathlib import Path

import pytest

from codemods.migration import Outcome, found_by
from codemods.migration_plan import plan_migration
from codemods.migration_settings import Binding, MigrationSettings

SERVICE = (
    "from durable_execution import execute_segment\n\n\n"
    "async def serve(p, t, e):\n"
    "    r = await execute_segment(p, t, execution_id='x', environment=e)\n"
    "    return r.success\n"
)
PATCH = "from unittest.mock import patch\n\n\ndef test():\n    with patch('{}'):\n        pass\n"


@pytest.fixture
def plan(tmp_path):
    def make(files, **options):
        (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        made = plan_migration([tmp_path], None, MigrationSettings(**options))
        assert sum(made.count(outcome) for outcome in Outcome) == len(made.rows)
        return made

    return make


def write(plan) -> None:
    for change in plan.changes:
        Path(change.path).write_bytes(change.after)


def after(plan, shown) -> str:
    return next(item.after.decode() for item in plan.changes if item.shown == shown)


def outcomes(plan, shown) -> list[str]:
    return [row.outcome.value for row in plan.rows if row.occurrence.path == shown]


def test_a_call_is_written_directly_where_nothing_replaces_it(plan) -> None:
    made = plan({"service.py": SERVICE})
    assert "execute_workflow(" in after(made, "service.py")


def test_a_patch_and_what_it_patches_change_together(plan) -> None:
    made = plan(
        {
            "service.py": SERVICE,
            "other.py": SERVICE,
            "tests/test_it.py": PATCH.format("durable_execution.execute_segment"),
        }
    )
    assert "from engine.segment_api import execute_segment\n" in after(made, "service.py")
    assert "patch('engine.segment_api.execute_segment')" in after(made, "tests/test_it.py")
    assert len({change.group for change in made.changes}) == 1
    write(made)
    assert not plan({}).changes


def test_a_patch_that_cannot_change_keeps_what_it_patches(plan) -> None:
    made = plan(
        {
            "service.py": SERVICE,
            "tests/test_it.py": "# @generated\n"
            + PATCH.format("durable_execution.execute_segment"),
        }
    )
    assert not made.changes
    row = next(row for row in made.rows if row.occurrence.path == "service.py")
    assert "tests/test_it.py:6:17" in row.reasons[0] and "generated" in row.reasons[0]


def test_what_is_patched_and_cannot_change_keeps_the_patch_and_the_rest(plan) -> None:
    made = plan(
        {
            "service.py": "# @generated\n" + SERVICE,
            "other.py": SERVICE,
            "alone.py": "from durable_execution import STEP_ABORT_MS\nx = STEP_ABORT_MS\n",
            "tests/test_it.py": PATCH.format("durable_execution.execute_segment"),
        }
    )
    assert [change.shown for change in made.changes] == ["alone.py"]
    reasons = {row.occurrence.path: row.reasons for row in made.rows}
    assert "service.py uses what is replaced here" in reasons["tests/test_it.py"][0]
    assert "tests/test_it.py" in reasons["other.py"][0]


def test_a_module_that_a_test_replaces_as_a_whole_is_bridged_everywhere(plan) -> None:
    made = plan(
        {
            "service.py": SERVICE,
            "tests/conftest.py": "import sys\nsys.modules['durable_execution'] = object()\n",
        }
    )
    assert "from engine.segment_api import execute_segment" in after(made, "service.py")
    assert "sys.modules['engine.segment_api']" in after(made, "tests/conftest.py")


def test_a_module_that_is_assigned_to_is_bridged_everywhere(plan) -> None:
    made = plan(
        {
            "service.py": SERVICE,
            "tests/conftest.py": "import durable_execution as de\nde.execute_segment = None\n",
        }
    )
    assert "from engine.segment_api import execute_segment" in after(made, "service.py")
    assert after(made, "tests/conftest.py").startswith("from engine import segment_api as de\n")


def test_a_skipped_import_replaces_nothing(plan) -> None:
    made = plan(
        {
            "service.py": SERVICE,
            "tests/conftest.py": "import pytest\npytest.importorskip('durable_execution')\n",
        }
    )
    assert "execute_workflow(" in after(made, "service.py")
    assert "importorskip('engine.segment_api')" in after(made, "tests/conftest.py")


def test_importers_of_a_facade_stay_as_they_are(plan) -> None:
    files = {
        "acme/__init__.py": "from acme.facade import *\n",
        "acme/facade.py": "import logging\nfrom durable_execution import execute_segment as run\n"
        "__all__ = ['run']\nlogging.getLogger('durable_execution')\n",
        "use.py": "from acme import run\nrun(1)\n",
        "tests/test_use.py": PATCH.format("use.run"),
    }
    made = plan(files)
    assert [change.shown for change in made.changes] == ["acme/facade.py"]
    assert set(outcomes(made, "use.py")) == {"rewritten"}
    assert set(outcomes(made, "tests/test_use.py")) == {"rewritten"}
    assert "reported" in outcomes(made, "acme/facade.py")  # the logger's name
    write(made)
    again = plan({})
    assert not again.changes and found_by(again) == made.residue()


def test_a_facade_that_is_reported_reports_its_importers(plan) -> None:
    made = plan(
        {
            "facade.py": "# @generated\nfrom durable_execution import execute_segment\n",
            "use.py": "from facade import execute_segment\nexecute_segment(1)\n",
        }
    )
    assert not made.changes and set(outcomes(made, "use.py")) == {"reported"}


def test_text_and_code_of_one_file_change_at_once(plan) -> None:
    made = plan(
        {
            "a.py": "import importlib\nimport durable_execution\n"
            "x = importlib.import_module('durable_execution')\n"
            "y: 'durable_execution.ToolExecutor' = durable_execution.STEP_ABORT_MS\n",
            "conf.toml": "executor = 'durable_execution:execute_segment'\n",
        }
    )
    assert after(made, "a.py") == (
        "import importlib\nfrom engine import segment_api\n"
        "x = importlib.import_module('engine.segment_api')\n"
        "y: 'segment_api.ToolExecutor' = segment_api.STEP_ABORT_MS\n"
    )
    assert after(made, "conf.toml") == "executor = 'engine.segment_api:execute_segment'\n"
    assert set(outcomes(made, "a.py")) == {"rewritten"}
    assert len({change.group for change in made.changes}) == 2


def test_settings(plan) -> None:
    files = {"a.py": "from durable_execution import ToolExecutor\nx: ToolExecutor\n"}
    made = plan(files, binding=Binding.KEEP)
    assert after(made, "a.py") == (
        "from engine import PositionalTools as ToolExecutor\nx: ToolExecutor\n"
    )
    files = {"b.py": "from durable_execution import *\n"}
    assert not [c for c in plan(files, bridge=False).changes if c.shown == "b.py"]
    files = {"docs/a.rst": "Use :func:`durable_execution.execute_segment`.\n"}
    assert "docs/a.rst" not in [change.shown for change in plan(files).changes]
    assert "engine.segment_api" in after(plan(files, docs=True), "docs/a.rst")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_configuration_in_any_encoding(tmp_path, encoding) -> None:
    text = "# \u00e9\r\nexecutor = durable_execution:execute_segment\r\n"
    (tmp_path / "a.ini").write_bytes(f"[a]\r\n{text}".encode(encoding))
    made = plan_migration([tmp_path])
    expected = f"[a]\r\n{text}".replace("durable_execution", "engine.segment_api").encode(encoding)
    assert [change.after for change in made.changes] == [expected]


def test_a_module_that_stays_and_does_not_use_what_is_patched_stops_nothing(plan) -> None:
    made = plan(
        {
            "service.py": SERVICE,
            "generated.py": "# @generated\nfrom durable_execution import STEP_ABORT_MS\n",
            "tests/test_it.py": PATCH.format("durable_execution.execute_segment"),
        }
    )
    assert [change.shown for change in made.changes] == ["service.py", "tests/test_it.py"]


def notebook(*cells) -> str:
    return json.dumps(
        {
            "cells": [
                {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": []}
                | {"source": text.splitlines(keepends=True)}
                for text in cells
            ],
            "metadata": {"language_info": {"name": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        },
        indent=1,
    )


def test_a_notebook_is_one_module(plan) -> None:
    head = "import durable_execution as de\nimport importlib\n"
    lookup = "importlib.import_module('durable_execution')\n"
    call = "r = await de.execute_segment(p, t, execution_id='x', environment=e)\nr.success"
    made = plan({"n.ipynb": notebook(head + lookup, call)})
    found = json.loads(after(made, "n.ipynb"))["cells"]
    assert "".join(found[0]["source"]) == (
        "from engine import segment_api as de\nimport importlib\n"
        "importlib.import_module('engine.segment_api')\n"
    )
    assert "".join(found[1]["source"]) == call
    assert set(outcomes(made, "n.ipynb")) == {"rewritten"}
    write(made)
    assert not plan({}).changes


def test_a_notebook_whose_magics_use_the_name_stays(plan) -> None:
    made = plan(
        {"n.ipynb": notebook("import durable_execution as de\n", "%timeit de.STEP_ABORT_MS")}
    )
    assert not made.changes
    assert "cell 2" in made.rows[0].reasons[0]


def test_every_name_and_a_global_declaration(plan) -> None:
    text = (
        "import durable_execution\nfrom durable_execution import __all__ as names\n\n\n"
        "def load():\n    global durable_execution\n    import durable_execution\n\n\n"
        "def forget():\n    global durable_execution, names\n    del durable_execution\n\n\n"
        "x = durable_execution.__all__\n"
    )
    made = plan({"a.py": text})
    assert set(outcomes(made, "a.py")) == {"rewritten"}
    bridged = text.replace(
        "import durable_execution\n", "from engine import segment_api as durable_execution\n"
    )
    assert after(made, "a.py") == bridged.replace(
        "from durable", "from engine.segment_api"
    ).replace("segment_api_execution", "segment_api")
    write(made)
    again = plan({})
    assert not again.changes and found_by(again) == made.residue()


def test_an_import_of_an_unknown_value_is_reported_and_stops_nothing(plan) -> None:
    made = plan(
        {
            "a.py": "import importlib\nEXECUTOR = 'durable_execution.execute_segment'\n\n\n"
            "def load(path):\n    return importlib.import_module(path)\n"
        }
    )
    assert outcomes(made, "a.py") == ["rewritten", "reported"]
    write(made)
    assert found_by(plan({})) == made.residue()


def test_a_setting_and_the_table_that_it_is_looked_up_in_agree(plan) -> None:
    made = plan(
        {
            "settings.py": "ROUTES = {'durable_execution.resume_from_checkpoint': 1}\n"
            "SCHEDULE = {'x': {'task': 'durable_execution.resume_from_checkpoint'}}\n"
        }
    )
    assert not made.changes and set(outcomes(made, "settings.py")) == {"reported"}


def test_an_import_that_would_not_see_a_stub_keeps_the_stub(plan) -> None:
    local = "def f():\n    import durable_execution\n    return durable_execution.STEP_ABORT_MS\n"
    stub = "import sys\nsys.modules['durable_execution'] = object()\n"
    made = plan({"a.py": local, "tests/conftest.py": stub})
    assert not made.changes
    made = plan({"a.py": "import durable_execution as de\nx = [de]\n", "tests/conftest.py": stub})
    assert len(made.changes) == 2


def test_a_dropped_argument_that_is_the_last_use_of_its_name_is_bridged(plan) -> None:
    text = SERVICE.replace("=e)", "=e, idempotency=claims)").replace(
        "    r =", "    claims = 1\n    r ="
    )
    made = plan({"a.py": text, "b.py": text.replace("return r", "print(claims)\n    return r")})
    assert "from engine.segment_api import execute_segment" in after(made, "a.py")
    assert "execute_workflow(" in after(made, "b.py")


def test_a_shell_command_in_a_notebook_is_reported(plan) -> None:
    made = plan(
        {
            "n.ipynb": notebook(
                "import durable_execution as de\nx = [de]\n", "!pip show durable_execution\n"
            )
        }
    )
    assert outcomes(made, "n.ipynb") == ["rewritten", "reported"]
    write(made)
    assert found_by(plan({})) == made.residue()
