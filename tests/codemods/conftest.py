"""A small project on disk and its scan, with the accounting checked every time."""

from pathlib import Path

import pytest

import codemods


@pytest.fixture
def scan_files(tmp_path):
    """Return a function that writes files and scans them."""

    def run(files, settings=None, **options):
        project = tmp_path / "project"
        for name, content in {"pyproject.toml": "", **files}.items():
            path = project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content if isinstance(content, bytes) else content.encode("utf-8")
            path.write_bytes(data)
        report = codemods.scan([project], settings or codemods.ScanSettings(), **options)
        assert report.is_accounted, "an occurrence was dropped or counted twice"
        assert Path(report.root) == project
        return report

    return run


@pytest.fixture
def found(scan_files):
    """Return a function that gives (path, line, column, kind, status) of every occurrence."""

    def run(files, settings=None):
        return [
            (item.path, item.line, item.column, item.kind.value, item.status.value)
            for item in scan_files(files, settings).occurrences
        ]

    return run
