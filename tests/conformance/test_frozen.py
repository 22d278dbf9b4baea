"""A changed, missing or unlisted frozen file is found, and an absent manifest is no pass."""

import hashlib

import pytest

from conformance.metrics.frozen import EXECUTOR, FreezeEvidence, judge, read_freeze
from conformance.report import Verdict


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "legacy"
    folder.mkdir()
    lines = ["# sha256sum of the frozen files"]
    for name in ("a.py", "b.py"):
        (folder / name).write_text(f"name = {name!r}\n")
        lines.append(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}")
    (folder / "frozen.sha256").write_text("\n".join(lines) + "\n")
    return folder


def test_unchanged_files_are_met(folder):
    finding = judge(read_freeze(folder))
    assert (finding.verdict, finding.figure) == (Verdict.MET, "2 of 2 files unchanged")


def test_names_may_count_from_the_folder_above(folder):
    manifest = folder / "frozen.sha256"
    manifest.write_text(manifest.read_text().replace("  ", "  legacy/"))
    assert judge(read_freeze(folder)).verdict is Verdict.MET


def test_one_changed_byte_is_missed(folder):
    with (folder / "b.py").open("a") as file:
        file.write("\n")
    finding = judge(read_freeze(folder))
    assert (finding.verdict, finding.exit_code) == (Verdict.MISSED, 1)
    assert finding.reason == "changed or missing: b.py"


def test_a_removed_file_is_missed(folder):
    (folder / "a.py").unlink()
    assert judge(read_freeze(folder)).reason == "changed or missing: a.py"


def test_a_module_that_the_executor_imports_has_to_be_listed(folder):
    (folder / f"{EXECUTOR}.py").write_text("from legacy import a, c\n")
    (folder / "c.py").write_text("x = 1\n")
    finding = judge(read_freeze(folder))
    assert finding.verdict is Verdict.MISSED
    assert finding.reason == f"not in the manifest: c.py, {EXECUTOR}.py"


def test_a_malformed_line_is_missed_and_named(folder):
    with (folder / "frozen.sha256").open("a") as file:
        file.write("abc  c.py\n")
    finding = judge(read_freeze(folder))
    assert finding.verdict is Verdict.MISSED
    assert finding.evidence == (f"{folder / 'frozen.sha256'}:4",)


def test_no_manifest_and_an_empty_one_are_unknown(tmp_path):
    assert read_freeze(tmp_path) is None
    assert judge(None).verdict is Verdict.UNKNOWN
    assert judge(FreezeEvidence("m", {})).verdict is Verdict.UNKNOWN
