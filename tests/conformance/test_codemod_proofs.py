"""Without these an option could be dropped on the way to the ladder, or a proof not run count as one that held."""

import sys
from pathlib import Path

import pytest

from codemods.verification import BehaviourReport, Proof
from conformance.cli import run
from conformance.commands import codemod_proofs
from conformance.commands.codemod_proofs import compare_engines, proof_codes, proof_environment
from conformance.errors import ExitCode, UsageError

SCENARIOS = Path(codemod_proofs.__file__).parents[1] / "scenarios"
LEDGER = Path(codemod_proofs.__file__).parents[1] / "divergences.toml"


def test_options_reach_the_environment(tmp_path):
    found = proof_environment(
        [tmp_path], python=sys.executable, test_command="t", foreign=tmp_path, jobs=3
    )
    assert found.paths == (tmp_path,) and found.jobs == 3
    assert (found.python, found.test_command, found.foreign) == (sys.executable, "t", tmp_path)
    assert found.behaviour is not None
    assert proof_environment([tmp_path]).python == sys.executable
    assert proof_environment([tmp_path], python="sh").python.endswith("/sh")


@pytest.mark.parametrize("option", [{"python": "/nowhere/python"}, {"foreign": Path("/nowhere")}])
def test_what_is_not_there_is_refused(tmp_path, option):
    with pytest.raises(UsageError, match="no such"):
        proof_environment([tmp_path], **option)


def test_a_fault_fails_and_what_was_not_run_is_vacuous():
    held, fault, unrun = (Proof("a", "P3", text) for text in ("", "bad", "could not run: no mypy"))
    assert proof_codes([held]) == []
    assert proof_codes([held, fault, unrun]) == [ExitCode.FAILED, ExitCode.VACUOUS]


@pytest.fixture
def project(tmp_path):
    def make(names=("single-5999",), table="[tool.planproof.corpus]\npaths = ['mine']\n"):
        (tmp_path / "mine").mkdir()
        for name in names:
            text = (SCENARIOS / f"{name}.json").read_text("utf-8")
            (tmp_path / "mine" / f"{name}.json").write_text(text, "utf-8")
        (tmp_path / "pyproject.toml").write_text(table)
        return tmp_path

    return make


def test_the_repositorys_own_scenarios_are_compared(project):
    assert compare_engines([project()]) == BehaviourReport(1, (), "mine")


def test_a_divergence_that_nothing_accepts_is_told(project):
    names = ("single-5999", "false-deadlock-min", "comp-diamond")
    table = "[tool.planproof]\ncorpus = {paths = ['mine']}\nledger = {path = 'own.toml'}\n"
    folder = project(names, table)
    (folder / "own.toml").write_text('schema = "ledger/v1"\n')
    report = compare_engines([folder])
    assert report.scenarios == 3
    assert {line.partition(": ")[0] for line in report.divergences} == {
        "false-deadlock-min",
        "comp-diamond",
    }
    assert "legacy" in report.divergences[0] and "unified" in report.divergences[0]
    (folder / "own.toml").unlink()
    (folder / "pyproject.toml").write_text("[tool.planproof.corpus]\npaths = ['mine']\n")
    assert compare_engines([folder]).divergences == ()


@pytest.mark.parametrize(
    "table",
    [
        "[tool.planproof.corpus]\npaths = ['nowhere']\n",
        "[tool.planproof.ledger]\npath = 'nowhere.toml'\n",
        "[tool.planproof]\nnonsense = 1\n",
    ],
)
def test_what_is_wrong_with_the_configuration_is_said_and_nothing_was_judged(project, table):
    report = compare_engines([project(table=table)])
    assert report.scenarios == 0 and report.source


@pytest.mark.parametrize("table", ["", "[project]\nname = 'planproof-user'\n"])
def test_without_scenarios_of_its_own_the_shipped_ones_are_sampled(project, monkeypatch, table):
    monkeypatch.setattr(codemod_proofs, "SAMPLED_SCENARIOS", 3)
    report = compare_engines([project(table=table)])
    assert report.scenarios == 3 and report.divergences == ()
    assert report.source.startswith("a sample of the shipped corpus (")


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("")
    (folder / "a.py").write_text("from durable_execution import ToolExecutor\n\nx = ToolExecutor\n")
    return folder


def test_a_rung_that_could_not_be_climbed_is_unexamined_and_nothing_is_written(shop, capsys):
    before = (shop / "a.py").read_bytes()
    options = ["--verify", "P5", "--test-command", "true", "--python", sys.executable]
    assert run(["codemod", str(shop), "--write", *options]) == ExitCode.VACUOUS
    assert (shop / "a.py").read_bytes() == before
    assert "P5 does not hold: could not run: true" in capsys.readouterr().out
    assert run(["codemod", str(shop), "--write"]) == ExitCode.PASSED


def test_an_option_that_names_nothing_is_a_mistake(shop, capsys):
    assert run(["codemod", str(shop), "--foreign", str(shop / "nowhere")]) == ExitCode.USAGE
    assert "nowhere: no such folder" in capsys.readouterr().err
