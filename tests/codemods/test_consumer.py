"""The example consumer: every occurrence in it, by hand, so that none comes or goes unnoticed."""

import datetime as dt
import shutil
import tomllib
from pathlib import Path

import pytest

import codemods
from codemods import ScanSettings, Scope, Status

CONSUMER = Path(__file__).parents[1] / "fixtures" / "consumer"
TODAY = dt.date(2026, 6, 1)

EXPECTED = {
    # place: (kind, status, scope)
    ".github/workflows/ci.yaml:8:32": ("configuration", "use", "production"),
    "README.md:3:58": ("document", "documentation", "production"),
    "config/Procfile:2:19": ("command", "use", "production"),
    "config/service.yaml:3:5": ("comment", "comment", "production"),
    "config/service.yaml:4:13": ("configuration", "use", "production"),
    "config/service.yaml:5:28": ("configuration", "namesake", "production"),
    "config/service.yaml:8:21": ("prose", "documentation", "production"),
    "docs/operations.md:3:32": ("document", "documentation", "production"),
    "notebooks/stuck_orders.ipynb:cell 1:3:20": ("document", "documentation", "production"),
    "notebooks/stuck_orders.ipynb:cell 2:2:8": ("import", "use", "production"),
    "notebooks/stuck_orders.ipynb:cell 3:1:1": ("output", "documentation", "production"),
    "pyproject.toml:14:25": ("entry_point", "use", "production"),
    "src/orders/api/engine.py:5:27": ("reexport", "use", "production"),
    "src/orders/api/engine.py:5:46": ("reexport", "use", "production"),
    "src/orders/api/execute.py:5:6": ("from_import", "use", "production"),
    "src/orders/compat/__init__.py:3:6": ("from_import", "use", "production"),
    "src/orders/health.py:3:16": ("docstring", "documentation", "production"),
    "src/orders/health.py:9:14": ("from_import", "use", "production"),
    "src/orders/reporting/weekly.py:3:7": ("relative_import", "namesake", "production"),
    "src/orders/reporting/weekly.py:9:5": ("identifier", "unrelated", "production"),
    "src/orders/reporting/weekly.py:10:22": ("identifier", "unrelated", "production"),
    "src/orders/settings.py:5:33": ("comment", "comment", "production"),
    "src/orders/settings.py:6:47": ("string", "use", "production"),
    "src/orders/settings.py:9:18": ("prose", "documentation", "production"),
    "src/orders/tools.py:8:10": ("from_import", "use", "production"),
    "src/orders/workers/drain.py:3:6": ("from_import", "allowed", "production"),
    "src/orders/workers/plugins.py:8:37": ("dynamic_import", "use", "production"),
    "src/orders/workers/plugins.py:12:48": ("dynamic_import", "undecided", "production"),
    "src/orders/workers/segments.py:6:8": ("import", "use", "production"),
    "typings/orders_client.pyi:1:6": ("from_import", "use", "production"),
    "tests/conftest.py:3:22": ("module_lookup", "use", "test"),
    "tests/test_execute.py:9:21": ("patch_target", "use", "test"),
    "tests/test_execute.py:10:16": ("reexport", "use", "test"),
    "tests/test_execute.py:14:22": ("patch_target", "use", "test"),
    "tests/test_segments.py:3:8": ("import", "use", "test"),
    "tests/test_segments.py:9:23": ("patch_target", "use", "test"),
    "tests/test_segments.py:10:16": ("reexport", "use", "test"),
}


def settings():
    document = tomllib.loads((CONSUMER / "pyproject.toml").read_text("utf-8"))
    return ScanSettings.from_mapping(document["tool"]["planproof"]["scan"])


def test_every_occurrence():
    report = codemods.scan([CONSUMER], settings(), today=TODAY)
    found = {
        item.place: (item.kind.value, item.status.value, item.scope.value)
        for item in report.occurrences
    }
    assert found == EXPECTED
    assert report.is_accounted
    assert report.suppressions == ()
    assert set(report.facades) == {
        "src/orders/compat/__init__.py",
        "src/orders/api/engine.py",
        "src/orders/api/execute.py",
        "src/orders/tools.py",
        "src/orders/workers/drain.py",
        "src/orders/workers/segments.py",
        "tests/test_segments.py",
        "typings/orders_client.pyi",
    }


def test_the_words_are_the_bytes_of_the_files():
    """Counts by another way than the scanner: the raw bytes of every file it examined."""
    report = codemods.scan([CONSUMER], settings(), today=TODAY)
    files = [path for path in CONSUMER.rglob("*") if path.is_file()]
    archived = [path for path in files if "archive" in path.parts]
    examined = [path for path in files if path not in archived and path.suffix != ".pyc"]
    assert report.files_examined == len(examined)
    hits = sum(path.read_bytes().count(b"durable_execution") for path in examined)
    assert hits == report.words + report.substrings
    assert len(archived) == report.skipped["excluded by the settings"] == 1


def test_the_whole_of_the_fixtures_is_accounted_for():
    report = codemods.scan([CONSUMER.parent])
    assert report.is_accounted
    assert report.files_examined >= 26


@pytest.mark.parametrize(
    "name", [path for path in EXPECTED if path.endswith(("8:32", "5:6", "14:25", "2:8"))]
)
def test_a_use_that_is_migrated_is_gone(tmp_path, name):
    """The scan follows the files and not the table above."""
    copy = tmp_path / "consumer"
    shutil.copytree(CONSUMER, copy)
    path = copy / name.split(":")[0]
    path.write_bytes(path.read_bytes().replace(b"durable_execution", b"workflow_engine"))
    report = codemods.scan([copy], settings(), today=TODAY)
    assert name not in {item.place for item in report.occurrences}
    assert len(report.of(Status.USE, Scope.PRODUCTION)) < sum(
        status == "use" and scope == "production" for _, status, scope in EXPECTED.values()
    )
