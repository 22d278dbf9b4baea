"""A migration as a report: the command's exit code, and each change before and after."""

import json

import pytest

from codemods.migration import Change
from conformance.cli import run
from conformance.report_model import RunReport, Status
from conformance.report_model_codemod import changes

MOVED = "from durable_execution import ToolExecutor\n\ndef f(tools: ToolExecutor): ...\n"
LEFT = "from durable_execution import nothing\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "pyproject.toml").touch()

    def write(**files):
        for name, text in files.items():
            (tmp_path / "src" / f"{name}.py").write_text(text)
        return tmp_path

    return write


def _report(folder, *arguments):
    reports = ["--report", "json=out.json", "--report", "html=out.html"]
    code = run(["codemod", "src", *arguments, *reports])
    report = RunReport.model_validate(json.loads((folder / "out.json").read_text()))
    assert report.exit_code == code
    return report


def test_changes_stand_before_and_after(project):
    folder = project(moved=MOVED)
    report = _report(folder)
    (change,) = report.codemod.changes
    assert (change.path, change.line, report.codemod.written) == ("moved.py", 1, False)
    assert change.before.startswith("from durable_execution import")
    assert "durable_execution" not in change.after
    assert change.rules
    assert {item.status for item in report.items} == {Status.PASSED}
    assert "<figcaption>after</figcaption>" in (folder / "out.html").read_text()


def test_what_is_left_decides(project):
    report = _report(project(moved=MOVED, left=LEFT), "--write")
    assert report.codemod.written
    left = [item for item in report.items if item.is_blocking]
    assert [item.place.path for item in left] == ["left.py"]
    assert report.exit_code == 1


def test_a_folder_without_legacy_is_no_empty_run(project):
    report = _report(project(clean="x = 1\n"))
    assert [item.status for item in report.items] == [Status.PASSED]


def test_a_change_far_from_another_is_a_piece_of_its_own():
    lines = [f"line {number}\n" for number in range(40)]
    after = ["new\n", *lines[1:30], "new\n", *lines[31:]]
    change = Change("/a.py", "a.py", "".join(lines).encode(), "".join(after).encode(), ("CM001",))
    assert [(piece.line, len(piece.before.splitlines())) for piece in changes(change)] == [
        (1, 3),
        (29, 5),
    ]


def test_a_batch_has_its_own_reports(project, capsys):
    project(moved=MOVED)
    assert run(["codemod", "--repos", "src", "--report", "html=out.html"]) == 2
    assert "--report is for one repository" in capsys.readouterr().err
