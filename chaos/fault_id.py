"""Fault ids: readable, stable names of cases, which are also the way to replay them.

`chain3+comp/L1@s1.commit#1:A/L2@s1.tool#1:TA` is the plan, then each life's faults: at which
occurrence of which site which kind, with `=2` for an amount. Surroundings that are not the default
stand last: `/retries=10/policy=everysec/world=process/subject=legacy`.
"""

import re

from chaos.case import Case, FaultPoint, StorePolicy
from chaos.fault_kinds import FaultKind

_POINT = re.compile(
    r"L(?P<life>[1-9][0-9]*)@(?P<site>[^#/@]+)#(?P<nth>[1-9][0-9]*):(?P<kind>[^=/]+)(=(?P<amount>[0-9]+))?"
)
_OPTION = re.compile(r"(?P<name>retries|policy|world|subject|schedule)=(?P<value>[^/]+)")


class FaultIdError(ValueError):
    """A text is no fault id; the message names the part and how one looks."""


def format_case(case: Case) -> str:
    """Return the id of a case."""
    parts = [case.plan]
    for point in case.faults:
        amount = "" if point.amount is None else f"={point.amount}"
        parts.append(f"L{point.life}@{point.site}#{point.nth}:{point.kind}{amount}")
    defaults = Case(case.plan)
    for name in ("retries", "policy", "world", "subject", "schedule"):
        value = getattr(case, name)
        if value != getattr(defaults, name):
            parts.append(f"{name}={value}")
    return "/".join(parts)


def parse_case(text: str) -> Case:
    """Return the case that an id names.

    Raises:
        FaultIdError: it is none.
    """
    plan, *parts = text.split("/")
    if not plan:
        raise FaultIdError(f"{text!r} names no plan; an id is PLAN/L1@SITE#NTH:KIND/...")
    faults: list[FaultPoint] = []
    options: dict[str, str] = {}
    for part in parts:
        if option := _OPTION.fullmatch(part):
            options[option["name"]] = option["value"]
        elif point := _POINT.fullmatch(part):
            faults.append(_point(part, point))
        else:
            raise FaultIdError(f"{part!r} is no fault; one looks like L1@s1.commit#1:A")
    try:
        return Case(
            plan,
            tuple(faults),
            retries=int(options.get("retries", "0")),
            policy=StorePolicy(options.get("policy", StorePolicy.ALWAYS)),
            subject=options.get("subject", "unified"),
            world=options.get("world", "sim"),
            schedule=options.get("schedule", ""),
        )
    except ValueError as error:
        raise FaultIdError(f"{text!r}: {error}") from None


def _point(part: str, found: re.Match[str]) -> FaultPoint:
    try:
        kind = FaultKind(found["kind"])
    except ValueError:
        known = ", ".join(FaultKind)
        raise FaultIdError(f"{part!r}: no kind {found['kind']!r}; known are {known}") from None
    amount = None if found["amount"] is None else int(found["amount"])
    return FaultPoint(int(found["life"]), found["site"], int(found["nth"]), kind, amount)
