"""The campaigns of `planproof chaos` that break other executors than the unified one."""

import os

from chaos.campaign.pool import process_pool
from chaos.port import PortFactory
from conformance.commands.progress import progress_bar
from conformance.errors import UsageError
from conformance.report_model import RunReport
from conformance.report_model_fates import against_report, subject_report
from conformance.side_by_side import PORTS, side_by_side
from conformance.subject import find_subject
from conformance.subject_campaign import subject_points

AGAINST = ("legacy",)


def against(jobs: int | None) -> RunReport:
    """Break the legacy executor and the unified engine at the same points."""
    with (
        progress_bar("chaos, side by side") as told,
        process_pool(jobs or os.cpu_count() or 1) as pool,
    ):
        points = side_by_side(pool, told)
    return against_report(points, "planproof chaos --against legacy")


def subject(name: str) -> RunReport:
    """Kill any executor at each call of a tool.

    Raises:
        UsageError: there is none of this name.
        HarnessError: it cannot be run.
    """
    build = find_subject(name)
    points = tuple(subject_points(build))
    return subject_report(name, points, f"planproof chaos --subject {name}")


def port_named(name: str) -> PortFactory:
    """Return the executor that a fault id names.

    Raises:
        UsageError: there is none.
    """
    if name not in PORTS:
        raise UsageError(
            f"no campaign knows the executor {name!r}", advice=f"known: {', '.join(PORTS)}"
        )
    return PORTS[name]
