"""Without these a migration could lose a byte, an occurrence, or somebody's uncommitted work."""

import json
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from chaos.virtual_time import VirtualClock, run_virtual
from codemods.journal import JOURNAL
from codemods.reports import RENDERERS
from codemods.rules import RULES
from codemods.scanner import scan
from codemods.verification import Proof
from conformance.cli import run
from conformance.commands.codemod import FORMATS

CONSUMER = Path(__file__).parent.parent / "fixtures" / "consumer"
TOOLS = "from durable_execution import ToolExecutor\n\ndef f(tools: ToolExecutor): ...\n"
UNKNOWN = "from durable_execution import no_such_name\n"
DONE = "from engine import PositionalTools\n\ndef f(tools: PositionalTools): ...\n"
CALL = (
    "from durable_execution import execute_segment\n\nasync def f(p, t, e):\n"
    "    await execute_segment(p, t, execution_id='x', environment=e)\n"
)


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"

    def write(**files):
        folder.mkdir()
        (folder / "pyproject.toml").write_text("")
        for name, text in files.items():
            (folder / f"{name}.py").write_bytes(text if isinstance(text, bytes) else text.encode())
        return folder

    return write


def git(folder, *arguments):
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def snapshot(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_default_is_a_dry_run_that_touches_nothing(project, capsys) -> None:
    folder = project(a=TOOLS, b=CALL)
    before = snapshot(folder)
    assert run(["codemod", str(folder)]) == 0
    assert snapshot(folder) == before
    out = capsys.readouterr().out
    assert (
        "would write a.py" in out and "2 occurrences = 2 rewritten + 0 reported + 0 allowed" in out
    )
    assert run(["codemod", str(folder), "--check"]) == 1
    assert snapshot(folder) == before


def test_write_changes_what_it_says_and_a_second_run_nothing(project, capsys) -> None:
    folder = project(a=TOOLS, b=b"\xef\xbb\xbf" + CALL.replace("\n", "\r\n").encode())
    (folder / "a.py").chmod(0o750)
    assert run(["codemod", str(folder), "--write"]) == 0
    assert (folder / "a.py").read_text() == DONE
    assert (folder / "a.py").stat().st_mode & 0o777 == 0o750
    written = (folder / "b.py").read_bytes()
    assert written.startswith(b"\xef\xbb\xbffrom engine import adapt_tools")
    assert written.count(b"\r\n") == written.count(b"\n") == 4
    after = snapshot(folder)
    assert run(["codemod", str(folder), "--check"]) == 0
    assert run(["codemod", str(folder), "--write"]) == 0
    assert snapshot(folder) == after
    assert not list(folder.rglob("*.tmp"))
    capsys.readouterr()


def test_undo_gives_every_byte_back(project, capsys) -> None:
    folder = project(a=TOOLS, b=CALL)
    before = snapshot(folder)
    run(["codemod", str(folder), "--write"])
    assert run(["codemod", str(folder), "--undo"]) == 0
    assert {path: data for path, data in snapshot(folder).items() if path in before} == before
    assert run(["codemod", str(folder), "--undo"]) == 2
    assert "there is no run to undo" in capsys.readouterr().err


def test_a_dirty_tree_is_refused(project, capsys) -> None:
    folder = project(a=TOOLS, b="x = 1\n")
    git(folder, "init", "-q")
    assert run(["codemod", str(folder), "--write"]) == 2  # git does not know the file yet
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "x")
    (folder / "b.py").write_text("x = 2\n")
    assert run(["codemod", str(folder), "--write"]) == 2
    assert "uncommitted" in capsys.readouterr().err and (folder / "a.py").read_text() == TOOLS
    (folder / "new.py").write_text("y = 1\n")
    git(folder, "checkout", "-q", "b.py")
    assert run(["codemod", str(folder), "--write"]) == 0  # an unknown file that is not touched
    git(folder, "commit", "-qam", "y")
    (folder / "a.py").write_text(TOOLS)
    assert run(["codemod", str(folder), "--write", "--allow-dirty"]) == 0


def test_the_patch_is_one_that_git_applies(project, tmp_path) -> None:
    files = {
        "a": TOOLS.rstrip().encode(),
        "b": CALL.replace("\n", "\r\n").encode(),
        "c": f"# coding: latin-1\n{TOOLS}x = 'é'\n".encode("latin-1"),
    }
    folder = project(**files)
    git(folder, "init", "-q")
    patch = tmp_path / "all.patch"
    assert run(["codemod", str(folder), "--patch", str(patch)]) == 0
    git(folder, "apply", "--check", str(patch))
    git(folder, "apply", str(patch))
    applied = snapshot(folder)
    for name, data in files.items():
        (folder / f"{name}.py").write_bytes(data)
    assert run(["codemod", str(folder), "--write", "--allow-dirty"]) == 0
    for name in files:
        assert (folder / f"{name}.py").read_bytes() == applied[folder / f"{name}.py"]


def test_diff_and_json(project, capsys) -> None:
    folder = project(a=TOOLS, b=UNKNOWN)
    assert run(["codemod", str(folder), "--diff"]) == 1
    shown = capsys.readouterr()
    assert "+from engine import PositionalTools" in shown.out
    assert shown.err == "planproof: 2 occurrences = 1 rewritten + 1 reported + 0 allowed\n"
    assert run(["codemod", str(folder), "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["accounting"] == {"before": 2, "rewritten": 1, "reported": 1, "allowed": 0}
    assert document["files"]["changed"] == ["a.py"]
    reported = [item for item in document["occurrences"] if item["outcome"] == "reported"]
    assert reported[0]["path"] == "b.py" and "not in the mapping" in reported[0]["reasons"][0]


@pytest.mark.parametrize("words", [("--undo", "--write"), ("--write", "--check")])
def test_two_modes_contradict_each_other_and_nothing_is_written(words, project, capsys) -> None:
    folder = project(a=TOOLS)
    before = snapshot(folder)
    assert run(["codemod", str(folder), *words]) == 2
    assert "--write" in capsys.readouterr().err
    assert snapshot(folder) == before


def test_what_undo_does_not_do_is_refused(project, tmp_path, capsys) -> None:
    folder = project(a=TOOLS)
    for words in (["--patch", str(tmp_path / "p.patch")], ["--todo"]):
        assert run(["codemod", str(folder), "--undo", *words]) == 2
        assert words[0] in capsys.readouterr().err


def test_nothing_to_resume_is_said(project, capsys) -> None:
    folder = project(a=TOOLS)
    assert run(["codemod", str(folder), "--resume"]) == 0
    assert capsys.readouterr().err == "planproof: there is no killed run to complete\n"


def test_uses_through_the_module_are_occurrences_too(project, capsys) -> None:
    folder = project(
        a="import durable_execution\nx: durable_execution.ToolExecutor\n",
        b="import durable_execution\nprint(durable_execution.absent)\n",
    )
    assert run(["codemod", str(folder), "--write"]) == 1
    out = capsys.readouterr().out
    assert "4 occurrences = 2 rewritten + 2 reported" in out
    assert (
        folder / "a.py"
    ).read_text() == "from engine import PositionalTools\nx: PositionalTools\n"


def test_what_must_not_be_written_is_reported(project, capsys) -> None:
    folder = project(a=TOOLS, b=f"# @generated\n{TOOLS}", c="def f(:\n# durable_execution\n")
    (folder / "a.py").chmod(0o444)
    before = snapshot(folder)
    assert run(["codemod", str(folder), "--write"]) == 1
    out = capsys.readouterr().out
    assert "read-only" in out and "generated" in out and "syntax error" in out
    assert snapshot(folder) == before
    (folder / "a.py").unlink()
    (folder / "b.py").unlink()
    assert run(["codemod", str(folder)]) == 4


def test_a_part_of_a_project_keeps_what_the_rest_of_it_takes(project, capsys) -> None:
    folder = project(a=TOOLS, b="from a import ToolExecutor\n", c=CALL)
    assert run(["codemod", str(folder / "a.py"), "--write"]) == 0
    assert "PositionalTools as ToolExecutor" in (folder / "a.py").read_text()
    assert (folder / "c.py").read_text() == CALL
    assert "1 occurrences = 1 rewritten" in capsys.readouterr().out
    (folder / "b.py").write_text(TOOLS + "from c import execute_segment\n")
    assert run(["codemod", str(folder / "b.py"), "--write"]) == 1
    assert "2 occurrences = 1 rewritten + 1 reported" in capsys.readouterr().out


def test_a_module_of_the_engines_name_forbids_the_import(project, capsys) -> None:
    folder = project(a=TOOLS, engine="x = 1\n")
    assert run(["codemod", str(folder), "--write"]) == 1
    assert "engine of its own" in capsys.readouterr().out
    assert (folder / "a.py").read_text() == TOOLS


def test_a_facade_keeps_its_names_and_its_importers_are_accounted_for(project, capsys) -> None:
    folder = project(compat=TOOLS, user="from compat import ToolExecutor\nx: ToolExecutor\n")
    assert run(["codemod", str(folder), "--write"]) == 0
    first = (folder / "compat.py").read_text().splitlines()[0]
    assert first == "from engine import PositionalTools as ToolExecutor"
    assert (folder / "user.py").read_text() == "from compat import ToolExecutor\nx: ToolExecutor\n"
    assert "reported" in capsys.readouterr().out


def test_the_example_consumer(tmp_path, capsys) -> None:
    folder = tmp_path / "consumer"
    shutil.copytree(CONSUMER, folder)
    assert run(["codemod", str(folder), "--write", "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    account = document["accounting"]
    assert account["before"] == account["rewritten"] + account["reported"] + account["allowed"]
    assert set(document["files"]["changed"]) >= {"src/orders/tools.py", "typings/orders_client.pyi"}
    reported = {item["path"] for item in document["occurrences"] if item["outcome"] != "rewritten"}
    for path in folder.rglob("*.py"):
        compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    left = {item.path for item in scan([folder]).of("use")}
    assert left <= reported
    after = snapshot(folder)
    assert run(["codemod", str(folder), "--write"]) == 1
    assert snapshot(folder) == after
    capsys.readouterr()


def test_no_file_and_no_path(tmp_path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    assert run(["codemod", str(tmp_path / "empty")]) == 4
    assert run(["codemod", str(tmp_path / "absent")]) == 2
    assert run(["codemod", str(tmp_path / "absent"), "--undo"]) == 2
    capsys.readouterr()


@pytest.mark.parametrize("rule", RULES)
def test_explain(rule, capsys) -> None:
    assert run(["explain", rule.lower()]) == 0
    out = capsys.readouterr().out
    assert "Why it is safe" in out and "left alone" in out


def test_explain_lists_and_refuses(capsys) -> None:
    assert run(["explain"]) == 0
    out = capsys.readouterr().out
    assert all(rule in out for rule in RULES)
    assert run(["explain", "CM999"]) == 2


def test_the_journal_is_not_part_of_the_repository(project) -> None:
    folder = project(a=TOOLS)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "x")
    assert run(["codemod", str(folder), "--write"]) == 0
    assert (folder / JOURNAL).exists()
    done = subprocess.run(
        ["git", "status", "--porcelain"], cwd=folder, capture_output=True, check=True
    )
    assert done.stdout == b" M a.py\n"


def test_a_failing_proof_stops_the_files_of_its_group_only(
    project, monkeypatch, tmp_path, capsys
) -> None:
    folder = project(a=TOOLS, b=CALL, facade=TOOLS, user="from facade import ToolExecutor\n")
    bad = (
        Proof("a.py", "P0", "expected 'x', got 'y'"),
        Proof("facade.py", "P1", "a second run would change it"),
        Proof("b.py", "P0"),
    )
    monkeypatch.setattr("conformance.commands.codemod_ladder.verify", lambda *_, **__: bad)
    patch = tmp_path / "x.patch"
    arguments = ["codemod", str(folder), "--patch", str(patch), "--format", "json"]
    assert run([*arguments, "--write"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["files"]["changed"] == ["b.py"]
    rows = {item["path"]: item for item in document["occurrences"]}
    assert rows["a.py"]["outcome"] == rows["facade.py"]["outcome"] == "reported"
    assert rows["a.py"]["reasons"] == ["P0 does not hold: expected 'x', got 'y'"]
    assert rows["user.py"]["reasons"] == ["handed on by facade.py, which is reported"]
    assert (folder / "a.py").read_text() == TOOLS == (folder / "facade.py").read_text()
    assert "execute_workflow" in (folder / "b.py").read_text()
    assert b"b.py" in patch.read_bytes() and b"a.py" not in patch.read_bytes()


def test_a_fault_of_the_whole_stops_everything(project, monkeypatch, capsys) -> None:
    folder = project(a=TOOLS, b=CALL)
    before = snapshot(folder)
    bad = (Proof(".", "P5", "could not run: no tests"),)
    monkeypatch.setattr("conformance.commands.codemod_ladder.verify", lambda *_, **__: bad)
    assert run(["codemod", str(folder), "--write"]) == 4
    assert snapshot(folder) == before
    assert "could not run: no tests" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("left.py", "x = 1\n"),
        ("left.py", None),
        ("a.py", "x = 1\n" + TOOLS),
        ("left.py", UNKNOWN + TOOLS),
    ],
    ids=["no word any more", "deleted", "after it was written", "more words"],
)
def test_a_file_that_somebody_saves_while_the_run_writes_is_named(
    project, monkeypatch, capsys, name, theirs
) -> None:
    from conformance.commands import codemod_run

    folder = project(a=TOOLS, left=UNKNOWN)
    write = codemod_run.write_groups

    def written(*arguments, **named):
        faults = write(*arguments, **named)
        if theirs is None:
            (folder / name).unlink()
        else:
            (folder / name).write_text(theirs)
        return faults

    monkeypatch.setattr(codemod_run, "write_groups", written)
    assert run(["codemod", str(folder), "--write"]) == 3
    err = capsys.readouterr().err
    assert f"{name}: was changed by something else while the run wrote" in err
    assert "run again" in err and "Traceback" not in err
    assert "engine" in (folder / "a.py").read_text() or name == "a.py"


def test_a_scan_after_the_run_that_disagrees_is_no_ones_edit(project, monkeypatch, capsys) -> None:
    from conformance.commands import codemod_run

    folder = project(a=TOOLS, left=UNKNOWN)
    monkeypatch.setattr(codemod_run, "found_by", lambda _: Counter())
    assert run(["codemod", str(folder), "--write"]) == 3
    err = capsys.readouterr().err
    assert "left.py" in err and "does not find what was reported" in err


def test_the_report_names_the_proofs(project, capsys) -> None:
    folder = project(a=TOOLS)
    assert run(["codemod", str(folder), "--verify", "P1", "--format", "json"]) == 0
    proofs = json.loads(capsys.readouterr().out)["verification"]
    assert {(item["level"], item["fault"]) for item in proofs} == {("P0", ""), ("P1", "")}


def test_the_migrated_consumer_runs_on_the_unified_engine(project) -> None:
    folder = project(
        service="from durable_execution import CheckpointManager, ExecutionEnvironment\n"
        "from durable_execution import ToolExecutionResult, execute_segment\n"
        "from durable_execution import resume_from_checkpoint as resume\n\n\n"
        "class Tools:\n"
        "    async def execute(self, tool_name, parameters, timeout_ms=None, signal=None):\n"
        "        if parameters['n'] > 1:\n"
        "            return ToolExecutionResult(False, error='too many')\n"
        "        return ToolExecutionResult(True, True, {'n': parameters['n']})\n\n\n"
        "async def serve(redis, clock, plan):\n"
        "    env = ExecutionEnvironment(redis, clock, None, None, None, None)\n"
        "    tools = Tools()\n"
        "    result = await execute_segment(plan, tools, execution_id='x', environment=env)\n"
        "    while result.is_partial:\n"
        "        result = await resume('x', tools, environment=env)\n"
        "    found = await CheckpointManager(env).load('x')\n"
        "    code = result.error_code\n"
        "    return result.success, result.completed_steps, code, found is not None\n",
    )
    assert run(["codemod", str(folder), "--write"]) == 0
    names: dict = {}
    exec(compile((folder / "service.py").read_bytes(), "service", "exec"), names)  # noqa: S102 - the migrated consumer itself

    def serve(number):
        clock = VirtualClock()
        step = {"id": "a", "tool_name": "count", "parameters": {"n": number}}
        redis = FakeAsyncRedis(server=FakeServer())
        return run_virtual(
            lambda: names["serve"](redis, clock, {"id": "p", "steps": [step]}), clock
        )

    assert serve(1) == (True, 1, None, True)
    assert serve(2) == (False, 0, "STEP_FAILED", True)


def test_a_work_tree_that_git_cannot_judge_is_refused(project, capsys) -> None:
    folder = project(a=TOOLS)
    (folder / ".git").write_text("gitdir: nowhere\n")
    assert run(["codemod", str(folder), "--write"]) == 2
    assert "cannot say" in capsys.readouterr().err and (folder / "a.py").read_text() == TOOLS
    assert run(["codemod", str(folder), "--write", "--allow-dirty"]) == 0


KILLED = """
import os, signal, sys
from pathlib import Path
real = Path.replace
def replace(self, target):
    if str(target).endswith("b.py"):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, target)
Path.replace = replace
from conformance.cli import run
run(["codemod", sys.argv[1], "--write"])
"""


def test_a_killed_run_is_completed_or_taken_back(project, capsys) -> None:
    folder = project(a=TOOLS, b=TOOLS)
    before = snapshot(folder)
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (folder / "a.py").read_text() == DONE and (folder / "b.py").read_text() == TOOLS
    assert run(["codemod", str(folder), "--write"]) == 3
    assert "complete it with --resume or take it back with --undo" in capsys.readouterr().err
    assert run(["codemod", str(folder), "--write", "--resume"]) == 0
    captured = capsys.readouterr()
    assert "b.py: completed" in captured.err and "0 occurrences" in captured.out
    assert (folder / "b.py").read_text() == DONE and not list(folder.rglob("*.tmp"))
    assert run(["codemod", str(folder), "--undo"]) == 0
    assert {path: data for path, data in snapshot(folder).items() if path in before} == before
    assert run(["codemod", str(folder), "--resume"]) == 0  # nothing to complete: a dry run


def test_what_cannot_be_written_is_reported_and_the_rest_is_written(project, capsys) -> None:
    folder = project(a=TOOLS)
    (folder / "locked").mkdir()
    (folder / "locked" / "b.py").write_text(TOOLS)
    (folder / "locked").chmod(0o555)
    assert run(["codemod", str(folder), "--write", "--format", "json"]) == 3
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert document["files"]["changed"] == ["a.py"]
    assert document["accounting"]["reported"] == 1
    assert "locked/b.py is not written" in captured.err and "read-only" in captured.err
    assert (folder / "a.py").read_text() == DONE
    (folder / "locked").chmod(0o755)
    assert run(["codemod", str(folder), "--write"]) == 0
    assert (folder / "locked" / "b.py").read_text() == DONE
    capsys.readouterr()


def test_submodules_links_and_repositories_inside_are_left_alone(project, tmp_path, capsys) -> None:
    folder = project(a=TOOLS)
    inner, outside = tmp_path / "inner", tmp_path / "outside"
    for path in (inner, outside):
        path.mkdir()
        (path / "c.py").write_text(TOOLS)
    git(inner, "init", "-q")
    git(inner, "add", ".")
    git(inner, "commit", "-qm", "x")
    shutil.copytree(inner, folder / "nested")
    (folder / "linked").symlink_to(outside)
    (folder / "link.py").symlink_to(outside / "c.py")
    (folder / "loop").symlink_to("loop")
    (folder / "loop.py").symlink_to("loop.py")
    (folder / "up").symlink_to("..")
    assert run(["codemod", str(folder), "--write"]) == 1
    out = capsys.readouterr().out
    assert "nested/c.py" in out and "another repository" in out
    assert "link.py" in out and "symbolic link" in out
    assert (folder / "a.py").read_text() == DONE
    for path in (folder / "nested" / "c.py", outside / "c.py"):
        assert path.read_text() == TOOLS
    assert (folder / "link.py").is_symlink()

    shutil.rmtree(folder / "nested")
    (folder / "link.py").unlink()
    git(folder, "init", "-q")
    git(folder, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "x")
    assert run(["codemod", str(folder), "--write"]) == 0
    assert (folder / "sub" / "c.py").read_text() == TOOLS
    assert run(["codemod", str(folder / "sub"), "--write"]) == 0
    assert (folder / "sub" / "c.py").read_text() == DONE
    capsys.readouterr()


def test_the_settings_of_the_repository_and_the_options_over_them(project, capsys) -> None:
    folder = project(a=TOOLS)
    table = folder / "pyproject.toml"
    table.write_text('[tool.planproof.codemod]\nverify = "P0"\nbinding = "keep"\n')
    assert run(["codemod", str(folder), "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["levels"] == ["P0"]
    assert run(["codemod", str(folder), "--diff"]) == 0
    assert "PositionalTools as ToolExecutor" in capsys.readouterr().out
    assert run(["codemod", str(folder), "--verify", "P2", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["levels"] == ["P0", "P1", "P2"]
    for text, fault in (
        ("[tool.planproof]\ncodemod = 3\n", "codemod: expected a table, found 3"),
        ("[tool.planproof.codemod]\nverifi = 'P0'\n", "did you mean 'verify'?"),
        ("[tool.planproof.codemod]\nverify = 'P9'\n", "codemod.verify: is 'P9'"),
    ):
        table.write_text(text)
        assert run(["codemod", str(folder)]) == 2
        assert fault in capsys.readouterr().err


def test_every_form_of_the_report_goes_to_a_file(project, tmp_path, capsys) -> None:
    folder = project(a=TOOLS, b=UNKNOWN)
    assert set(FORMATS) == set(RENDERERS)
    for form in FORMATS:
        target = tmp_path / form
        arguments = ["codemod", str(folder), "--format", form, "--output", str(target)]
        assert run(arguments) == 1
        assert "a.py" in target.read_text() and "b.py" in target.read_text()
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err == ""
    assert run(["codemod", str(folder), "--output", str(tmp_path / "absent" / "x")]) == 2


def test_todo_comments_come_and_go_with_their_cause(project, capsys) -> None:
    folder = project(a=TOOLS, b=UNKNOWN)
    assert run(["codemod", str(folder), "--write", "--todo"]) == 1
    written = (folder / "b.py").read_text()
    assert written.removeprefix("# TO").startswith("DO(planproof ") and written.endswith(UNKNOWN)
    after = snapshot(folder)
    assert run(["codemod", str(folder), "--write", "--todo"]) == 1
    assert snapshot(folder) == after
    assert run(["codemod", str(folder), "--undo"]) == 0
    assert (folder / "b.py").read_text() == UNKNOWN and (folder / "a.py").read_text() == TOOLS
    run(["codemod", str(folder), "--write", "--todo"])
    comment = (folder / "b.py").read_text().removesuffix(UNKNOWN)
    (folder / "b.py").write_text(comment + "x = 1\n")
    assert run(["codemod", str(folder), "--write", "--todo"]) == 0
    assert (folder / "b.py").read_text() == "x = 1\n"
    capsys.readouterr()


def test_a_tree_inside_a_folder_that_is_none_has_to_be_clean(project, capsys) -> None:
    folder = project()
    (folder / "pyproject.toml").unlink()
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "pyproject.toml").write_text("")
        (folder / name / "a.py").write_text(TOOLS)
    git(folder / "two", "init", "-q")
    git(folder / "two", "add", ".")
    git(folder / "two", "commit", "-qm", "x")
    (folder / "two" / "a.py").write_text("# mine\n" + TOOLS)
    paths = [str(folder / "one"), str(folder / "two")]
    assert run(["codemod", *paths, "--write"]) == 2
    assert "uncommitted changes" in capsys.readouterr().err
    git(folder / "two", "checkout", "-q", ".")
    assert run(["codemod", *paths, "--write"]) == 0
    assert (folder / "one" / "a.py").read_text() == DONE == (folder / "two" / "a.py").read_text()
    capsys.readouterr()
