"""A comparison as a report: the same exit code, every divergence with both timelines."""

import json

import pytest

from conformance.cli import run
from conformance.ledger import DEFAULT_CORPUS
from conformance.report_model import RunReport, Status
from conformance.schemas import schema

HIDDEN = DEFAULT_CORPUS / "false-deadlock-min.json"
PLAIN = DEFAULT_CORPUS / "chain-1.json"


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _report(*arguments, code=0):
    assert run(["diff", *map(str, arguments), "--report", "json=out.json"]) == code
    with open("out.json", encoding="utf-8") as file:  # noqa: PTH123 - below the test's folder
        return RunReport.model_validate(json.load(file)["run"])


def test_an_accepted_divergence_has_its_entry_and_both_timelines():
    report = _report("--scenarios", PLAIN, "--scenarios", HIDDEN)
    plain, hidden = report.items
    assert (plain.status, plain.timeline, plain.layers) == (Status.PASSED, None, ("L5",))
    assert (hidden.status, hidden.entries) == (Status.LEDGERED, ("DIV-024",))
    assert hidden.timeline.left[: hidden.timeline.differs_at] == ("call a {}", "call c {}")
    assert hidden.timeline.right[hidden.timeline.differs_at] == "call b {}"
    (row,) = [row for row in report.ledger.rows if row.used]
    assert (row.id, row.used) == ("DIV-024", 1)
    with open(report.ledger.path, encoding="utf-8") as file:  # noqa: PTH123 - a given path
        assert '"DIV-024"' in file.read().splitlines()[row.line - 1]


def test_a_regression_has_its_replay_and_the_whole_has_one_too():
    report = _report("--scenarios", HIDDEN, "--empty-ledger", code=1)
    (item,) = report.items
    assert (item.status, item.kind, item.place.line) == (Status.FAILED, "legacy wrong", 1)
    assert item.replay.startswith("planproof diff --scenarios .planproof/findings/")
    assert item.proposal.startswith("[[divergence]]")
    assert report.command == f"planproof diff --scenarios {HIDDEN} --empty-ledger"
    assert report.exit_code == 1


def test_a_fault_of_the_ledger_is_an_item_with_the_line_of_its_entry():
    text = (DEFAULT_CORPUS.parent / "divergences.toml").read_text()
    text = text.replace('id = "DIV-001"', 'id = "DIV-901"', 1).replace(
        """'divergence.cause == "refused" and scenario.forbidden_sequence'""",
        """'legacy.end == "deadlock"'""",
        1,
    )
    with open("twice.toml", "w", encoding="utf-8") as file:  # noqa: PTH123 - below the test's folder
        file.write(text)
    report = _report("--scenarios", HIDDEN, "--ledger", "twice.toml", code=5)
    (item,) = [item for item in report.items if item.group == "ledger"]
    assert (item.kind, item.place.path) == ("not disjoint", "twice.toml")
    assert '"DIV-901"' in text.splitlines()[item.place.line - 1]


def test_the_command_s_own_document_holds_the_report(capsys):
    import jsonschema

    assert run(["diff", "--scenarios", str(PLAIN), "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, schema("report"))
    assert RunReport.model_validate(document["run"]).exit_code == document["exit_code"]


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b"])
def test_a_shard_is_one_of_its_total(shard, capsys):
    assert run(["diff", "--scenarios", str(PLAIN), "--shard", shard]) == 2
    assert f"'{shard}' is not I/N" in capsys.readouterr().err


def test_shards_share_the_scenarios():
    names = []
    for index in (1, 2):
        report = _report("--generated", 5, "--shard", f"{index}/2")
        assert (report.complete, report.shard.of_whole) == (False, False)
        names += [item.id for item in report.items]
    assert sorted(names) == sorted(item.id for item in _report("--generated", 5).items)
