"""What predicates ask of a history, worked out once."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from chaos.fault_kinds import FaultKind
from chaos.history import (
    Attempt,
    Checkpoint,
    Effect,
    FaultFired,
    History,
    LifeBegan,
    LifeEnded,
    Record,
    Settled,
    StoreCut,
    StoreOperation,
)
from chaos.oracle.promises import Disturbance
from chaos.plans import ChaosPlan, ToolScript
from chaos.virtual_time import EPOCH_MS
from engine import EffectSemantics

Finding: TypeAlias = tuple[str, tuple[int, ...]]
"""What is wrong, and the numbers of the records that show it."""

LIVE = frozenset({"RECEIVED", "PLANNED", "EXECUTING", "AWAITING_CONFIRMATION", "COMPENSATING"})
TOOL_FAULTS = frozenset({FaultKind.TOOL_ERROR, FaultKind.TIMEOUT_AFTER_EFFECT})
CLOCK_FAULTS = frozenset({FaultKind.CLOCK_BACK, FaultKind.CLOCK_FORWARD})
NOTHING = Checkpoint(
    number=-1,
    at_ms=0,
    life=0,
    status=None,
    version=0,
    epoch=0,
    leased=False,
    due_at_ms=None,
    waiting_for=None,
    steps={},
)
"""What is durable before anything is."""


def is_terminal(status: str | None) -> bool:
    """Whether an execution of this status has ended."""
    return status is not None and status.upper() not in LIVE


@dataclass(frozen=True)
class Facts:
    """One history beside its plan and the history of an undisturbed run."""

    history: History
    plan: ChaosPlan
    reference: History

    @cached_property
    def attempts(self) -> list[Attempt]:
        """All calls, compensations included."""
        return list(self.history.of(Attempt))

    @cached_property
    def effects(self) -> list[Effect]:
        """All that reached the outside world."""
        return list(self.history.of(Effect))

    @cached_property
    def checkpoints(self) -> list[Checkpoint]:
        """What was durable, whenever it changed."""
        return list(self.history.of(Checkpoint))

    @cached_property
    def faults(self) -> list[FaultFired]:
        """The faults that happened."""
        return list(self.history.of(FaultFired))

    @cached_property
    def cuts(self) -> list[StoreCut]:
        """Losses of the store, those that lost nothing left out."""
        return [cut for cut in self.history.of(StoreCut) if cut.operations]

    @cached_property
    def settled(self) -> Settled:
        """The end; that there is exactly one is an assumption of all predicates."""
        return next(iter(self.history.of(Settled)))

    @cached_property
    def last(self) -> Checkpoint:
        """What is durable in the end."""
        return self.checkpoints[-1] if self.checkpoints else NOTHING

    @cached_property
    def steps(self) -> Mapping[str, Mapping[str, Any]]:
        """The plan's steps by id."""
        return self.plan.steps()

    def fired(self, kinds: Iterable[FaultKind], step: str | None = None) -> list[FaultFired]:
        """Return the faults of these kinds that happened, at the calls of one step if named."""
        wanted = set(kinds)
        sites = None if step is None else {f"{step}.tool", f"{step}.undo"}
        return [
            fault
            for fault in self.faults
            if fault.kind in wanted and (sites is None or fault.site in sites)
        ]

    def script(self, tool: str) -> ToolScript:
        """Return how a tool behaves; unknown ones are unkeyed."""
        return self.plan.tools.get(tool, ToolScript(EffectSemantics.UNKEYED))

    def tool_of(self, step: str) -> str:
        """Return the tool that a step names."""
        return str(self.steps[step]["tool_name"])

    def effects_of(self, step: str, *, compensation: bool = False) -> list[Effect]:
        """Return the applied effects of a step, or of its compensation."""
        return [
            effect
            for effect in self.effects
            if effect.step == step
            and effect.compensation is compensation
            and effect.outcome == "applied"
        ]

    def attempts_of(self, step: str, *, compensation: bool = False) -> list[Attempt]:
        """Return the calls of a step, or of its compensation."""
        return [
            one for one in self.attempts if one.step == step and one.compensation is compensation
        ]

    def before(self, number: int) -> Checkpoint:
        """Return what was durable when the record of this number was made."""
        found = NOTHING
        for checkpoint in self.checkpoints:
            if checkpoint.number > number:
                break
            found = checkpoint
        return found

    def cut_between(self, first: int, last: int) -> bool:
        """Whether the store lost something between two records."""
        return any(first < cut.number < last for cut in self.cuts)

    def neighbours(self) -> Iterator[tuple[Checkpoint, Checkpoint]]:
        """Yield what was durable before and after each change that no loss lies in."""
        earlier = NOTHING
        for checkpoint in self.checkpoints:
            if not self.cut_between(earlier.number, checkpoint.number):
                yield earlier, checkpoint
            earlier = checkpoint

    @staticmethod
    def lease_end_ms(checkpoint: Checkpoint) -> int | None:
        """Return when the lease ends, on the time of the records; None: there is none."""
        due_at_ms = checkpoint.due_at_ms if checkpoint.leased else None
        if due_at_ms is None or due_at_ms < EPOCH_MS:
            return due_at_ms
        return due_at_ms - EPOCH_MS

    def is_stale(self, record: Record) -> bool:
        """Whether the life that a record belongs to had lost its lease to another by then."""
        return self.before(record.number).epoch > self._epoch_of(record)

    def _epoch_of(self, record: Record) -> int:
        epochs = [
            one.epoch
            for one in self.history.of(StoreOperation)
            if one.life == record.life and one.number < record.number and one.epoch is not None
        ]
        epochs += [
            one.epoch
            for before, one in itertools.pairwise((NOTHING, *self.checkpoints))
            if one.life == record.life and one.number < record.number and one.epoch != before.epoch
        ]
        return max(epochs, default=0)

    def ancestors(self, step: str) -> set[str]:
        """Return all steps that a step depends on."""
        found: set[str] = set()
        left = list(self.steps[step].get("dependencies", ()))
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left += self.steps[name].get("dependencies", ())
        return found

    def completed_at(self, step: str) -> int | None:
        """Return the number of the first checkpoint from which on the step stays completed."""
        number: int | None = None
        for checkpoint in self.checkpoints:
            view = checkpoint.steps.get(step)
            if view is None or view.status != "completed":
                number = None
            elif number is None:
                number = checkpoint.number
        return number

    def ever_in_doubt(self, step: str) -> bool:
        """Whether the step was in doubt at any time."""
        return any(
            view.status == "in_doubt"
            for checkpoint in self.checkpoints
            if (view := checkpoint.steps.get(step)) is not None
        )

    def disturbance(self, step: str) -> Disturbance:
        """Return the worst that happened to a step, as the promises name it."""
        attempts = self.attempts_of(step)
        first = attempts[0].number if attempts else None
        end = self.completed_at(step)
        effects = self.effects_of(step)
        comes_late = any(effect.late for effect in effects) or any(map(self.is_stale, attempts))
        if any(
            first is None or cut.number > first or self._forgets(cut, step) for cut in self.cuts
        ):
            if not self.plan.waits_for_replicas:
                return Disturbance.TAIL_LOST
            return Disturbance.LATE_EFFECT if comes_late else Disturbance.GUARDED_TAIL_LOST
        if comes_late:
            return Disturbance.LATE_EFFECT
        if self.fired([FaultKind.TIMEOUT_AFTER_EFFECT], step):
            return Disturbance.ANSWER_LOST
        if not self.faults:
            return Disturbance.NONE
        # A fault of a call is recorded just before the call; one of a connection shows only later.
        stops = [fault.number for fault in self.faults]
        stops += [one.number for one in self.history.of(LifeEnded) if one.how != "returned"]
        inside = [
            number
            for number in stops
            if first is not None and first - 1 <= number and (end is None or number <= end)
        ]
        if not inside:
            return Disturbance.ELSEWHERE
        if effects and any(effects[0].number < number for number in inside):
            return Disturbance.AFTER_EFFECT
        return Disturbance.BEFORE_EFFECT

    def _forgets(self, cut: StoreCut, step: str) -> bool:
        """Whether the store lost the intent of a step, although its call had not come by then."""
        before = self.before(cut.number)
        after = next((one for one in self.checkpoints if one.number > cut.number), NOTHING)
        kept = after.steps.get(step)
        return step in before.steps and before.steps[step] != kept

    def interruptions(self, first: int, last: int | None) -> int:
        """Return how many faults and new lives there are between two records."""
        return sum(
            isinstance(record, FaultFired | LifeBegan | LifeEnded)
            for record in self.history.records
            if first < record.number and (last is None or record.number <= last)
        )
