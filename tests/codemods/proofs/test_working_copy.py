"""Without these a proof could run in the consumer's own files, or in a copy that leads back to them."""

import os

from codemods.migration_plan import plan_migration
from codemods.migration_settings import MigrationSettings
from codemods.proofs.proof import Claim, ProofEnvironment
from codemods.proofs.working_copy import child_environment, planning_copy, projects, running_copy
from codemods.settings import ScanSettings

USE = "from durable_execution import ToolExecutor\n\nx = ToolExecutor\n"


def test_links_stay_inside_and_tools_stay_out(shop):
    folder = shop.folder
    (folder / "absolute.py").symlink_to(folder / "shop/runs.py")
    (folder / "relative.py").symlink_to("shop/runs.py")
    for name in (".git/config", ".venv/x.py", "env/pyvenv.cfg", "data/kept.txt"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("")
    os.mkfifo(folder / "pipe")
    before = shop.snapshot()
    (project,) = projects(shop.claim())
    for migrated, word in ((False, "durable_execution"), (True, "segment_api")):
        with running_copy(project, migrated=migrated) as copy:
            assert {item.name for item in copy.iterdir()} == {
                "absolute.py", "relative.py", "data", "pyproject.toml", "shop", "tests",
            }  # fmt: skip
            for name in ("absolute.py", "relative.py", "shop/runs.py"):
                assert word in (copy / name).read_text()
            (copy / "absolute.py").write_text("changed by a test")
            assert (copy / "shop/runs.py").read_text() == "changed by a test"
            assert copy.name == folder.name
        assert not copy.exists()
    with planning_copy(project) as copy:
        assert "segment_api" in (copy / "shop/runs.py").read_text()
    (folder / "pipe").unlink()
    assert shop.snapshot() == before


def test_several_projects_are_told_apart(tmp_path):
    for name in ("one", "two", "two/inner", "three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pyproject.toml").write_text("")
        (tmp_path / name / "a.py").write_text("" if name == "three" else USE)
    paths = [tmp_path / name for name in ("one", "two", "two/inner", "three")]
    plan = plan_migration(paths)
    environment = ProofEnvironment(paths=tuple(paths))
    claim = Claim(plan.changes, ScanSettings(), MigrationSettings(), environment, plan)
    one, two = projects(claim)
    assert (one.label, two.label) == ("one: ", "two: ")
    assert [two.inside(item) for item in two.changes] == ["a.py", "inner/a.py"]
    assert one.not_run("P3", "why").fault == "could not run: one: why"
    assert one.not_run("P3", "why").is_unexamined
    assert one.proof("P3", "bad", "by").fault == "one: bad"


def test_the_run_around_this_one_is_not_handed_on(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    monkeypatch.setenv("PYTHONPATH", "/mine")
    monkeypatch.setenv("KEPT", "1")
    found = child_environment(tmp_path, ["src", "."], first="/first")
    assert found["PYTHONPATH"].split(os.pathsep) == [
        "/first",
        str(tmp_path / "src"),
        str(tmp_path),
        "/mine",
    ]
    assert "PYTEST_XDIST_WORKER" not in found and found["KEPT"] == "1"
