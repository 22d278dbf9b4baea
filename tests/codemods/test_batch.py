"""Without these one bad repository, a lost worker or a killed batch could cost the others."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from codemods.batch import Bounds, run_pool
from codemods.batch_journal import NAME, BatchJournalError, Record, open_journal, read_batch
from codemods.repositories import ListError, read_list, size_of
from conformance.cli import run
from conformance.commands import codemod_batch, codemod_run
from conformance.schemas import schema

TOOLS = "from durable_execution import ToolExecutor\n\ndef f(tools: ToolExecutor): ...\n"
DONE = "from engine import PositionalTools\n\ndef f(tools: PositionalTools): ...\n"
DIE = "__import__('os').kill(__import__('os').getpid(), 9)"

# Runs the command in a process of its own; the parent of the pool, not a worker.
COMMAND = """
import os, signal, sys
from codemods.batch_journal import BatchJournal
append, done = BatchJournal.append, 0
def die(self, repository, record):
    global done
    append(self, repository, record)
    done += 1
    if done == int(sys.argv[1]):
        with self.file.open("ab") as file:
            file.write(b'{"repository": "torn')
        os.kill(os.getpid(), signal.SIGKILL)
BatchJournal.append = die
from conformance.cli import run
run(sys.argv[2:])
"""

# Read by every new Python, so by the workers too: dies at a replacement of a file of repository 03.
CUSTOMIZE = """
import os, signal
from pathlib import Path
real, limit, marks = Path.replace, {limit}, Path({marks!r})
def replace(self, target):
    if str(target).endswith("03/b.py"):
        done = len(list(marks.iterdir()))
        if done < limit:
            (marks / str(done)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return real(self, target)
Path.replace = replace
"""


def settled(items, **bounds):
    found = list(run_pool(items, eval, Bounds(**bounds)))
    assert len(found) == len(items)
    return {item.item: item.fault or item.result for item in found}


def test_a_worker_that_dies_costs_its_item_only() -> None:
    items = ["1 + 1", DIE, "2 + 2", "1 / 0", "3 + 3"]
    found = settled(items, jobs=2)
    assert found.pop(DIE) == "the worker died twice"
    assert found == {
        "1 + 1": 2,
        "2 + 2": 4,
        "3 + 3": 6,
        "1 / 0": "ZeroDivisionError: division by zero",
    }


def test_an_item_that_dies_once_is_done_again(tmp_path) -> None:
    mark = tmp_path / "mark"
    once = f"7 if __import__('os').path.exists({str(mark)!r}) else (open({str(mark)!r}, 'w').close(), {DIE})"
    assert settled([once, "1"], jobs=1) == {once: 7, "1": 1}


def test_an_item_that_takes_too_long_is_given_up() -> None:
    slow = "__import__('threading').Event().wait()"
    found = settled([slow, "1", "2"], jobs=2, deadline_s=4)
    assert found == {slow: "not done within 4 seconds", "1": 1, "2": 2}


def test_an_item_that_is_given_up_ends_what_it_runs(tmp_path) -> None:
    # The program holds the pipe: its reader is told of its end, and would wait for ever otherwise.
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    work = (
        "__import__('codemods.proofs.child_process').proofs.child_process.run("
        f"['sh', '-c', 'exec sleep 1000 > /proc/{os.getpid()}/fd/{writer}'], deadline_s=1000)"
    )
    assert settled([work], deadline_s=4) == {work: "not done within 4 seconds"}
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b""


def test_a_worker_has_a_bound_of_memory() -> None:
    found = settled(["len(bytes(2 * 1024**3))", "1"], memory_bytes=1024**3)
    assert found == {"len(bytes(2 * 1024**3))": "MemoryError: ", "1": 1}


def test_a_worker_does_not_outlive_the_batch() -> None:
    # The worker holds the pipe too: it ends only when both are gone.
    script = (
        "import os, signal, threading\n"
        "from codemods.batch import Bounds, run_pool\n"
        "work = \"(print('begun', flush=True), __import__('threading').Event().wait())\"\n"
        "for _ in run_pool([work], eval, Bounds()): pass\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == b"begun\n"
        parent.send_signal(signal.SIGKILL)
        assert parent.communicate(timeout=60)[0] == b""


def test_the_list_and_the_glob(tmp_path, monkeypatch) -> None:
    for name in ("one", "two", "three # x"):
        (tmp_path / "all" / name).mkdir(parents=True)
    (tmp_path / "all" / "file").touch()
    (tmp_path / "all" / "again").symlink_to("one")
    listing = tmp_path / "list"
    listing.write_bytes(b"# mine\n\n  all/two # last\nall/one\n./all/one/\nall/again\nall/\xe9\n")
    found = read_list(str(listing))
    names = [os.fsencode(path.relative_to(tmp_path)) for path in found.repositories]
    assert names == [b"all/two", b"all/one", b"all/\xe9"]
    assert found.state == tmp_path / ".planproof"
    monkeypatch.chdir(tmp_path)
    globbed = read_list("all/*o*")
    assert [path.name for path in globbed.repositories] == ["one", "two"]
    assert globbed.state == tmp_path / "all" / ".planproof"
    for bad in ("absent", "all/x*", "all"):
        with pytest.raises(ListError):
            read_list(bad)
    assert size_of(tmp_path / "all") == 1 and size_of(tmp_path / "absent") == 0


def test_a_journal_with_a_torn_line_goes_on(tmp_path) -> None:
    with open_journal(tmp_path, resumes=False) as journal:
        journal.append(Path("/a"), Record("x", {"n": 1}))
        with (
            pytest.raises(BatchJournalError, match="under way"),
            open_journal(tmp_path, resumes=True),
        ):
            pass
    with (tmp_path / NAME).open("ab") as file:
        file.write(b'{"repository": "/b", "inp')
    with open_journal(tmp_path, resumes=True) as again:
        assert again.run == journal.run and again.records == {"/a": Record("x", {"n": 1})}
        again.append(Path("/a"), Record("y", {"n": 2}))
    known = read_batch(tmp_path)
    assert known is not None and known.records == {"/a": Record("y", {"n": 2})}
    (tmp_path / NAME).write_text("{}\n")
    with pytest.raises(BatchJournalError):
        read_batch(tmp_path)
    with open_journal(tmp_path, resumes=False) as fresh:
        assert fresh.run != journal.run and fresh.records == {}


def repositories(folder, count):
    """Make small repositories, half of them under git; return the list."""
    for number in range(count):
        path = folder / f"{number:02}"
        path.mkdir(parents=True)
        (path / "pyproject.toml").write_text("")
        (path / "a.py").write_text(TOOLS)
        (path / "b.py").write_text(TOOLS)
        if number % 3 == 0:
            git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
            for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
                subprocess.run([*git, *arguments], cwd=path, check=True)
    listing = folder / "list.txt"
    listing.write_text("".join(f"{number:02}\n" for number in range(count)))
    return listing


def sources(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.glob("*/*.py")}


def document(capsys, *arguments, code=0):
    assert run(["codemod", "--format", "json", "--repos", *map(str, arguments)]) == code
    found = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, schema("codemod-batch"))
    return found


def comparable(found):
    """Return what does not depend on where and in how many runs a batch was done."""
    totals = {name: value for name, value in found["totals"].items() if name != "known"}
    entries = [
        {name: value for name, value in entry.items() if name not in {"path", "report"}}
        for entry in found["repositories"]
    ]
    return totals, entries, found["exit_code"]


@pytest.mark.slow
def test_one_corrupt_repository_of_thirty(tmp_path, capsys) -> None:
    listing = repositories(tmp_path, 30)
    (tmp_path / "07" / "pyproject.toml").write_text("[broken")
    found = document(capsys, listing, "--write", code=2)
    states = [entry["status"] for entry in found["repositories"]]
    assert states.count("done") == 29 and states[7] == "failed"
    assert "invalid TOML" in found["repositories"][7]["error"]["message"]
    assert found["repositories"][7]["exit_code"] == 2 == found["exit_code"]
    texts = sources(tmp_path)
    assert {name for name, text in texts.items() if text != DONE} == {"07/a.py", "07/b.py"}
    assert found["totals"] == {
        "repositories": 30,
        "done": 29,
        "failed": 1,
        "known": 0,
        "files": 58,
        "before": 58,
        "rewritten": 58,
        "reported": 0,
        "allowed": 0,
    }
    report = tmp_path / ".planproof" / "reports" / found["repositories"][3]["report"]
    assert json.loads(report.read_text())["schema_version"] == "codemod/v1"

    (tmp_path / "07" / "pyproject.toml").write_text("")
    again = document(capsys, listing, "--write", "--resume")
    assert again["totals"]["known"] == 29 and again["totals"]["done"] == 30
    assert again["repositories"][:7] == found["repositories"][:7]
    assert set(sources(tmp_path).values()) == {DONE}

    # A second run changes nothing, and one file that is edited makes its repository run again.
    (tmp_path / "05" / "c.py").write_text(TOOLS)
    third = document(capsys, listing, "--write", "--resume")
    assert third["totals"]["known"] == 29 and third["totals"]["done"] == 30
    written = sources(tmp_path)
    fourth = document(capsys, listing, "--check", "--allow-dirty")
    assert fourth["totals"]["files"] == 0 and fourth["totals"]["known"] == 0
    assert sources(tmp_path) == written


@pytest.mark.slow
def test_whatever_is_wrong_with_a_repository_costs_itself_only(tmp_path, capsys) -> None:
    listing = repositories(tmp_path, 7)
    (tmp_path / "00" / ".git" / "HEAD").write_text("nonsense")
    (tmp_path / "01" / "a.py").write_bytes(b"# coding: utf-8\nimport durable_execution # \xff\n")
    (tmp_path / "02" / "pyproject.toml").write_text("[tool.planproof.codemod]\nbindings = 1\n")
    (tmp_path / "03" / "b.py").write_text("x = 1\n")
    (tmp_path / "04" / "loop").symlink_to("loop")
    (tmp_path / "04" / "up").symlink_to("..")
    for name in ("pyproject.toml", "a.py", "b.py"):
        (tmp_path / "05" / name).unlink()
    with listing.open("a") as file:
        file.write("absent\n06/a.py\n")
    found = document(capsys, listing, "--write", code=2)
    entries = {entry["repository"]: entry for entry in found["repositories"]}
    assert {name: entry["exit_code"] for name, entry in entries.items()} == {
        "00": 2,
        "01": 4,
        "02": 2,
        "03": 2,
        "04": 0,
        "05": 4,
        "06": 0,
        "absent": 2,
        "06/a.py": 2,
    }
    assert "git cannot read" in entries["00"]["error"]["message"]
    assert "unknown key 'bindings'" in entries["02"]["error"]["message"]
    assert "uncommitted changes" in entries["03"]["error"]["message"]
    assert entries["05"]["error"]["message"] == "no file was examined"
    assert entries["absent"]["error"]["message"] == "no such repository"
    assert entries["01"]["status"] == "done" and entries["01"]["accounting"]["reported"] == 1
    assert run(["codemod", "--repos", str(listing)]) == 2
    table = capsys.readouterr().out
    assert "9 repositories = 4 done + 5 failed" in table and "absent: no such repository" in table


@pytest.mark.slow
def test_a_batch_that_is_killed_and_resumed_is_like_an_undisturbed_one(tmp_path, capsys) -> None:
    killed, calm = repositories(tmp_path / "killed", 6), repositories(tmp_path / "calm", 6)
    arguments = ["codemod", "--repos", str(killed), "--write", "--jobs", "2"]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "3", *arguments], check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert set(sources(killed.parent).values()) == {DONE, TOOLS}
    resumed = document(capsys, killed, "--write", "--resume")
    assert resumed["totals"]["known"] == 3
    undisturbed = document(capsys, calm, "--write")
    assert comparable(resumed) == comparable(undisturbed)
    assert sources(killed.parent) == sources(calm.parent)
    assert run(["codemod", "--repos", str(killed), "--undo"]) == 0
    assert set(sources(killed.parent).values()) == {TOOLS}
    assert run(["codemod", "--repos", str(killed), "--undo"]) == 2
    assert "6 files" not in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 2])
def test_a_worker_that_is_killed_between_two_files(tmp_path, capsys, monkeypatch, limit) -> None:
    listing, calm = repositories(tmp_path / "all", 5), repositories(tmp_path / "calm", 5)
    marks = tmp_path / "marks"
    marks.mkdir()
    (tmp_path / "sitecustomize.py").write_text(CUSTOMIZE.format(limit=limit, marks=str(marks)))
    with monkeypatch.context() as patched:
        patched.setenv("PYTHONPATH", str(tmp_path))
        found = document(capsys, listing, "--write", "--jobs", "2", code=0 if limit == 1 else 3)
    assert len(list(marks.iterdir())) == limit
    if limit == 2:
        assert [entry["status"] for entry in found["repositories"]].count("done") == 4
        assert found["repositories"][3]["error"]["message"] == "the worker died twice"
        assert (listing.parent / "03" / "b.py").read_text() == TOOLS
        found = document(capsys, listing, "--write", "--resume")
        assert found["totals"]["known"] == 4
    assert comparable(found) == comparable(document(capsys, calm, "--write"))
    assert set(sources(listing.parent).values()) == {DONE}


def test_a_group_that_could_not_be_written_is_tried_again(tmp_path, capsys) -> None:
    listing = repositories(tmp_path, 3)
    folder = tmp_path / "00" / "locked"
    folder.mkdir()
    (folder / "c.py").write_text(TOOLS)
    for arguments in (
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "y"],
    ):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    folder.chmod(0o555)
    found = document(capsys, listing, "--write", code=3)
    folder.chmod(0o755)
    first = found["repositories"][0]
    assert first["status"] == "failed" and "read-only" in first["unwritten"]["locked/c.py"]
    assert first["accounting"] == {"before": 3, "rewritten": 2, "reported": 1, "allowed": 0}
    again = document(capsys, listing, "--write", "--resume")
    assert again["totals"]["known"] == 2 and (folder / "c.py").read_text() == DONE
    assert run(["codemod", "--repos", str(listing), "--undo"]) == 0
    assert set(sources(tmp_path).values()) == {TOOLS} and (folder / "c.py").read_text() == TOOLS
    capsys.readouterr()


def test_undo_leaves_other_runs_and_other_work_alone(tmp_path, capsys) -> None:
    listing = repositories(tmp_path, 3)
    assert run(["codemod", str(tmp_path / "01"), "--write"]) == 0
    (tmp_path / "02" / "a.py").write_text("x = 1\n")
    assert run(["codemod", "--repos", str(listing), "--write"]) == 0
    (tmp_path / "02" / "b.py").write_text("mine\n")
    assert run(["codemod", "--repos", str(listing), "--undo"]) == 3
    captured = capsys.readouterr()
    assert "changed since the run" in captured.err
    texts = sources(tmp_path)
    assert texts["00/a.py"] == TOOLS and texts["01/a.py"] == DONE and texts["02/b.py"] == "mine\n"


@pytest.mark.parametrize(
    ("crash", "message"),
    [
        (RuntimeError("unheard of"), "crashed: RuntimeError: unheard of"),
        (RecursionError("too deep"), "crashed: RecursionError: too deep"),
        (MemoryError(), "needs more memory than a worker may take"),
        (codemod_run.WriteError("no", place="x"), "no"),
    ],
)
def test_a_crash_of_the_planning_is_an_entry(tmp_path, monkeypatch, crash, message) -> None:
    repositories(tmp_path, 2)

    def fail(*_, **__):
        raise crash

    monkeypatch.setattr(codemod_batch, "migrate", fail)
    task = codemod_batch.Task(tmp_path / "01", "01", codemod_run.Request(), tmp_path, "json")
    entry = codemod_batch.migrate_repository(task).record.entry
    assert (entry["status"], entry["exit_code"]) == ("failed", 3)
    assert entry["error"]["message"] == message and entry["accounting"] is None


def test_what_a_result_depends_on(tmp_path) -> None:
    repositories(tmp_path, 4)
    request = codemod_run.Request()

    def inputs(number=0, **asked):
        path = tmp_path / f"{number:02}"
        own = dataclasses.replace(request, **asked)
        return codemod_batch.inputs_of(codemod_batch.Task(path, "x", own, tmp_path, "json"))

    for number in (0, 1):  # under git, and not
        folder = tmp_path / f"{number:02}"
        first = inputs(number)
        assert first == inputs(number, jobs=2, allow_dirty=True, resume=True, run="x")
        others = [
            inputs(number, mode="write"),
            inputs(number, level="P0"),
            inputs(number, todo=True),
        ]
        (folder / "a.py").write_text(DONE)
        others.append(inputs(number))
        (folder / "a.py").write_text(TOOLS)
        assert inputs(number) == first
        (folder / "new.py").write_text("x = 1\n")
        others.append(inputs(number))
        (folder / "new.py").write_text("x = 2\n")
        others.append(inputs(number))
        (folder / "new.py").unlink()
        (folder / "pyproject.toml").write_text("[tool.planproof.codemod]\ndocs = true\n")
        others.append(inputs(number))
        assert len({first, *others}) == 8
    (tmp_path / "03" / ".git" / "HEAD").write_text("nonsense")
    assert inputs(3) == ""


def test_a_deadline_that_nothing_keeps(tmp_path, capsys) -> None:
    listing = repositories(tmp_path, 2)
    found = document(capsys, listing, "--deadline", "0.001", code=3)
    messages = {entry["error"]["message"] for entry in found["repositories"]}
    assert messages == {"not done within 0.001 seconds"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--repos", "{list}", "x.py"], 2, "in quotes"),
        (["--repos", "{list}", "--diff"], 2, "for one repository"),
        (["--repos", "{list}", "--patch", "x"], 2, "for one repository"),
        (["--repos", "absent"], 2, "no such list"),
        (["--repos", "{empty}"], 4, "no repository is listed"),
        (["--repos", "{list}", "--undo"], 2, "no batch to undo"),
        (["--state", "x", "."], 2, "need --repos"),
        (["--deadline", "3", "."], 2, "need --repos"),
        ([], 2, "give paths"),
        ([".", "--resume", "--check"], 2, "does not go with --check"),
    ],
)
def test_usage(tmp_path, capsys, arguments, code, message) -> None:
    listing = repositories(tmp_path, 1)
    empty = tmp_path / "empty"
    empty.write_text("# nothing\n")
    given = [item.format(list=listing, empty=empty) for item in arguments]
    assert run(["codemod", *given]) == code
    assert message in capsys.readouterr().err


def test_state_and_form_of_the_reports(tmp_path, capsys) -> None:
    listing = repositories(tmp_path, 2)
    state = tmp_path / "elsewhere"
    arguments = ["--repos", str(listing), "--state", str(state), "--format", "markdown"]
    assert run(["codemod", *arguments]) == 0
    assert not (tmp_path / ".planproof").exists()
    reports = list((state / "reports").iterdir())
    assert [path.suffix for path in reports] == [".md", ".md"]
    assert "PositionalTools" in reports[0].read_text() or "a.py" in reports[0].read_text()
    assert "2 repositories = 2 done + 0 failed" in capsys.readouterr().out
    assert set(sources(tmp_path).values()) == {TOOLS}
