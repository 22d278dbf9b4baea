"""A changed clause under an old version would make every certificate that names it a lie."""

import pytest

from conformance.errors import HarnessError
from conformance.kit.checks import CHECKS
from conformance.kit.drive import Drive
from conformance.kit.flaws import FLAWS
from conformance.kit.requirements import FOLDER, Level, read_requirements
from conformance.reference_model import Unpredictable, predict

PUBLISHED = {"v1": "765c5eb65fece7bb80822d393cb57d99f836132f2a16ee085dd87cb7728b305d"}
COUNTS = {"C0": 11, "C1": 11, "C2": 14, "C3": 9, "C4": 4, "C5": 6}
REQUIREMENTS = read_requirements()


@pytest.mark.parametrize("version", PUBLISHED)
def test_a_published_version_never_changes(version):
    assert read_requirements(version).digest == PUBLISHED[version]


def test_every_version_is_published():
    assert {path.stem for path in FOLDER.glob("*.toml")} == set(PUBLISHED)


def test_the_clauses_of_each_level_are_counted():
    counts = {
        level: sum(clause.level is level for clause in REQUIREMENTS.clauses) for level in Level
    }
    assert counts == COUNTS


def test_every_scenario_belongs_to_a_clause():
    files = {path.stem for path in (FOLDER / "v1").iterdir()}
    assert files == set(REQUIREMENTS.by_id)


def test_every_clause_has_its_flaw_and_no_flaw_is_left():
    assert set(FLAWS) == set(REQUIREMENTS.by_id)


@pytest.mark.parametrize("clause", REQUIREMENTS.clauses, ids=lambda clause: clause.id)
def test_a_clause_is_sound(clause):
    assert clause.scenario.name == clause.id
    assert clause.checks
    assert set(clause.checks) <= set(CHECKS)
    assert clause.drive in Drive
    earlier = list(REQUIREMENTS.by_id)[: list(REQUIREMENTS.by_id).index(clause.id)]
    assert set(clause.requires) <= set(earlier)
    assert bool(clause.requires) == (clause.id != "runs-a-chain")
    assert not isinstance(predict(clause.scenario), Unpredictable)


def test_every_check_is_some_clauses_own():
    own = {clause.checks[0] for clause in REQUIREMENTS.clauses}
    assert own == set(CHECKS)


def test_files_that_are_missing_are_the_harness_fault(tmp_path):
    with pytest.raises(HarnessError, match="cannot be read"):
        read_requirements("v1", tmp_path)
    (tmp_path / "v1.toml").write_text('version = "v1"\n[[clause]]\nid = "x"\n')
    with pytest.raises(HarnessError, match="cannot be read"):
        read_requirements("v1", tmp_path)
