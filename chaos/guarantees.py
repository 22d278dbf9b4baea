"""The guarantee table: what is promised of effects, beside what campaigns have measured."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.case import StorePolicy
from chaos.history import History
from chaos.oracle.facts import Facts, is_terminal
from chaos.oracle.promises import Disturbance, Promise, promised
from chaos.plans import ChaosPlan
from engine import EffectSemantics


@dataclass(frozen=True, slots=True)
class Measurement:
    """One step of one history.

    Attributes:
        effects: what its tool declares.
        disturbance: the worst that happened to it.
        count: how many effects it had.
        completed: whether it is recorded as completed.
        in_doubt: whether it ended in doubt.
    """

    effects: EffectSemantics
    disturbance: Disturbance
    count: int
    completed: bool
    in_doubt: bool


def measure(history: History, plan: ChaosPlan, reference: History) -> Iterator[Measurement]:
    """Yield what a history shows of each step that was called; failed and untried ones are left out."""
    facts = Facts(history, plan, reference)
    if not facts.checkpoints or not (is_terminal(facts.settled.status) or facts.last.waiting_for):
        return
    for name in facts.steps:
        view = facts.last.steps.get(name)
        calls = facts.attempts_of(name)
        if view is None or view.status not in {"completed", "in_doubt"} or not calls:
            continue
        yield Measurement(
            effects=facts.script(calls[-1].tool).effects,
            disturbance=facts.disturbance(name),
            count=sum(effect.tool == calls[-1].tool for effect in facts.effects_of(name)),
            completed=view.status == "completed",
            in_doubt=view.status == "in_doubt",
        )


@dataclass(slots=True)
class Cell:
    """What was measured of one tool class under one disturbance and policy.

    Attributes:
        steps: how many were seen; 0: nothing was measured, and nothing is shown.
        least: effects of the completed one that had fewest; None: none completed.
        most: effects of the one that had most.
        doubts: how many ended in doubt.
    """

    steps: int = 0
    least: int | None = None
    most: int = 0
    doubts: int = 0

    def add(self, found: Measurement) -> None:
        """Count one more step."""
        self.steps += 1
        self.most = max(self.most, found.count)
        self.doubts += found.in_doubt
        if found.completed:
            self.least = found.count if self.least is None else min(self.least, found.count)

    def keeps(self, promise: Promise) -> bool:
        """Whether what was measured is within the promise; nothing measured keeps nothing.

        Where a duplicate is promised at all, each further fault may add one.
        """
        if not self.steps:
            return False
        few = self.least is not None and self.least < promise.least
        many = promise.most is not None and promise.most <= 1 and self.most > promise.most
        return not (few or many or (self.doubts and not promise.doubt))


Row = tuple[EffectSemantics, Disturbance, StorePolicy]


@dataclass(slots=True)
class GuaranteeTable:
    """All cells, filled case by case."""

    cells: dict[Row, Cell] = field(default_factory=dict)

    def add(
        self, history: History, plan: ChaosPlan, reference: History, policy: StorePolicy
    ) -> None:
        """Count the steps of one case."""
        for found in measure(history, plan, reference):
            row = (found.effects, found.disturbance, policy)
            self.cells.setdefault(row, Cell()).add(found)

    def rows(self) -> Iterator[tuple[Row, Promise, Cell]]:
        """Yield every cell that can happen, with what was measured there."""
        for effects in EffectSemantics:
            for policy in StorePolicy:
                for disturbance in Disturbance:
                    promise = promised(effects, disturbance, policy)
                    if promise is not None:
                        row = (effects, disturbance, policy)
                        yield row, promise, self.cells.get(row, Cell())

    def broken(self) -> tuple[Row, ...]:
        """Return the cells whose measurements are not within their promises."""
        return tuple(
            row for row, promise, cell in self.rows() if cell.steps and not cell.keeps(promise)
        )

    def document(self) -> list[Mapping[str, Any]]:
        """Return a JSON form, cells without measurements included."""
        return [
            {
                "tool": str(effects),
                "disturbance": str(disturbance),
                "policy": str(policy),
                "promised": promise.says,
                "steps": cell.steps,
                "least": cell.least,
                "most": cell.most if cell.steps else None,
                "doubts": cell.doubts,
            }
            for (effects, disturbance, policy), promise, cell in self.rows()
        ]
