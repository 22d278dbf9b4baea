"""Without these tests an accepted leftover could stay for ever, or hide more than it says."""

import datetime as dt

import pytest

from codemods import AllowEntry, ScanSettings, Status

TODAY = dt.date(2026, 6, 1)
FILES = {
    "src/a.py": "import durable_execution\n",
    "src/b.py": "import durable_execution\n# durable_execution\n",
}


def allow(path, expires=TODAY):
    return ScanSettings(allow=(AllowEntry(path, "billing moves in July", expires),))


@pytest.mark.parametrize("path", ["src/b.py", "b.py", "src/b*", "**/b.py"])
def test_an_entry_covers_its_files_only(scan_files, path):
    report = scan_files(FILES, allow(path), today=TODAY)
    assert [item.path for item in report.of(Status.USE)] == ["src/a.py"]
    assert [(item.path, item.line) for item in report.of(Status.ALLOWED)] == [("src/b.py", 1)]
    assert "billing moves in July" in report.of(Status.ALLOWED)[0].reason
    assert report.suppressions == ()


def test_an_expired_entry_is_the_fault(scan_files):
    report = scan_files(FILES, allow("src/", TODAY - dt.timedelta(days=1)), today=TODAY)
    assert report.of(Status.USE) == ()
    assert [item.fault for item in report.suppressions] == ["expired on 2026-05-31"]


@pytest.mark.parametrize("path", ["src/c.py", "docs/"])
def test_an_entry_that_matches_nothing_is_stale(scan_files, path):
    report = scan_files({**FILES, "src/c.py": ""}, allow(path), today=TODAY)
    assert [item.fault for item in report.suppressions] == ["matches no occurrence"]


def test_a_scan_of_a_part_judges_only_the_entries_of_that_part(scan_files, tmp_path):
    import codemods

    scan_files({**FILES, "docs/a.py": "", "src/c.py": ""})
    part = tmp_path / "project" / "src"
    assert codemods.scan([part], allow("docs/"), today=TODAY).suppressions == ()
    assert len(codemods.scan([part], allow("src/c.py"), today=TODAY).suppressions) == 1


def test_what_could_not_be_examined_cannot_be_allowed(scan_files):
    report = scan_files({"src/a.py": "def (: durable_execution\n"}, allow("src/"), today=TODAY)
    assert len(report.of(Status.UNEXAMINED)) == 1
    assert len(report.suppressions) == 1
