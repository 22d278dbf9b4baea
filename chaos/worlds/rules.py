"""The rules that all worlds share: what a case may ask for, who acts next, and when it is over. Pure."""

from chaos.case import Case, StorePolicy
from chaos.fault_kinds import FaultKind
from chaos.plans import ChaosPlan
from chaos.port import DurableView

LIVES_MAX = 80
"""Lives after which a case counts as never ending; the longest needs a quarter of them."""
BOUND_MS = 12 * 3_600_000
"""Virtual time after the last fault within which an execution must have ended."""
ASK_AGAIN_MS = 30_000
"""A caller who was not told whether the execution was begun asks again after this."""
PAUSE_MS = 1_000
"""A worker whose resume failed is not sent another message earlier than this."""
_CUTS = {
    FaultKind.LAST_WRITES_LOST: (StorePolicy.EVERYSEC, StorePolicy.OFF),
    FaultKind.FAILOVER: (StorePolicy.FAILOVER,),
}


class ImpossibleCaseError(ValueError):
    """A case asks for what its surroundings exclude."""


def check_case(case: Case) -> None:
    """Refuse what no world can do.

    Raises:
        ImpossibleCaseError: a fault loses writes that the store's policy keeps, or keeps what it loses.
    """
    for point in case.faults:
        policies = _CUTS.get(point.kind)
        if policies is not None and case.policy not in policies:
            named = " or ".join(policies)
            raise ImpossibleCaseError(
                f"{point.kind} loses writes, which a store of policy {case.policy} does not: "
                f"give the case policy {named}"
            )
        if point.kind is FaultKind.RESTARTED and case.policy is StorePolicy.OFF:
            raise ImpossibleCaseError(
                f"{point.kind} keeps what was acknowledged, which a store of policy {case.policy} does "
                f"not: give the case another policy, or the fault {FaultKind.LAST_WRITES_LOST}"
            )


def next_due_ms(
    view: DurableView,
    plan: ChaosPlan,
    now_ms: int,
    *,
    is_first: bool,
    failed_last: bool,
    ask_again_ms: int = ASK_AGAIN_MS,
) -> int | None:
    """Return when somebody acts next (epoch); None: nobody ever does.

    Args:
        view: what is durable.
        plan: what is run.
        now_ms: the time of day.
        is_first: nobody has acted before.
        failed_last: the last life ended with an error.
        ask_again_ms: how long a caller waits who does not know whether the execution was begun.
    """
    if view.status is None:
        return now_ms if is_first else now_ms + ask_again_ms
    if view.ended:
        return None
    if view.due_at_ms is not None:
        pause_ms = PAUSE_MS if view.due_at_ms <= now_ms and failed_last else 0
        return max(view.due_at_ms, now_ms + pause_ms)
    return now_ms if answer_of(view, plan) is not None else None


def answer_of(view: DurableView, plan: ChaosPlan) -> bool | None:
    """Return what a person says now; None: nobody is asked, or nobody says anything."""
    if view.waiting_for is None or view.due_at_ms is not None:
        return None
    return plan.settles_doubt if view.waiting_reason == "in_doubt" else plan.approves
