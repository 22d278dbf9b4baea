"""A report is written whole or not at all."""

import os
from pathlib import Path

import pytest

from conformance import report_files
from conformance.errors import HarnessError, UsageError
from conformance.report_files import check_writable, write_report

FULL = Path("/dev/full")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (".", "it is a folder"),
        ("none/out.txt", "its folder does not exist"),
        ("out.txt", "its folder is read-only, or not yours"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_with_the_reason(
    name, reason, tmp_path, monkeypatch
):
    # An administrator may write everywhere.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UsageError) as caught:
        check_writable(tmp_path / name)
    assert caught.value.line() == f"{tmp_path / name}: cannot be written: {reason}"


def test_a_new_file_has_the_mode_of_any_new_file(tmp_path):
    path = tmp_path / "out.txt"
    write_report(path, "text")
    other = tmp_path / "other"
    other.touch()
    assert path.read_text() == "text"
    assert path.stat().st_mode == other.stat().st_mode
    assert {each.name for each in tmp_path.iterdir()} == {"other", "out.txt"}


def test_a_file_that_is_replaced_keeps_its_mode_and_a_link_stays_one(tmp_path):
    path, link = tmp_path / "real", tmp_path / "link"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    write_report(link, "new")
    assert link.is_symlink()
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o640)


def test_when_the_disk_is_full_the_old_report_stays(tmp_path, monkeypatch):
    path = tmp_path / "out.txt"
    path.write_text("old")

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report_files.os, "fsync", full)
    with pytest.raises(HarnessError) as caught:
        write_report(path, "new")
    assert caught.value.line() == f"{path}: No space left on device; no report was written"
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_is_written_as_it_is():
    check_writable(None)
    check_writable(Path(os.devnull))
    write_report(Path(os.devnull), "text")
    if FULL.exists():
        with pytest.raises(HarnessError, match="No space left on device"):
            write_report(FULL, "text")
