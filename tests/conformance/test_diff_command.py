"""`planproof diff` and `planproof ledger propose` as a user sees them."""

import json

import pytest

from conformance.cli import run
from conformance.ledger import DEFAULT_CORPUS
from conformance.scenario_builder import ScenarioBuilder, format_document, step_id

HIDDEN = DEFAULT_CORPUS / "false-deadlock-min.json"
PLAIN = DEFAULT_CORPUS / "chain-1.json"
FINDING = ".planproof/findings/false-deadlock-min.json"
REPLAY = f"planproof diff --scenarios {FINDING} --empty-ledger"


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _diff(*arguments):
    return run(["diff", *map(str, arguments)])


def _json(capsys):
    return json.loads(capsys.readouterr().out)


def test_explained_divergences_pass(capsys):
    assert _diff("--scenarios", PLAIN, "--scenarios", HIDDEN) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "every divergence is explained: 1 pass, 1 ledgered (exit 0)"
    layers = next(line for line in lines if line.startswith("scenarios that differ, by layer"))
    assert layers.endswith("L5 2 (L5 decides with --strict only)"), "else the last line denies it"


def test_with_an_emptied_ledger_each_divergence_is_shown(capsys, tmp_path):
    assert _diff("--scenarios", HIDDEN, "--empty-ledger") == 1
    out = capsys.readouterr().out
    assert (tmp_path / FINDING).is_file()
    for line in (
        "REGRESSION false-deadlock-min [legacy wrong]",
        "  L0 terminal outcome: terminal",
        "    legacy: failed",
        "    unified: completed",
        "  first differing event (number 3):",
        "      both: call c {}",
        "    unified: call b {}",
        f"  smallest: 3 of 3 steps, {FINDING}",
        f"  replay: {REPLAY}",
        '    id = "DIV-001"',
        "unexplained divergences: 1 regression (exit 1)",
    ):
        assert line in out.splitlines()
    assert run(REPLAY.split()[1:]) == 1


def test_the_json_report_has_a_schema_version_and_all_of_it(capsys):
    assert _diff("--scenarios", HIDDEN, "--empty-ledger", "--format", "json") == 1
    report = _json(capsys)
    assert (report["schema"], report["schema_version"], report["exit_code"]) == ("diff/v1", 1, 1)
    assert report["verdicts"] == {"regression": 1}
    (finding,) = report["findings"]
    assert finding["attribution"] == "legacy wrong"
    assert finding["primary"] == {
        "layer": "L0",
        "path": "terminal",
        "left": "failed",
        "right": "completed",
    }
    assert finding["first_difference"]["right"][0] == "call b {}"
    assert finding["layers"]["L4"] is True
    assert report["normalisation"]["rules"]["ids@1"] > 0


def test_a_report_can_go_to_a_file(capsys, tmp_path):
    assert _diff("--scenarios", PLAIN, "--format", "json", "--output", "report.json") == 0
    assert json.loads((tmp_path / "report.json").read_text())["scenarios"] == 1
    assert capsys.readouterr().out == "every divergence is explained: 1 pass (exit 0)\n"
    assert _diff("--scenarios", PLAIN, "--output", "no/such/folder.txt") == 2


def test_strict_runs_gate_on_the_process_too(capsys):
    assert _diff("--scenarios", PLAIN, "--strict") == 1
    assert "decides with" not in capsys.readouterr().out


def test_generated_scenarios_are_compared_and_their_seed_is_named(capsys):
    assert _diff("--generated", 3, "--seed", 5) == 0
    out = capsys.readouterr().out
    assert "3 scenarios from generation (seed 5)" in out


def test_nothing_to_compare_is_no_pass(capsys):
    assert _diff("--generated", 0) == 4
    assert "no scenario" in capsys.readouterr().err


def test_an_unsound_plan_is_a_mistake_of_its_author(capsys, tmp_path):
    document = ScenarioBuilder("cyclic").step("a").build().document()
    document["plan"]["steps"][0]["dependencies"] = [step_id("a")]
    path = tmp_path / "cyclic.json"
    path.write_text(format_document(document))
    assert _diff("--scenarios", path) == 2
    err = capsys.readouterr().err
    assert "cyclic.json" in err
    assert "plan.steps[0].dependencies[0]: the step depends on itself" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--scenarios", "none.json"), 2, "none.json"),
        (("--right", "unifed"), 2, "did you mean 'unified'?"),
        (("--ledger", "none.toml"), 5, "none.toml"),
        (("--jobs", "0"), 2, "--jobs"),
        (("--store", "http://here"), 2, "'http://here' names no store"),
        (("--store", "redis://here:port/0"), 2, "port"),
    ],
)
def test_mistakes_are_one_line_and_an_exit_code(capsys, arguments, code, message):
    assert _diff(*arguments) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_an_expired_ledger_stops_the_run(capsys, tmp_path):
    text = (DEFAULT_CORPUS.parent / "divergences.toml").read_text()
    aged = text.replace("since = 2026-11-22", "since = 2025-01-01")
    (tmp_path / "old.toml").write_text(aged.replace("expires = 2027-11-22", "expires = 2026-01-01"))
    assert _diff("--scenarios", HIDDEN, "--ledger", "old.toml") == 5
    assert "DIV-001: expired: expired on 2026-01-01" in capsys.readouterr().err


def test_two_entries_that_overlap_are_a_fault_of_the_ledger(capsys, tmp_path):
    text = (DEFAULT_CORPUS.parent / "divergences.toml").read_text()
    (tmp_path / "twice.toml").write_text(
        text.replace('id = "DIV-001"', 'id = "DIV-901"', 1).replace(
            """'divergence.cause == "refused" and scenario.forbidden_sequence'""",
            """'legacy.end == "deadlock"'""",
            1,
        )
    )
    assert _diff("--scenarios", HIDDEN, "--ledger", "twice.toml") == 5
    out = capsys.readouterr().out
    assert "LEDGER DIV-901 and DIV-024: not disjoint" in out


def test_an_executor_compared_with_itself_agrees(capsys):
    assert _diff("--scenarios", PLAIN, "--left", "unified") == 0


def test_propose_drafts_an_entry_and_edits_nothing(capsys, tmp_path):
    (tmp_path / "empty.toml").write_text('schema = "ledger/v1"\n')
    assert run(["ledger", "propose", str(HIDDEN), "--ledger", "empty.toml"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("# false-deadlock-min: legacy wrong\n[[divergence]]\n")
    assert (tmp_path / "empty.toml").read_text() == 'schema = "ledger/v1"\n'


def test_propose_says_when_there_is_nothing_to_propose(capsys):
    assert run(["ledger", "propose", str(HIDDEN)]) == 0
    assert run(["ledger", "propose", str(PLAIN)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "# false-deadlock-min: DIV-024 explains it already"
    assert second.startswith("# chain-1: pass, no divergence")
