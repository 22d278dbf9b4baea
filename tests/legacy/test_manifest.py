"""A change of the frozen executor is noticed and named, and so is a manifest that checks nothing."""

import hashlib
from pathlib import Path

import pytest

from legacy.manifest import MANIFEST, ManifestError, read_manifest, verify

NOT_FROZEN = {"__init__", "manifest"}


def test_nothing_differs():
    assert verify() == []


def test_every_module_that_the_executor_imports_is_listed():
    listed = {Path(name).stem for name in read_manifest()}
    for name in listed:
        source = MANIFEST.with_name(f"{name}.py").read_text("utf-8")
        imported = {
            line.split()[1].removeprefix("legacy.")
            for line in source.splitlines()
            if line.startswith("from legacy.")
        }
        assert imported <= listed, name
    assert "durable_execution" in listed
    assert not listed & NOT_FROZEN


def _freeze(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    manifest = folder / "frozen.sha256"
    manifest.write_text(
        "".join(
            f"{hashlib.sha256(text.encode()).hexdigest()}  {name}.py\n"
            for name, text in files.items()
        )
    )
    return manifest


def test_a_changed_and_a_missing_file_are_named(tmp_path):
    manifest = _freeze(tmp_path, a="1", b="2", c="3")
    (tmp_path / "b.py").write_text("other")
    (tmp_path / "c.py").unlink()
    assert [str(one) for one in verify(manifest)] == ["b.py is changed", "c.py is missing"]


@pytest.mark.parametrize("text", ["", "abc  a.py\n", f"{'0' * 64} a.py\n", f"{'0' * 64}  \n"])
def test_a_manifest_that_checks_nothing_is_refused(tmp_path, text):
    manifest = tmp_path / "frozen.sha256"
    manifest.write_text(text)
    with pytest.raises(ManifestError):
        verify(manifest)
    with pytest.raises(ManifestError):
        verify(tmp_path / "absent.sha256")
