"""The legacy module's name is bound to the executor that a process is to use, or to nothing new."""

import os
import subprocess
import sys

import pytest

from conformance.executor_switch import EXECUTOR_VARIABLE, FOLDER, MODULES_VARIABLE

ASK = "import durable_execution as d; print(d.execute_segment.__module__.partition('.')[0])"


def ask(tmp_path, executor=None, code=ASK, *, installed=False, hidden=False, **more):
    if installed:
        (tmp_path / "durable_execution.py").write_text("def execute_segment(): ...\n")
    if hidden:
        (tmp_path / "sitecustomize.py").write_text("print('hidden')")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PLANPROOF")}
    chosen = {EXECUTOR_VARIABLE: executor} if executor else {}
    path = os.pathsep.join([str(FOLDER), str(tmp_path)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, "PYTHONPATH": path, **chosen, **more},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.split() or done.stderr.splitlines()[-1:]


@pytest.mark.parametrize(
    ("executor", "installed", "name"),
    [
        ("unified", True, "engine"),
        ("unified", False, "engine"),
        ("legacy", True, "durable_execution"),
        ("legacy", False, "legacy"),
        ("", True, "durable_execution"),
        ("shadow", True, "durable_execution"),
    ],
)
def test_who_answers_to_the_name(tmp_path, executor, installed, name):
    assert ask(tmp_path, executor, installed=installed) == [name]


def test_without_a_request_nothing_is_added(tmp_path):
    assert "No module named 'durable_execution'" in ask(tmp_path)[0]


def test_a_submodule_that_the_engine_lacks_is_missing(tmp_path):
    assert "No module named" in ask(tmp_path, "unified", "import durable_execution.worker")[0]


def test_the_names_can_be_given(tmp_path):
    code = "import acme.segments as d; print(d.execute_segment.__module__, d.__name__)"
    (tmp_path / "acme").mkdir()
    found = ask(tmp_path, "unified", code, **{MODULES_VARIABLE: "acme.segments"})
    assert found == ["engine.segment_api", "acme.segments"]


def test_another_start_up_module_still_runs(tmp_path):
    assert ask(tmp_path, "unified", hidden=True) == ["hidden", "engine"]


def test_what_was_imported_before_is_told(tmp_path):
    code = (
        "import sys, types; sys.modules['durable_execution'] = types.ModuleType('x');"
        "from conformance.executor_switch import reached; reached('unified')"
    )
    assert "imported before" in ask(tmp_path, "unified", code)[0]


PATCHES = """
import asyncio, importlib.util
from unittest import mock
import durable_execution
from engine import segment_api

real = segment_api.execute_segment
with mock.patch("durable_execution.execute_segment") as fake:
    assert segment_api.execute_segment is fake is durable_execution.execute_segment
assert segment_api.execute_segment is real is durable_execution.execute_segment
durable_execution.more = 1
assert segment_api.more == 1 and "more" in dir(durable_execution)
del durable_execution.more
assert not hasattr(segment_api, "more")
assert durable_execution.__name__ == "durable_execution"
assert segment_api.__spec__.name == segment_api.__name__ == "engine.segment_api"
assert importlib.util.find_spec("durable_execution").name == "durable_execution"
from durable_execution import *
assert ToolExecutor is segment_api.ToolExecutor
print("ok")
"""


def test_what_is_patched_under_the_name_is_what_is_called(tmp_path):
    assert ask(tmp_path, "unified", PATCHES) == ["ok"]
