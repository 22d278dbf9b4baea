"""A scan as a report: the same exit code as the scan's own, a place for every use."""

import json
from pathlib import Path

import pytest

from conformance.cli import run
from conformance.report_model import RunReport, Status

CONSUMER = Path(__file__).parents[1] / "fixtures" / "consumer"


@pytest.fixture
def document(capsys):
    def read(path, *arguments):
        code = run(["scan", str(path), *arguments, "--format", "json"])
        report = RunReport.model_validate(json.loads(capsys.readouterr().out)["run"])
        assert report.exit_code == code
        return report

    return read


def test_every_use_has_its_place(document):
    report = document(CONSUMER)
    uses = [item for item in report.items if item.status is Status.FAILED]
    assert len(uses) == 22
    assert sum(item.role == "advisory" for item in uses) == 7  # in test code
    execute = next(item for item in uses if item.id.startswith("src/orders/api/execute.py"))
    assert execute.place.shown == "src/orders/api/execute.py:5:6"
    assert execute.kind == "DE002"
    assert {item.status for item in report.items} == {
        Status.FAILED,
        Status.LEDGERED,
        Status.UNTESTABLE,
    }


def test_uses_in_tests_decide_where_they_shall(document):
    report = document(CONSUMER, "--fail-on", "tests")
    assert not any(item.role == "advisory" for item in report.items)


def test_a_clean_folder_is_no_empty_run(document, tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    report = document(tmp_path)
    assert [item.status for item in report.items] == [Status.PASSED]
    assert report.items[0].message == "1 files examined"
