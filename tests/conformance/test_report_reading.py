"""Reading reports back: what is no report is one line with the place."""

import json
from pathlib import Path

import pytest

from conformance.errors import UsageError
from conformance.report_model import RunReport
from conformance.report_reading import read_report

REPORT = RunReport(kind="diff", product_version="1", subject="a and b")


def test_a_report_and_a_command_s_document_are_read(tmp_path):
    file = tmp_path / "report.json"
    file.write_text(REPORT.to_json())
    assert read_report(file) == REPORT
    file.write_text(json.dumps({"schema": "diff/v1", "run": json.loads(REPORT.to_json())}))
    assert read_report(file) == REPORT


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "is not JSON"),
        (b"\xff", "is not UTF-8 at byte 0"),
        (b"[]", "there is no run/v1 document in it"),
        (b'{"schema": "run/v2"}', "there is no run/v1 document in it"),
        (b'{"schema": "run/v1", "kind": "diff"}', "product_version: Field required"),
        (b"[" * 200_000, "is nested too deeply"),
    ],
)
def test_what_is_no_report_is_named(tmp_path, data, message):
    file = tmp_path / "report.json"
    file.write_bytes(data)
    with pytest.raises(UsageError, match=message) as caught:
        read_report(file)
    assert caught.value.place.startswith(str(file))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        read_report(tmp_path / "absent.json")


def test_a_device_is_not_read_to_an_end_that_it_has_not():
    with pytest.raises(UsageError, match="is a device, not a report"):
        read_report(Path("/dev/null"))
