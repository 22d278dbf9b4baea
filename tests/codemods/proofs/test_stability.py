"""Without these a plan could depend on the order of files, or need a second run."""

import dataclasses

import pytest

from codemods.errors import CodemodError
from codemods.migration_plan import plan_migration
from codemods.proofs import stability

RUNS = "shop/runs.py"


def test_order_and_parallelism_are_said_and_both_are_changed(shop):
    proofs = list(stability.prove(shop.claim(jobs=4)))
    assert not any(item.fault for item in proofs)
    assert [item.path for item in proofs[:3]] == [item.shown for item in shop.plan.changes]
    assert proofs[3].detail == "3 files in reverse order; 4 and 1 processes"
    assert proofs[4].detail.endswith("changes nothing and finds what was reported")


def test_other_bytes_in_another_order_are_named(shop, faults, monkeypatch):
    def unstable(paths, *rest, **options):
        plan = plan_migration(paths, *rest, **options)
        if len(paths) == 1:
            return plan  # the second run in the copy
        first, *others = plan.changes
        later = dataclasses.replace(first, after=first.after + b"\n")
        return dataclasses.replace(plan, changes=(later, *others))

    monkeypatch.setattr(stability, "plan_migration", unstable)
    found = faults(stability.prove(shop.claim()))
    assert list(found) == ["shop/prices.py"]
    assert "another order or parallelism" in found["shop/prices.py"]


def test_a_result_that_does_not_keep_what_was_reported_is_caught(shop, faults):
    rows = shop.plan.rows
    shop.plan = dataclasses.replace(shop.plan, rows=rows[:-1])
    assert faults(stability.prove(shop.claim())) == {}
    lost = dataclasses.replace(rows[0], outcome=type(rows[0].outcome).REPORTED)
    shop.plan = dataclasses.replace(shop.plan, rows=(lost, *rows[1:]))
    found = faults(stability.prove(shop.claim()))
    assert "reported, and not left" in found["shop/prices.py"]


def test_a_part_of_a_project_is_planned_again_as_that_part(shop, faults):
    plan = plan_migration([shop.folder / "shop"], shop.settings)
    shop.plan = plan
    claim = dataclasses.replace(
        shop.claim(), environment=dataclasses.replace(shop.claim().environment, paths=(shop.folder / "shop",))
    )  # fmt: skip
    found = faults(stability.prove(claim))
    assert found == {}


def test_what_cannot_be_planned_again_is_not_run_and_not_passed(shop, monkeypatch):
    def refuse(*_, **__):
        raise CodemodError("no more memory")

    monkeypatch.setattr(stability, "plan_migration", refuse)
    proofs = [item for item in stability.prove(shop.claim()) if item.fault]
    assert [item.is_unexamined for item in proofs] == [True, True]
    assert proofs[0].fault.startswith("could not run: ")


@pytest.mark.parametrize(
    "text", ["from durable_execution import ToolExecutor\n\nx = ToolExecutor\n"]
)
def test_a_file_whose_result_would_change_again_is_named(shop, faults, text):
    shop.damage(RUNS, ("from shop.prices import told\n", f"from shop.prices import told\n{text}"))
    assert faults(stability.prove(shop.claim(whole=False))) == {
        RUNS: "a second run would change it"
    }
