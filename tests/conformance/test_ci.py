"""The CI parts do what they say: inputs exist, commands are real, and the scripts run."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import pytest
import yaml

from conformance.ci import GITLAB
from conformance.cli import command_group, run

ROOT = Path(__file__).parents[2]
CONSUMER = ROOT / "tests" / "fixtures" / "consumer"
ACTION_TEXT = (ROOT / "action.yml").read_text("utf-8")
ACTION = yaml.safe_load(ACTION_TEXT)
PAGE = (ROOT / "conformance" / "docs" / "ci.md").read_text("utf-8")
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
GITLAB_JOBS = yaml.safe_load(GITLAB.read_text("utf-8"))

# GitHub's own contexts, for expressions that stand in a composite action.
CONTEXTS = {"inputs", "steps", "github", "runner", "env", "job", "strategy", "matrix"}


def gate_script():
    (step,) = [step for step in ACTION["runs"]["steps"] if step.get("id") == "gate"]
    return step


def parsed(words):
    """Parse a command line with the real parser; nothing is run."""
    group = command_group()
    command = group.get_command(click.Context(group), words[1])
    assert command is not None, words
    rest = words[2:]
    if isinstance(command, click.Group):
        command, rest = command.commands[rest[0]], rest[1:]
    command.make_context(words[1], rest)


def commands_in(script):
    """Yield the planproof commands of a shell script, with variables as plain words."""
    joined = script.replace("\\\n", " ")
    joined = re.sub(r"\$\{CONFIG:\+(--config) [^}]*\}", r"\1 pyproject.toml", joined)
    joined = joined.replace("$PROFILE", "pr").replace("$PLANPROOF_PROFILE", "pr")
    joined = re.sub(r'"\$\{paths\[@\]\}"', ".", joined)
    joined = re.sub(r"\$\{?\w+\}?", "x", joined)
    for line in joined.splitlines():
        text = line.partition("||")[0].strip()
        if text.startswith("planproof "):
            yield shlex.split(text.replace("x/", "/tmp/"))


def test_every_input_of_the_action_exists_and_is_used():
    used = set(re.findall(r"inputs\.([\w-]+)", ACTION_TEXT))
    assert used == set(ACTION["inputs"])
    assert {"profile", "paths", "python", "report"} <= used


def test_every_expression_speaks_of_something_that_exists():
    steps = {step["id"] for step in ACTION["runs"]["steps"] if "id" in step}
    for expression in re.findall(r"\$\{\{ (.*?) \}\}", ACTION_TEXT):
        context, _, name = expression.partition(".")
        assert context in CONTEXTS, expression
        if context == "steps":
            assert name.split(".")[0] in steps
    (output,) = re.findall(r"steps\.gate\.outputs\.([\w-]+)", ACTION_TEXT)
    assert f'echo "{output}=' in gate_script()["run"]


def test_no_input_is_pasted_into_a_script():
    scripts = [step["run"] for step in ACTION["runs"]["steps"] if "run" in step]
    assert len(scripts) == 3
    assert not any("${{" in script for script in scripts)


def test_every_action_is_pinned_and_says_its_version():
    lines = [line for line in ACTION_TEXT.splitlines() if "uses:" in line]
    assert len(lines) == 3
    for line in lines:
        assert re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$|@v\d+ # \S+", line), line


def test_every_step_has_what_a_composite_action_needs():
    for step in ACTION["runs"]["steps"]:
        assert ("uses" in step) != ("run" in step)
        assert "run" not in step or step["shell"] == "bash"


@pytest.mark.parametrize("command", list(commands_in(gate_script()["run"])), ids=" ".join)
def test_the_commands_of_the_action_are_real(command):
    parsed(command)


def test_the_action_runs_both_commands():
    assert [words[1] for words in commands_in(gate_script()["run"])] == ["scan", "gate"]


@pytest.mark.slow
@pytest.mark.parametrize("paths", ["", "src tests"])
def test_the_script_of_the_action_runs(tmp_path, paths):
    """With one metric, so that it is quick: the verdict, the summary and the reports arrive."""
    copy = tmp_path / "consumer"
    shutil.copytree(CONSUMER, copy)
    program = tmp_path / "bin" / "planproof"
    program.parent.mkdir()
    quick = 'case $1 in gate) set -- "$@" --only legacy-imports;; esac\n'
    program.write_text(f'#!/bin/bash\n{quick}exec "{sys.executable}" -m conformance.cli "$@"\n')
    program.chmod(0o755)
    defaults = {name: str(each["default"]) for name, each in ACTION["inputs"].items()}
    step = gate_script()
    given = {
        name: defaults[re.search(r"inputs\.([\w-]+)", text).group(1)]
        for name, text in step["env"].items()
    }
    summary, output = tmp_path / "summary.md", tmp_path / "output"
    files = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)}
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
        cwd=copy,
        env={**os.environ, **given, **files, "PATHS": paths, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert output.read_text() == "exit-code=1\n"
    assert "src/orders/api/execute.py" in summary.read_text("utf-8")
    found = {file.name for file in (copy / given["REPORT"]).iterdir()}
    wanted = {"report.json", "summary.md", "junit.xml", "gate.sarif", "report.html"}
    assert found == (wanted | {"scan.sarif"} if paths else wanted)
    runs = [
        one
        for file in (copy / given["REPORT"]).glob("*.sarif")
        for one in json.loads(file.read_text("utf-8"))["runs"]
    ]
    categories = [one["automationDetails"]["id"] for one in runs]
    assert len(set(categories)) == len(categories), "one upload takes one run of a category"


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_is_complete_and_its_command_is_real(hook):
    assert {"id", "name", "description", "entry", "language"} <= set(hook)
    words = shlex.split(hook["entry"])
    assert words[0] == "planproof"
    parsed(words)
    if "files" in hook:
        assert re.compile(hook["files"]).search("pyproject.toml")


# What each hook says of the example consumer, and of one without any use.
HOOK_CODES = {
    "planproof-scan": (1, 0),
    "planproof-ledger": (0, 0),
    "planproof-codemod": (1, 0),
    "planproof-baseline": (2, 2),
}


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_judges_the_example_consumer(hook, tmp_path, monkeypatch, capsys):
    dirty, clean = HOOK_CODES[hook["id"]]
    copy = tmp_path / "consumer"
    shutil.copytree(CONSUMER, copy)
    monkeypatch.chdir(copy)
    words = shlex.split(hook["entry"])[1:]
    assert run(words) == dirty
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "app.py").write_text("print(1)\n")
    (empty / "pyproject.toml").write_text("[tool.planproof]\n")
    monkeypatch.chdir(empty)
    assert run(words) == clean


def test_the_hook_of_the_baseline_passes_where_there_is_one(tmp_path, monkeypatch):
    shutil.copytree(CONSUMER, tmp_path / "consumer")
    monkeypatch.chdir(tmp_path / "consumer")
    assert run(["baseline", "update"]) == 0
    assert run(["baseline", "check"]) == 0


def test_the_jobs_for_gitlab_are_real():
    jobs = {name: job for name, job in GITLAB_JOBS.items() if name != "variables"}
    scripts = ["\n".join(job["script"]) for job in jobs.values() if "script" in job]
    found = [words for script in scripts for words in commands_in(script)]
    assert [words[1] for words in found] == ["baseline", "gate"]
    for words in found:
        parsed(words)
    for job in jobs.values():
        assert job.get("extends", ".planproof") in jobs
    used = set(re.findall(r"\$\{?(PLANPROOF_\w+)", GITLAB.read_text("utf-8")))
    assert used == set(GITLAB_JOBS["variables"])


def _shown(key):
    """Return the YAML block of the page whose top level has `key`."""
    blocks = map(yaml.safe_load, re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    (found,) = [block for block in blocks if key in block]
    return found


def test_the_page_uses_the_action_as_it_is():
    (job,) = _shown("jobs")["jobs"].values()
    *others, ours = job["steps"]
    assert re.fullmatch(r"OWNER/planproof@v\d+\.\d+\.\d+", ours["uses"])
    assert set(ours["with"]) <= set(ACTION["inputs"])
    assert others, "the repository has to be checked out first"
    for step in others:
        assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
    assert job["permissions"] == {"contents": "read", "security-events": "write"}


def test_the_page_names_every_hook():
    (repository,) = _shown("repos")["repos"]
    assert [hook["id"] for hook in repository["hooks"]] == [hook["id"] for hook in HOOKS]


def test_every_version_on_the_page_is_the_one_that_is_installed():
    shown = set(re.findall(r"(?:planproof@v|rev: v|planproof\[all\]==|COMMIT # v)([\d.]+\d)", PAGE))
    assert shown == {version("planproof")}


def test_what_raises_versions_is_set_up_as_its_tool_wants_it():
    document = _shown("updates")
    (update,) = document["updates"]
    assert document["version"] == 2
    assert (update["package-ecosystem"], update["directory"]) == ("github-actions", "/")
    assert update["schedule"] == {"interval": "weekly"}
