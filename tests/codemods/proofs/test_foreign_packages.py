"""Without these recall and precision could be claimed of a scan that saw no plant, or no foreign code."""

import dataclasses

import pytest

from codemods.migration_plan import plan_migration
from codemods.occurrence import Status
from codemods.proofs import foreign_packages
from codemods.proofs.planted_forms import FORMS, plants


@pytest.fixture
def foreign(tmp_path):
    folder = tmp_path / "site"
    for package in ("alpha", "beta", "gamma"):
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").write_text("")
        for name in ("one", "two", "three"):
            (folder / package / f"{name}.py").write_text(
                f"'''{name}'''\n\n\ndef f():\n    return 1"
            )
    (folder / "alpha" / "windows.py").write_bytes(b"x = 1\r\ny = 2\r\n")
    (folder / "alpha" / "broken.py").write_text("def f(:\n")
    (folder / "alpha" / "latin.py").write_bytes(b"# coding: latin-1\nx = '\xe9'\n")
    return folder


def prove(shop, foreign, **environment):
    return list(foreign_packages.prove(shop.claim(foreign=foreign, **environment)))


def test_all_plants_are_found_and_nothing_else_is_touched(shop, foreign):
    before = {path: path.read_bytes() for path in foreign.rglob("*") if path.is_file()}
    (proof,) = prove(shop, foreign, planted=3 * len(FORMS), seed=5)
    assert proof.fault == ""
    assert proof.detail == f"24 plants of 8 forms in 3 packages of {foreign}, seed 5"
    assert {path: path.read_bytes() for path in before} == before


def damaged(monkeypatch, change):
    def plan(*paths, **options):
        made = plan_migration(*paths, **options)
        return change(made) if made.changes else made  # the second run finds nothing

    monkeypatch.setattr(foreign_packages, "plan_migration", plan)


def first_found(scanned):
    return next(item for item in scanned.occurrences if item.status is Status.USE)


def test_a_plant_that_is_missed_is_a_fault(shop, foreign, monkeypatch):
    def miss(plan):
        lost = first_found(plan.scanned)
        kept = tuple(item for item in plan.scanned.occurrences if item != lost)
        rows = tuple(row for row in plan.rows if row.occurrence != lost)
        return dataclasses.replace(
            plan, rows=rows, scanned=dataclasses.replace(plan.scanned, occurrences=kept)
        )

    damaged(monkeypatch, miss)
    found = [item.fault for item in prove(shop, foreign)]
    assert any(fault.endswith("planted and not found") for fault in found)
    assert any("planted words 1 were missed, and 0 others found" in fault for fault in found)


def test_a_find_where_nothing_was_planted_is_a_fault(shop, foreign, monkeypatch):
    def more(plan):
        extra = dataclasses.replace(first_found(plan.scanned), path="beta/elsewhere.py")
        scanned = dataclasses.replace(plan.scanned, occurrences=(*plan.scanned.occurrences, extra))
        return dataclasses.replace(plan, scanned=scanned)

    damaged(monkeypatch, more)
    found = [item.fault for item in prove(shop, foreign)]
    assert any("beta/elsewhere.py" in fault and "nothing was planted" in fault for fault in found)


def test_a_file_that_is_touched_is_a_fault(shop, foreign, monkeypatch):
    def touch(folder, changes):
        planted = {item.shown for item in changes}
        others = [path for path in sorted(folder.rglob("*.py")) if path.name not in
                  {name.rpartition("/")[2] for name in planted}]  # fmt: skip
        others[0].write_bytes(others[0].read_bytes())
        return {}

    monkeypatch.setattr(foreign_packages, "write_groups", touch)
    found = [item.fault for item in prove(shop, foreign, planted=2)]
    assert any(fault.endswith("was touched") for fault in found)
    assert "a second run finds something else than what the first one left" in found


@pytest.mark.parametrize("setting", ["missing", "empty", "legacy", "unparsable"])
def test_nothing_to_plant_into_is_not_run(shop, tmp_path, setting):
    folder = tmp_path / "none"
    if setting != "missing":
        folder.mkdir()
    if setting in {"legacy", "unparsable"}:
        (folder / "alpha").mkdir()
        text = "import durable_execution\n" if setting == "legacy" else "def f(:\n"
        (folder / "alpha" / "__init__.py").write_text(text)
    (proof,) = prove(shop, folder)
    assert proof.is_unexamined


def test_the_same_seed_plants_the_same_and_every_form_comes_first():
    first = plants(20, 3, ["durable_execution"])
    assert first == plants(20, 3, ["durable_execution"]) != plants(20, 4, ["durable_execution"])
    assert {item.form for item in first[: len(FORMS)]} == set(FORMS)
    for item in first:
        compile(item.text, item.form, "exec", dont_inherit=True)


def test_the_consumers_packages_are_the_default(shop, monkeypatch):
    (proof,) = foreign_packages.prove(shop.claim(foreign_packages=2, planted=8))
    assert proof.fault == "" and "site-packages" in proof.detail
    (proof,) = foreign_packages.prove(shop.claim(python="/bin/false"))
    assert proof.is_unexamined
