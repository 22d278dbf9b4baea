"""The guarantee table: what is promised of a tool's effects, beside what campaigns have measured.

`guarantees.json` is what the last recorded campaign has measured; the engine's documentation shows it.
"""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from chaos.campaign.planning import RETRIES, batches
from chaos.campaign.result import CampaignResult, Measured
from chaos.campaign.unit import Unit
from chaos.case import StorePolicy
from chaos.explore.cuts import cut_tasks
from chaos.explore.sampling import pairwise
from chaos.explore.singles import CUTTING, singles
from chaos.oracle.promises import Disturbance, promised
from chaos.plans import named_plans
from engine import EffectSemantics

FILE = "guarantees.json"
SCHEMA: Literal["guarantees/v1"] = "guarantees/v1"
COMMAND = "planproof chaos --write-guarantees"
BEGIN, END = "<!-- guarantees:begin -->", "<!-- guarantees:end -->"
REPLICATED_PLANS = tuple(name for name in named_plans() if name.startswith("replicated"))
_CLASSES = (
    EffectSemantics.KEYED,
    EffectSemantics.QUERYABLE,
    EffectSemantics.UNKEYED,
    EffectSemantics.AT_MOST_ONCE,
    EffectSemantics.READ_ONLY,
)
_POLICIES = {
    StorePolicy.ALWAYS: "always",
    StorePolicy.EVERYSEC: "everysec, power lost",
    StorePolicy.OFF: "off, power lost",
    StorePolicy.FAILOVER: "failover",
}


@dataclass(frozen=True, slots=True)
class GuaranteeCell:
    """One cell: a tool class under a policy after a disturbance.

    Attributes:
        holds: None: nothing was measured.
        steps: how many the measurement rests on.
    """

    tool_class: str
    policy: StorePolicy
    disturbance: Disturbance
    promised: str
    measured: str
    holds: bool | None
    steps: int = 0


def guarantee_units() -> Iterator[Unit]:
    """Yield what the recorded table is measured by.

    All singles of all named plans, all pairs, and every loss under a life of the replicated plans.
    """
    for plan in named_plans():
        yield from batches(f"singles {plan}", singles(plan, retries=RETRIES), part="singles")
    yield from batches("pairs", pairwise(named_plans()))
    for plan, kind in itertools.product(REPLICATED_PLANS, CUTTING):
        tasks = cut_tasks(plan, kind, 0)
        yield from batches(f"losses {plan} {kind}", (task.case for task in tasks), part="cuts")


def cells(measured: Iterable[Measured]) -> Iterator[GuaranteeCell]:
    """Yield all cells that a promise exists for, row by row."""
    found = {(one.tool_class, one.disturbance, one.policy): one for one in measured}
    for disturbance in Disturbance:
        for policy in StorePolicy:
            for effects in _CLASSES:
                promise = promised(effects, disturbance, policy)
                seen = found.get((str(effects), disturbance.name, str(policy)))
                if promise is not None:
                    yield _cell(effects, disturbance, policy, promise.says, seen)


def _cell(
    effects: EffectSemantics,
    disturbance: Disturbance,
    policy: StorePolicy,
    says: str,
    seen: Measured | None,
) -> GuaranteeCell:
    if seen is None or not seen.steps:
        return GuaranteeCell(str(effects), policy, disturbance, says, "not measured", None)
    return GuaranteeCell(
        str(effects), policy, disturbance, says, _said(seen), not seen.broken, seen.steps
    )


def _said(seen: Measured) -> str:
    """Return in words what was seen: effects of completed steps, of all steps, and doubts."""
    parts = []
    if seen.completed:
        span = f"{seen.least}" if seen.least == seen.most else f"{seen.least} to {seen.most}"
        parts.append(f"{span} in {seen.completed} completed")
    others = seen.steps - seen.completed - seen.in_doubt
    if seen.in_doubt:
        parts.append(f"{seen.in_doubt} in doubt")
    if others:
        parts.append(f"at most {seen.most_ever} in {others} others")
    if seen.broken:
        parts.append(f"BROKEN in {seen.broken}")
    return ", ".join(parts)


def markdown(document: Mapping[str, Any]) -> str:
    """Return the recorded table as the engine's documentation shows it, markers left out."""
    rows: dict[tuple[Disturbance, StorePolicy], dict[str, GuaranteeCell]] = {}
    for cell in cells(_measured(document)):
        if cell.holds is not None:
            rows.setdefault((cell.disturbance, cell.policy), {})[cell.tool_class] = cell
    lines = [
        (
            f"Measured by `{COMMAND}`: {document['cases']} cases. Each cell says what is promised, "
            "and below it how many effects steps had. `always`, `everysec`, `off` are the policies of "
            "the append-only file."
        ),
        "",
        f"| what went wrong | store | {' | '.join(f'`{one}`' for one in _CLASSES)} |",
        f"|---|---|{'---|' * len(_CLASSES)}",
    ]
    for (disturbance, policy), row in rows.items():
        shown = (_shown(row.get(str(effects))) for effects in _CLASSES)
        lines.append(f"| {disturbance} | {_POLICIES[policy]} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _shown(cell: GuaranteeCell | None) -> str:
    return "" if cell is None else f"**{cell.promised}**<br>{cell.measured}"


def recorded() -> Mapping[str, Any]:
    """Return what the last recorded campaign has measured."""
    document: Mapping[str, Any] = json.loads((files("chaos") / FILE).read_text("utf-8"))
    return document


def recorded_cells() -> tuple[Measured, ...]:
    """Return its cells."""
    return _measured(recorded())


def _measured(document: Mapping[str, Any]) -> tuple[Measured, ...]:
    return tuple(Measured.model_validate(one) for one in document["measured"])


def write_guarantees(result: CampaignResult, file: Path, documentation: Path) -> None:
    """Record what a campaign has measured, and put the table into the engine's documentation.

    Raises:
        ValueError: the documentation has no place for it.
    """
    document = {
        "schema": SCHEMA,
        "cases": result.cases,
        "measured": [one.model_dump() for one in result.measured],
    }
    text = documentation.read_text("utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{documentation} has no place for the table: {BEGIN} and {END}")
    file.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    table = markdown(document)
    documentation.write_text(f"{head}{begin}\n{table}\n{end}{tail}", "utf-8")
