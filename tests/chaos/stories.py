"""Histories made by hand: an honest one of a plan, which a test then makes tell something else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chaos.fault_kinds import FaultKind
from chaos.history import (
    Attempt,
    Checkpoint,
    Effect,
    EventWritten,
    FaultFired,
    History,
    LifeBegan,
    LifeEnded,
    Record,
    Settled,
    StepView,
    StoreCut,
    StoreOperation,
)
from chaos.plans import ChaosPlan, find_plan

LEASE_MS = 30_000


@dataclass
class Story:
    """Tells a history, one line after the other. What is durable goes on until it is changed."""

    plan: ChaosPlan
    records: list[Record] = field(default_factory=list)
    at_ms: int = 0
    life: int = 0
    durable: Checkpoint | None = None
    events: int = 0

    def add(self, kind: Callable[..., Record], /, **fields: Any) -> None:
        fields = {"at_ms": self.at_ms, "life": self.life, **fields}
        self.records.append(kind(number=len(self.records), **fields))

    def begins(self, *, resumed: bool = False) -> None:
        self.life += 1
        self.add(LifeBegan, worker=f"w{self.life}", resumed=resumed)

    def begun(self) -> None:
        self.begins()
        self.durable = Checkpoint(
            number=0, at_ms=0, life=1, status="EXECUTING", version=0, epoch=1, leased=True,
            due_at_ms=LEASE_MS, waiting_for=None, steps={},
        )  # fmt: skip
        self.saves("begin")

    def resumes(self) -> None:
        """The lease runs out, and another process takes over."""
        self.at_ms += LEASE_MS
        self.begins(resumed=True)
        assert self.durable is not None
        epoch = self.durable.epoch + 1
        self.saves("claim", epoch=epoch, leased=True, due_at_ms=self.at_ms + LEASE_MS, version=-1)

    def saves(
        self,
        site: str,
        steps: Mapping[str, str | StepView] | None = None,
        events: tuple[tuple[str, str | None], ...] = (),
        **changes: Any,
    ) -> None:
        assert self.durable is not None
        views = {
            name: StepView(view, f"result of {name}" if view == "completed" else None)
            if isinstance(view, str)
            else view
            for name, view in (steps or {}).items()
        }
        version = self.durable.version + (0 if changes.pop("version", None) == -1 else 1)
        self.durable = replace(
            self.durable, steps={**self.durable.steps, **views}, version=version, **changes
        )
        self.operation(site, epoch=self.durable.epoch)
        self.shows()
        for name, step in events:
            self.events += 1
            self.add(EventWritten, seq=self.events, name=name, step=step)

    def shows(self) -> None:
        """Record what is durable, as it stands."""
        assert self.durable is not None
        self.durable = replace(
            self.durable, number=len(self.records), at_ms=self.at_ms, life=self.life
        )
        self.records.append(self.durable)

    def operation(self, site: str, **fields: Any) -> None:
        fields = {"nth": 1, "applied": True, "reply_seen": True, "changed": True, **fields}
        self.add(StoreOperation, site=site, **fields)

    def calls(self, step: str, *, undo: bool = False, **fields: Any) -> None:
        tool = self.plan.steps()[step]["tool_name"] + (".undo" if undo else "")
        key = f"e:{step}:0" + (":compensation" if undo else "")
        given = {"step": step, "tool": tool, "key": key, "attempt": 1, "arguments_hash": step}
        self.add(Attempt, compensation=undo, **{**given, **fields})

    def takes_effect(self, step: str, *, undo: bool = False, **fields: Any) -> None:
        tool = self.plan.steps()[step]["tool_name"] + (".undo" if undo else "")
        key = f"e:{step}:0" + (":compensation" if undo else "")
        given = {"step": step, "tool": tool, "key": key, "outcome": "applied"}
        self.at_ms += 10
        self.add(Effect, compensation=undo, **{**given, **fields})

    def does(self, step: str, *, undo: bool = False) -> None:
        self.calls(step, undo=undo)
        self.takes_effect(step, undo=undo)

    def fault(self, kind: FaultKind, site: str = "s1.commit") -> None:
        self.add(FaultFired, kind=kind, site=site, nth=1)

    def loses(self, operations: int = 1) -> None:
        self.add(StoreCut, operations=operations, kind=FaultKind.LAST_WRITES_LOST)

    def ends(self, status: str, *events: tuple[str, str | None], **changes: Any) -> None:
        given = {"leased": False, "due_at_ms": None, "status": status}
        self.saves("end", changes.pop("steps", None), events, **{**given, **changes})
        self.add(LifeEnded, how="returned", status=status)

    def settles(self, **fields: Any) -> History:
        status = None if self.durable is None else self.durable.status
        given = {"status": status, "state_hash": str(status), "life": 0}
        self.add(Settled, **{**given, **fields})
        return History(self.records)


def started(name: str) -> Story:
    """Return the story of a plan whose execution has just begun."""
    story = Story(find_plan(name))
    story.begun()
    return story


def halfway() -> Story:
    """Return a chain of two steps, the first of which has completed; the second is to be called."""
    story = started("chain2")
    begun = (("WORKFLOW_STARTED", None), ("STEP_STARTED", "s1"))
    story.saves("s1.intent", {"s1": "in_progress"}, begun)
    story.does("s1")
    ended = (("STEP_COMPLETED", "s1"), ("STEP_STARTED", "s2"))
    story.saves("s1.commit+s2.intent", {"s1": "completed", "s2": "in_progress"}, ended)
    return story


def finish(story: Story) -> History:
    """Let the second step of a chain, which has taken effect, be the last."""
    ended = (("STEP_COMPLETED", "s2"), ("WORKFLOW_COMPLETED", None))
    story.ends("COMPLETED", *ended, steps={"s2": "completed"})
    return story.settles()


def chain() -> History:
    story = halfway()
    story.does("s2")
    return finish(story)


def failed() -> Story:
    """Return a chain whose third step has failed; nothing is undone yet."""
    story = started("chain3+comp")
    story.saves("s1.intent", {"s1": "in_progress"}, (("WORKFLOW_STARTED", None),))
    story.does("s1")
    story.saves("s2", {"s1": "completed", "s2": "in_progress"}, (("STEP_COMPLETED", "s1"),))
    story.does("s2")
    story.saves("s3", {"s2": "completed", "s3": "in_progress"}, (("STEP_COMPLETED", "s2"),))
    story.calls("s3")
    story.saves("undo", {"s3": "failed"}, (("STEP_FAILED", "s3"),), status="COMPENSATING")
    return story


def undone(name: str) -> StepView:
    return StepView("completed", f"result of {name}", "compensated")


def saga() -> History:
    story = failed()
    story.does("s2", undo=True)
    story.saves("undo", {"s2": undone("s2")}, (("SAGA_STEP_COMPENSATED", "s2"),))
    story.does("s1", undo=True)
    return compensated(story)


def compensated(story: Story) -> History:
    """Let the first step, which is undone, be the last of a rollback."""
    told = (("SAGA_STEP_COMPENSATED", "s1"), ("SAGA_COMPLETED", None), ("WORKFLOW_FAILED", None))
    story.ends("COMPENSATED", *told, steps={"s1": undone("s1")})
    return story.settles()
