"""The first day of a new user: init, gate, codemod, a few edits by hand, gate green.

The commands are those that `init` and the reports print; nothing is looked up in the source.
"""

import re
import runpy
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from conformance.cli import run
from conformance.evidence.suite import INSIDE_GATE

FIXTURES = Path(__file__).parents[1] / "fixtures"
BUILD = runpy.run_path(str(FIXTURES / "consumers" / "build.py"))["build"]
QUICK = ("legacy-imports", "engine-size", "execution-tests", "frozen-legacy")
COUNTED = r"uses of durable_execution: (\d+) in production code, (\d+) in tests"

pytestmark = pytest.mark.slow


@pytest.fixture
def settle(tmp_path, monkeypatch):
    """Return a function that puts a consumer under version control, with its package importable."""
    monkeypatch.delenv(INSIDE_GATE, raising=False)

    def place(make, *folders):
        folder = tmp_path / "repository"
        make(folder)
        for words in ("init -q", "add -A", "-c user.email=a@b -c user.name=a commit -qm all"):
            subprocess.run(["git", *words.split()], cwd=folder, check=True)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("PYTHONPATH", ":".join(str(folder / name) for name in folders))
        return folder

    return place


def commands_of(shown):
    """Return the commands that `init` says are next."""
    listed = shown.partition("Next:\n")[2].splitlines()
    commands = [shlex.split(line.partition("#")[0]) for line in listed]
    assert [words[0] for words in commands] == ["planproof"] * 3
    return [words[1:] for words in commands]


def replace(folder, name, before, after):
    file = folder / name
    text = file.read_text("utf-8")
    assert before in text, (name, before)
    file.write_text(text.replace(before, after), "utf-8")


def quick(words):
    return [*words, *(word for metric in QUICK for word in ("--only", metric))]


def test_the_example_consumer(settle, capsys):
    folder = settle(lambda at: shutil.copytree(FIXTURES / "consumer", at), "src")
    assert run(["init"]) == 0
    shown = capsys.readouterr().out
    assert re.search(COUNTED, shown).groups() == ("15", "7")
    look, write, gate = commands_of(shown)
    assert run(quick(gate)) != 0
    said = " ".join(capsys.readouterr().out.split())
    assert "`planproof codemod --diff .` shows what can be rewritten" in said
    # The tests do not run before, for their runtime is not installed: the gate says so.
    assert "could not import 'durable_execution'" in said
    assert run(look) == 1
    assert "+from engine import segment_api as de" in capsys.readouterr().out
    assert run(write) == 1
    left = capsys.readouterr().out
    assert "Left to be changed by hand: 5" in left
    assert "[[tool.planproof.scan.allow]]" in left
    # What the report leaves to people, as a person would do it.
    replace(folder, ".github/workflows/ci.yaml", "import durable_execution", "import engine")
    replace(folder, "config/Procfile", "-m durable_execution.worker", "-m orders.workers.segments")
    line = 'orders-legacy-worker = "durable_execution.worker:main"\n'
    replace(folder, "pyproject.toml", line, "")
    replace(
        folder, "src/orders/workers/plugins.py", '(f"{package}.durable_execution")', "(package)"
    )
    before = "        from durable_execution import __version__\n    except ImportError:\n        return None\n    return __version__"
    after = (
        '        return version("planproof")\n    except PackageNotFoundError:\n        return None'
    )
    replace(folder, "src/orders/health.py", before, after)
    head = "\n\ndef executor_version"
    imports = "\nfrom importlib.metadata import PackageNotFoundError, version\n"
    replace(folder, "src/orders/health.py", head, imports + head)
    assert run(["scan", "."]) == 0
    code = run(gate)
    shown = capsys.readouterr().out
    assert code == 0, shown
    assert shown.splitlines()[-1].startswith("MET: 6 met, 0 missed, 0 unknown")


def test_a_library_that_supports_both(settle, capsys):
    folder = settle(lambda at: BUILD("dual_library", at), "src", "tests")
    assert run(["init"]) == 0
    _look, write, gate = commands_of(capsys.readouterr().out)
    assert run(["baseline", "update"]) == 0
    assert run(write) == 1
    assert run(["baseline", "check"]) == 1
    assert "run `planproof baseline update`" in capsys.readouterr().out
    notebook = "notebooks/tour.ipynb"
    replace(folder, notebook, "!pip show durable_execution", "!pip show planproof")
    assert run(["baseline", "update"]) == 0
    assert run(["baseline", "check"]) == 0
    code = run(quick(gate))
    shown = capsys.readouterr().out
    assert code == 0, shown
    assert "21 passed" in shown


def test_a_service_without_a_table_of_its_own(settle, capsys):
    folder = settle(lambda at: BUILD("async_service", at), "src", "tests")
    replace(folder, "pyproject.toml", "[tool.planproof.codemod]\n", "")
    text = (folder / "pyproject.toml").read_text("utf-8")
    (folder / "pyproject.toml").write_text(re.sub(r"(?m)^string_keys.*\n", "", text), "utf-8")
    assert run(["init"]) == 0
    shown = capsys.readouterr().out
    assert "was added" in shown
    _look, write, gate = commands_of(shown)
    assert run(["codemod", "--undo", "."]) != 0, "there is nothing to take back yet"
    before = (folder / "src/dispatch/flows.py").read_text("utf-8")
    assert run([*write, "--allow-dirty"]) in {1, 4}
    assert (folder / "src/dispatch/flows.py").read_text("utf-8") != before
    assert run(["codemod", "--undo", "."]) == 0
    assert (folder / "src/dispatch/flows.py").read_text("utf-8") == before
    assert run([*gate, "--only", "legacy-imports"]) == 1
