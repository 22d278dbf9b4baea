"""A small shop that runs segments, its migration, and damage to it."""

import dataclasses
from pathlib import Path

import pytest

from codemods.migration_plan import plan_migration
from codemods.migration_settings import MigrationSettings
from codemods.proofs.proof import Claim, ProofEnvironment
from codemods.settings import ScanSettings

SHOP = {
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n',
    "shop/__init__.py": "",
    # Imports `shop.prices` at once, which may import it back only when it is called.
    "shop/runs.py": (
        "from shop.prices import told\n\n\n"
        "async def run(plan, tools, env):\n"
        "    from legacy.durable_execution import execute_segment\n\n"
        '    result = await execute_segment(plan, tools, execution_id="x", environment=env)\n'
        "    return told(result.success, result.error_code)\n"
    ),
    "shop/prices.py": (
        "from legacy.durable_execution import SegmentError\n\n\n"
        "def told(success, code):\n"
        "    return success, code\n\n\n"
        "def later(go):\n"
        "    from shop.runs import run\n\n"
        "    try:\n        return go(run)\n    except SegmentError:\n        return None\n"
    ),
    "tests/test_runs.py": (
        "import asyncio\nfrom types import SimpleNamespace\nfrom unittest import mock\n\n"
        "from shop.runs import run\n\n\n"
        "async def fake(plan, tools, *, execution_id, environment):\n"
        "    return SimpleNamespace(success=False, error_code=execution_id)\n\n\n"
        "def test_run():\n"
        '    with mock.patch("legacy.durable_execution.execute_segment", fake):\n'
        "        assert asyncio.run(run({}, None, None)) == (False, 'x')\n\n\n"
        "def test_nothing():\n    assert run\n"
    ),
}


class Shop:
    """A project on disk and its migration; `damage` changes what would be written."""

    def __init__(self, folder: Path, files=SHOP) -> None:
        self.folder = folder
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        self.settings = ScanSettings()
        self.plan = plan_migration([folder], self.settings)
        assert self.plan.changes, [row.reasons for row in self.plan.rows]

    def after(self, shown):
        return next(item.after.decode() for item in self.plan.changes if item.shown == shown)

    def damage(self, shown, *pairs):
        """Replace text in what is to be written to a file; None instead leaves the file out."""
        changes = []
        for change in self.plan.changes:
            text = change.after.decode()
            if change.shown == shown:
                if pairs == (None,):
                    continue
                for old, new in pairs:
                    assert old in text, text
                    text = text.replace(old, new)
            changes.append(dataclasses.replace(change, after=text.encode()))
        self.plan = dataclasses.replace(self.plan, changes=tuple(changes))
        return self

    def claim(self, *, whole=True, **environment):
        """Return the claim for one rung alone."""
        environment = ProofEnvironment(paths=(self.folder,), **environment)
        plan = self.plan if whole else None
        return Claim(self.plan.changes, self.settings, MigrationSettings(), environment, plan)

    def snapshot(self):
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path / "shop")


@pytest.fixture
def make_shop(tmp_path):
    return lambda files: Shop(tmp_path / "shop", files)


@pytest.fixture
def faults():
    """Return a function that gives the faults of a rung by path."""
    return lambda proofs: {item.path: item.fault for item in proofs if item.fault}
