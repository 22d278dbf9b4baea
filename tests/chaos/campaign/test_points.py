"""Without these an engine that is struck at fewer places would look as well tested as before."""

from pathlib import Path

import pytest

import chaos
from chaos.campaign.points import pinned_points, point_gaps, write_points
from chaos.explore.singles import sites_of
from chaos.plans import named_plans, plan_names


def test_every_plan_is_pinned():
    assert list(pinned_points()) == list(plan_names())


@pytest.mark.parametrize("plan", named_plans()[::4])
def test_the_pinned_number_is_the_number_of_points(plan):
    assert not list(point_gaps({plan: len(sites_of(plan))}))


def test_fewer_points_fail_and_more_need_an_update():
    count = pinned_points()["chain2"]
    (fewer,) = point_gaps({"chain2": count - 1})
    assert (fewer.stale, fewer.message) == (
        False,
        f"has {count - 1} points, 1 fewer than are pinned",
    )
    (more,) = point_gaps({"chain2": count + 1})
    assert more.stale
    assert "--update-points" in more.message
    (unknown,) = point_gaps({"nothing": 1})
    assert unknown.stale


@pytest.mark.slow
def test_the_file_is_what_the_command_writes(tmp_path):
    file = tmp_path / "points.toml"
    assert write_points(file) == len(plan_names())
    pinned = Path(chaos.__file__).parent / "points.toml"
    assert file.read_text("utf-8") == pinned.read_text("utf-8")
