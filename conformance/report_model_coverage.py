"""What a campaign has covered, and what it shows of the guarantees, as items and cells of a report."""

from collections.abc import Iterable, Iterator

from chaos.campaign.coverage import Gap, gaps, reachable_cells, site_points, unreachable
from chaos.campaign.guarantees import cells
from chaos.campaign.points import point_gaps
from chaos.campaign.result import CampaignResult
from chaos.fault_kinds import FaultKind
from conformance.report_model import Item, Status
from conformance.report_model_chaos import Guarantee


def coverage_items(result: CampaignResult) -> tuple[Item, ...]:
    """Return what is wrong with the coverage of a whole profile, or that nothing is."""
    found = tuple(_items("coverage", gaps(result.cells, result.sites)))
    if found:
        return found
    cells_ = len(reachable_cells())
    outside = len(site_points()) * len(FaultKind) - cells_
    message = (
        f"{cells_} of {cells_} reachable cells struck ({len(site_points())} classes of call sites, "
        f"{len(FaultKind)} kinds); {outside} declared to be unreachable, for {len(unreachable())} reasons"
    )
    return (_passed("coverage", "call sites by kinds of faults", message),)


def point_items(result: CampaignResult) -> tuple[Item, ...]:
    """Return the plans with another number of points than is pinned, or that there is none."""
    found = tuple(_items("points", point_gaps(result.points)))
    if found or not result.points:
        return found
    total = sum(result.points.values())
    return (_passed("points", "pinned points", f"{total} points of {len(result.points)} plans"),)


def agreement_items(result: CampaignResult) -> tuple[Item, ...]:
    """Return where the two worlds disagree, or that they agree."""
    if result.disagreed:
        return tuple(
            Item(
                id=said.partition(": ")[0],
                group="agreement",
                status=Status.FAILED,
                title="two worlds, two outcomes",
                message=said,
            )
            for said in result.disagreed
        )
    if not result.compared:
        return ()
    message = (
        f"{result.compared} cases came to the same with real processes on a real server, "
        f"{result.kills} SIGKILLs, and simulated"
    )
    return (_passed("agreement", "two worlds, one outcome", message),)


def guarantees(result: CampaignResult) -> tuple[Guarantee, ...]:
    """Return the guarantee table of a campaign."""
    return tuple(
        Guarantee(
            tool_class=cell.tool_class,
            store_policy=str(cell.policy),
            failure=str(cell.disturbance),
            promised=cell.promised,
            measured=cell.measured,
            holds=cell.holds,
            cases=cell.steps,
        )
        for cell in cells(result.measured)
        if cell.holds is not None
    )


def _items(group: str, found: Iterable[Gap]) -> Iterator[Item]:
    for gap in found:
        yield Item(
            id=gap.subject,
            group=group,
            status=Status.LEDGER_FAULT if gap.stale else Status.FAILED,
            title=gap.subject,
            message=f"{gap.subject} {gap.message}",
        )


def _passed(group: str, title: str, message: str) -> Item:
    return Item(id=group, group=group, status=Status.PASSED, title=title, message=message)
