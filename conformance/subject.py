"""The port that every executor under test implements, and how subjects are found by name."""

import difflib
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Protocol, TypeVar, runtime_checkable

from conformance.errors import HarnessError, UsageError
from conformance.scenario import PatchState
from conformance.tool_scripts import Effect
from conformance.trace import PersistedView, StateView
from conformance.world import World

ENTRY_POINT_GROUP = "planproof.executors"

# Ours, by name; others come from entry points of the group above.
BUILT_IN: Mapping[str, str] = {
    "legacy": "conformance.subjects.legacy:LegacySubject",
    "unified": "conformance.subjects.unified:UnifiedSubject",
    "exemplar": "conformance.kit.exemplar:Exemplar",
    "docket": "conformance.subjects.docket:DocketSubject",
    "dbos": "conformance.subjects.programs:DBOS",
    "langgraph": "conformance.subjects.programs:LANGGRAPH",
}


class Threw(Exception):  # noqa: N818 - the record of a throw, not an error of the harness
    """A call of the executor threw. A subject may raise it to state the name in the trace."""

    def __init__(self, message: str, name: str = "Error") -> None:
        """Record what was thrown."""
        super().__init__(message)
        self.message = message
        self.name = name


@dataclass(frozen=True, slots=True)
class StartRequest:
    """Start an execution. Fields are those of the driver's operation, defaults filled in.

    `plan` is raw JSON and may be invalid. `initial` is "fresh", "none" or None (the subject's
    own rule).
    """

    execution_id: str
    plan: Mapping[str, Any]
    intent: Mapping[str, Any] | None = None
    initial: str | None = None
    start_step_index: int | None = None
    segment_number: int | None = None


@dataclass(frozen=True, slots=True)
class ResumeRequest:
    """Resume an execution.

    `assist_status` is set when the scenario asks for assistance: a status that the legacy
    executor's checkpoint is overwritten with first. Other subjects ignore it.
    """

    execution_id: str
    assist_status: str | None = None


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """What a call returned, in the words of trace/v1. `state` is the state it returned, if any."""

    success: bool
    is_partial: bool
    completed_steps: int
    failed_steps: int
    total_steps: int
    next_step_index: int | None = None
    segment_number: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    execution_time_ms: int | None = None
    state: StateView | None = None


class Subject(Protocol):
    """An executor under test, built for one life of its process in one world.

    After a crash the driver builds a new subject in the same world; the old one is not closed,
    since a dead process closes nothing.
    """

    async def capabilities(self) -> frozenset[str]:
        """Return the capability levels that the executor declares, for example "C0"."""

    async def start(self, request: StartRequest) -> SegmentResult:
        """Run the first segment. Any exception counts as thrown by the executor."""

    async def resume(self, request: ResumeRequest) -> SegmentResult:
        """Run the next segment. Any exception counts as thrown by the executor."""

    async def state(self, execution_id: str) -> PersistedView:
        """Read what the store holds, unseen."""

    async def effects(self) -> Sequence[Effect]:
        """Return the effect ledger: what the tools say, not the executor."""

    async def patch_state(self, operation: PatchState) -> None:
        """Edit the persisted state. Only the legacy subject heeds this; others do nothing."""

    async def close(self) -> None:
        """Give back what the subject holds. The world's parts are not its own."""


@runtime_checkable
class FreezableSubject(Protocol):
    """A subject with a process of its own, which the harness can let stand still."""

    def freeze(self) -> None:
        """Let it stand still."""

    def thaw(self) -> None:
        """Let it go on."""


class BuildSubject(Protocol):
    """Builds a subject in a world; a subject class is one."""

    def __call__(self, world: World) -> Subject:
        """Build the subject."""


_Build = TypeVar("_Build", bound=BuildSubject)
_REGISTERED: dict[str, BuildSubject] = {}


def executor(name: str) -> Callable[[_Build], _Build]:
    """Return the decorator that makes a subject known as `name` in this process.

    A package that is installed uses an entry point of the group `planproof.executors` instead.
    """

    def register(build: _Build) -> _Build:
        _REGISTERED[name] = build
        return build

    return register


def find_subject(name: str) -> BuildSubject:
    """Return the subject called `name`: ours, a registered one, an installed one, `module:name`.

    Raises:
        UsageError: there is none.
        HarnessError: it cannot be loaded.
    """
    place = BUILT_IN.get(name, name)
    if name in _REGISTERED:
        return _REGISTERED[name]
    try:
        if ":" in place:
            module_name, _, attribute = place.partition(":")
            found: BuildSubject = getattr(importlib.import_module(module_name), attribute)
            return found
        for entry in entry_points(group=ENTRY_POINT_GROUP, name=name):
            loaded: BuildSubject = entry.load()
            return loaded
    except (ImportError, AttributeError) as error:
        raise HarnessError(f"the executor {name!r} cannot be loaded: {error}") from error
    known = subject_names()
    near = difflib.get_close_matches(name, known, n=1)
    advice = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    raise UsageError(f"unknown executor {name!r}", advice=advice)


def subject_names() -> list[str]:
    """Return the names of all executors that can be asked for."""
    return sorted(
        {*BUILT_IN, *_REGISTERED, *(entry.name for entry in entry_points(group=ENTRY_POINT_GROUP))}
    )
