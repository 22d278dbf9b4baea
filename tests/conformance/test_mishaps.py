"""Whatever goes wrong: one clear line, the documented exit code, no half-written report.

Every command meets a wrong option, a missing file, a configuration that cannot be read, a full disk,
a reader that goes away, and Ctrl-C.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from conformance import cli
from conformance.cli import COMMANDS, command_group, run
from conformance.scenario_builder import ScenarioBuilder, format_document

PROGRAM = [sys.executable, "-W", "error", "-m", "conformance.cli"]
USE = "from durable_execution import execute_segment\n"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A small repository with one use of legacy, one scenario, and records of both executors."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.planproof]\n")
    (tmp_path / "app.py").write_text(USE)
    builder = ScenarioBuilder("story", about="a story")
    builder.plan.step("first")
    (tmp_path / "story.json").write_text(format_document(builder.document()))
    (tmp_path / "records.jsonl").write_text('{"success": true}\n' * 500)
    assert (
        run(["gate", "--only", "engine-size", "--format", "json", "--output", "report.json"]) == 0
    )
    assert run(["report", "history", "--add", "report.json"]) == 0
    return tmp_path


# Every command, as it runs quickly and writes something; a command that is missing here fails the
# first test.
GOOD = {
    "trace": ["trace", "--executor", "unified", "story.json"],
    "diff": ["diff", "--scenarios", "story.json", "--jobs", "1"],
    "chaos": ["chaos", "--plan", "chain1", "--jobs", "1", "--restart"],
    "failures": ["failures", "records.jsonl", "records.jsonl"],
    "certify": ["certify", "unified", "--level", "C0"],
    "ledger lint": ["ledger", "lint"],
    "ledger propose": ["ledger", "propose", "story.json"],
    "scan": ["scan", "."],
    "codemod": ["codemod", "--diff", "."],
    "explain": ["explain", "CM001"],
    "gate": ["gate", "--only", "engine-size"],
    "report open": ["report", "open", "report.json", "--no-browser"],
    "report merge": ["report", "merge", "report.json"],
    "report history": ["report", "history"],
    "schema": ["schema", "scenario"],
    "init": ["init"],
    "doctor": ["doctor"],
    "baseline update": ["baseline", "update"],
    "baseline check": ["baseline", "check"],
    "completion": ["completion", "bash"],
}

# Commands whose input is made by a running router or recorder: they are refused here, and their
# own tests run them.
REFUSED = {
    "shadow": ["shadow", "none.jsonl"],
    "record build": ["record", "build", "none.jsonl", "--out", "out.jsonl"],
    "record from-redis": [
        "record",
        "from-redis",
        "--store",
        "none://nowhere",
        "--out",
        "out.jsonl",
    ],
}

# A file or folder that is not there, in the place of each argument that names one.
MISSING = {
    "trace": ["trace", "--executor", "unified", "none.json"],
    "diff": ["diff", "--scenarios", "none.json"],
    "failures": ["failures", "none.jsonl", "records.jsonl"],
    "ledger lint": ["ledger", "lint", "--ledger", "none.toml"],
    "ledger propose": ["ledger", "propose", "none.json"],
    **REFUSED,
    "scan": ["scan", "none"],
    "codemod": ["codemod", "none"],
    "gate": ["gate", "--config", "none.toml"],
    "report open": ["report", "open", "none.json", "--no-browser"],
    "report merge": ["report", "merge", "none.json"],
    "report history": ["report", "history", "--history", "none.sqlite"],
    "init": ["init", "none"],
    "baseline update": ["baseline", "update", "none"],
    "baseline check": ["baseline", "check", "none"],
}
# Commands without a file to miss.
NO_FILE = {"chaos", "certify", "explain", "schema", "doctor", "completion"}

# Commands that read pyproject.toml.
CONFIGURED = ("scan", "codemod", "gate", "init", "doctor", "baseline update", "baseline check")

# Commands that write a file, with FILE in its place.
WRITING = {
    "trace": [*GOOD["trace"], "--output", "FILE"],
    "diff": [*GOOD["diff"], "--output", "FILE"],
    "chaos": [*GOOD["chaos"], "--output", "FILE"],
    "failures": [*GOOD["failures"], "--output", "FILE"],
    "certify": [*GOOD["certify"], "--output", "FILE"],
    "scan": ["scan", ".", "--output", "FILE"],
    "codemod": ["codemod", ".", "--output", "FILE"],
    "gate": [*GOOD["gate"], "--output", "FILE"],
    "report open": [*GOOD["report open"], "--output", "FILE"],
    "report merge": [*GOOD["report merge"], "--output", "FILE"],
    "baseline update": ["baseline", "update", "--baseline", "FILE", "--allow-more"],
}


def leaves():
    """Return every command that does something, groups left out."""
    group = command_group()
    context = click.Context(group)
    found = []
    for name in COMMANDS:
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            found += [f"{name} {below}" for below in command.commands]
        else:
            found.append(name)
    return found


def one_line(shown):
    assert shown.startswith("planproof: "), shown
    assert shown.count("\n") == 1, shown
    assert "Traceback" not in shown


def test_every_command_meets_every_mishap():
    assert sorted({**GOOD, **REFUSED}) == sorted(leaves())
    assert set(MISSING) | NO_FILE == {*GOOD, *REFUSED}
    assert set(WRITING) <= set(GOOD)


@pytest.mark.parametrize("name", {**GOOD, **REFUSED})
def test_a_wrong_option(name, repository, capsys):
    capsys.readouterr()
    assert run([*{**GOOD, **REFUSED}[name], "--no-such-option"]) == 2
    shown = capsys.readouterr()
    one_line(shown.err)
    assert "--no-such-option" in shown.err
    assert "--help" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_file(name, repository, capsys):
    capsys.readouterr()
    # A ledger that is not there is a ledger that is wrong.
    assert run(MISSING[name]) == (5 if name == "ledger lint" else 2)
    shown = capsys.readouterr()
    one_line(shown.err)
    assert "none" in shown.err


@pytest.mark.parametrize(
    "text",
    ["[tool.planproof\n", "\xff", "[tool.planproof.scna]\n"],
    ids=["no-toml", "no-utf-8", "unknown-section"],
)
@pytest.mark.parametrize("name", CONFIGURED)
def test_a_configuration_that_cannot_be_read(name, text, repository, capsys):
    if name == "baseline check":
        assert run(["baseline", "update"]) == 0
    capsys.readouterr()
    (repository / "pyproject.toml").write_bytes(text.encode("latin-1"))
    assert run(GOOD[name]) == 2
    shown = capsys.readouterr()
    assert "pyproject.toml" in shown.err + (shown.out if name == "doctor" else "")
    if name != "doctor":
        one_line(shown.err)
    assert (repository / "pyproject.toml").read_bytes() == text.encode("latin-1")


def started(name, repository, **options):
    if name == "baseline check":
        assert run(["baseline", "update"]) == 0
    return subprocess.Popen(
        [*PROGRAM, *GOOD[name]], cwd=repository, stderr=subprocess.PIPE, text=True, **options
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", GOOD)
def test_standard_output_on_a_full_disk(name, repository):
    with Path("/dev/full").open("wb") as full:
        process = started(name, repository, stdout=full)
        _, said = process.communicate(timeout=200)
    assert process.returncode == 3, said
    one_line(said.splitlines(keepends=True)[-1])
    assert "No space left" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", WRITING)
def test_a_report_on_a_full_disk(name, repository, capsys):
    capsys.readouterr()
    words = ["/dev/full" if word == "FILE" else word for word in WRITING[name]]
    if name == "baseline update":
        words = [word.replace("/dev/full", "full.json") for word in words]
        (repository / "full.json").symlink_to("/dev/full")
    assert run(words) == 3
    shown = capsys.readouterr().err
    one_line(shown.splitlines(keepends=True)[-1])
    assert "No space left" in shown


@pytest.mark.slow
@pytest.mark.parametrize("name", GOOD)
def test_a_reader_that_goes_away(name, repository):
    reading, writing = os.pipe()
    os.close(reading)
    process = started(name, repository, stdout=writing)
    os.close(writing)
    _, said = process.communicate(timeout=200)
    assert process.returncode == 3, said
    assert said.splitlines()[-1] == "planproof: the reader of the output went away"
    assert "Traceback" not in said


@pytest.mark.parametrize("name", WRITING)
def test_ctrl_c_leaves_no_half_of_a_report(name, repository, capsys, monkeypatch):
    """The signal comes while the report is put on the disk, the worst moment for it."""
    words = ["out.report" if word == "FILE" else word for word in WRITING[name]]
    before = {path.name for path in repository.iterdir()}
    (repository / "out.report").write_text("what was there")
    capsys.readouterr()

    def interrupted(_handle):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    if name == "baseline update":
        (repository / "out.report").write_text('{"schema": "baseline/v1", "uses": {}}')
    kept = (repository / "out.report").read_text()
    assert run(words) == 3
    assert capsys.readouterr().err.splitlines()[-1] == "planproof: interrupted"
    assert (repository / "out.report").read_text() == kept
    left = {path.name for path in repository.iterdir()} - before
    assert not [name for name in left if name.endswith(".part")]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["trace", "diff", "diff by two", "gate", "certify"])
def test_ctrl_c_from_a_terminal(name, repository):
    """A real signal, to the whole process group, while the command is at work."""
    words = {
        "trace": ["trace", "--executor", "legacy", str(Path(cli.__file__).parent / "scenarios")],
        "diff": ["diff", "--jobs", "1", "--output", "out.txt"],
        "diff by two": ["diff", "--jobs", "2", "--output", "out.txt"],
        "gate": ["gate", "--only", "failures", "--output", "out.txt"],
        "certify": [
            *("certify", "--command", f"{sys.executable} -c 'import time; time.sleep(90)'"),
            *("--silence", "80", "--output", "out.txt"),
        ],
    }[name]
    code = (
        "import sys, signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "sys.stderr.write('ready\\n'); sys.stderr.flush();"
        "from conformance.cli import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=repository,
        stdout=subprocess.PIPE if name == "trace" else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr.readline() == "ready\n"
    if name == "trace":
        process.stdout.readline()  # it is at work
    else:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=3)
    os.killpg(process.pid, signal.SIGINT)
    if name == "diff by two":  # somebody who cannot wait
        os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=100)
    assert process.returncode == 3, said
    assert said.splitlines()[-1] == "planproof: interrupted"
    assert "Traceback" not in said
    assert not (repository / "out.txt").exists()


def test_what_an_interrupt_has_cut_off_before_its_first_step_is_not_told():
    code = """
from conformance import cli

async def cut_off():
    pass

def run():
    cut_off()
    return cli._interrupted()

cli.run = run
cli.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "planproof: interrupted\n")
