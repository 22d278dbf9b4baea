"""Without these a migration could be written that was proved only together with files it leaves out."""

from pathlib import Path

import pytest

from codemods.migration_plan import plan_migration
from codemods.migration_settings import Level, MigrationSettings
from codemods.settings import ScanSettings
from codemods.verification import LEVELS, Proof, ProofEnvironment
from conformance.commands import codemod_ladder
from conformance.commands.codemod_ladder import Ladder

TOOLS = "from durable_execution import ToolExecutor\n\ndef f(tools: ToolExecutor): ...\n"
NAMES = ("a.py", "b.py", "c.py")


@pytest.fixture
def plan(tmp_path):
    (tmp_path / "pyproject.toml").write_text("")
    for name in NAMES:
        (tmp_path / name).write_text(TOOLS)
    return plan_migration([tmp_path], ScanSettings(), MigrationSettings())


@pytest.fixture
def climb(plan, monkeypatch):
    """Return a function that climbs with given faults, and the climbs: levels and files."""
    climbs = []

    def run(level, faults, foreign=()):
        def verify(given, settings, last, *, since, options, environment):
            files = [Path(change.path).name for change in given.changes]
            climbs.append((since, last, files))
            wanted = LEVELS[LEVELS.index(since) : LEVELS.index(last) + 1]
            held = [Proof(".", name) for name in wanted]
            wrong = [item for item in faults if item.level in wanted]
            return (*held, *(item for item in wrong if item.path in {".", *files}))

        monkeypatch.setattr(codemod_ladder, "verify", verify)
        options = MigrationSettings(verify=Level(level))
        ladder = Ladder(ScanSettings(), options, ProofEnvironment())
        return ladder.climb(plan, dict.fromkeys(foreign, "not ours")), climbs

    return run


def test_lower_rungs_are_climbed_once(climb):
    proofs, climbs = climb("P1", [Proof("a.py", "P1", "bad")])
    assert climbs == [("P0", "P1", list(NAMES))]
    assert [item.level for item in proofs if item.fault] == ["P1"]


def test_upper_rungs_are_climbed_with_what_the_lower_ones_leave(climb):
    proofs, climbs = climb("P5", [Proof("a.py", "P0", "bad")], foreign=["c.py"])
    assert climbs == [("P0", "P2", list(NAMES)), ("P3", "P5", ["b.py"])]
    assert [item.level for item in proofs if not item.fault] == list(LEVELS[:6])


def test_they_are_climbed_again_until_nothing_falls(climb):
    faults = [Proof("a.py", "P3", "bad"), Proof("b.py", "P4", "could not run: it")]
    proofs, climbs = climb("P4", [*faults, Proof("a.py", "P4", "bad, too")])
    assert climbs == [
        ("P0", "P2", list(NAMES)),
        ("P3", "P4", list(NAMES)),
        ("P3", "P4", ["c.py"]),
    ]
    assert [item for item in proofs if item.fault] == [*faults, Proof("a.py", "P4", "bad, too")]
    # What held of the files that fell says nothing of the others alone.
    assert [item.level for item in proofs if not item.fault] == list(LEVELS[:5])


@pytest.mark.parametrize("path", [".", None])
def test_if_everything_falls_there_is_nothing_left_to_prove(climb, path):
    faults = [Proof(path or name, "P5", "bad") for name in NAMES]
    proofs, climbs = climb("P5", faults)
    assert len(climbs) == 2
    assert [item.path for item in proofs if item.fault] == [path or name for name in NAMES]


def test_the_real_ladder_begins_where_it_is_told(plan):
    found = codemod_ladder.verify(plan, ScanSettings(), "P2", since="P1")
    assert {item.level for item in found} == {"P1", "P2"}
    ladder = Ladder(ScanSettings(), MigrationSettings(verify=Level("P2")), ProofEnvironment())
    assert {item.level for item in ladder.climb(plan, {})} == {"P0", "P1", "P2"}
