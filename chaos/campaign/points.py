"""How many points each plan has, pinned in `points.toml`: fewer is coverage that was lost."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from chaos.campaign.coverage import Gap
from chaos.explore.singles import sites_of
from chaos.plans import plan_names

FILE = "points.toml"
UPDATE = "planproof chaos --update-points"
_HEAD = f"""# Operations of the store and calls of tools that an undisturbed run of each plan passes.
# A campaign that finds fewer fails. Written by `{UPDATE}`.

[points]
"""


@cache
def pinned_points() -> Mapping[str, int]:
    """Return the pinned number of points of each plan."""
    document = tomllib.loads((files("chaos") / FILE).read_text("utf-8"))
    return dict(document["points"])


def point_gaps(found: Mapping[str, int]) -> Iterator[Gap]:
    """Yield the plans that have another number of points than is pinned."""
    pinned = pinned_points()
    for plan, count in found.items():
        before = pinned.get(plan)
        if before is None:
            yield Gap(plan, f"has no pinned number of points: {UPDATE}", stale=True)
        elif count < before:
            yield Gap(plan, f"has {count} points, {before - count} fewer than are pinned")
        elif count > before:
            said = f"has {count} points, {count - before} more than are pinned: {UPDATE}"
            yield Gap(plan, said, stale=True)


def write_points(file: Path) -> int:
    """Count the points of every plan anew and write them down; return how many plans there are."""
    lines = [f'"{plan}" = {len(sites_of(plan))}\n' for plan in plan_names()]
    file.write_text(_HEAD + "".join(lines), "utf-8")
    return len(lines)
