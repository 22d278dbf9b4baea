"""Which executor an execution gets: legacy, unified, or legacy with unified in its shadow.

What has begun stays where it began, as the store says. What is new goes where the flags send it.
The legacy executor is handed in from outside; both have the calls of `engine.segment_api`.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from engine import codec, limits, segment_api, shadow
from engine.adoption import CUTOVER
from engine.adoption_scripts import ROUTE
from engine.legacy_records import keys_of
from engine.router_flags import (
    EXECUTORS,
    Executor,
    FlagSource,
    RouteFlags,
    default_flags,
)
from engine.tool_adapters import workflow_options

SegmentCall: TypeAlias = Callable[..., Awaitable[Any]]
_LOG = logging.getLogger("planproof.engine")

PARTS: Final = 10_000
"""The shares of executions that a percentage tells apart: hundredths of a per cent."""

RECORDINGS: Final = 1_000
"""Executions whose answers are kept between shadowed segments; the oldest are forgotten first."""


@dataclass(frozen=True, slots=True)
class SegmentExecutor:
    """The two calls of one executor: those of `engine.segment_api`, by name and shape."""

    execute_segment: SegmentCall
    resume_from_checkpoint: SegmentCall


UNIFIED: Final = SegmentExecutor(segment_api.execute_segment, segment_api.resume_from_checkpoint)


class RouteDecision(BaseModel):
    """Where one call went, and why.

    Attributes:
        reason: `begun`: it stays where it began; `percentage`: it is of the share; `flag`: the
            flags say so; `default`: the flags failed, and `error` says how.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    execution_id: str
    executor: Executor
    reason: Literal["begun", "percentage", "flag", "default"]
    error: str | None = None


@dataclass(slots=True)
class Router:
    """Sends each execution to its executor.

    Attributes:
        legacy: the legacy executor's calls.
        unified: the unified engine's.
        flags: where flags come from; by default the OpenFeature SDK where it is installed and has
            a provider, else PLANPROOF_EXECUTOR and PLANPROOF_UNIFIED_PERCENT.
        default: who gets new executions while the flags fail.
        decided: is told of every decision, flags that failed among them.
        reported: is told what each shadow run showed.
    """

    legacy: SegmentExecutor
    unified: SegmentExecutor = UNIFIED
    flags: FlagSource = field(default_factory=default_flags)
    default: Executor = "legacy"
    decided: Callable[[RouteDecision], object] | None = None
    reported: Callable[[shadow.ShadowReport], object] | None = None
    _recordings: OrderedDict[str, shadow.Recording] = field(default_factory=OrderedDict)

    async def execute_segment(
        self,
        plan: Mapping[str, Any],
        tools: Any,
        *,
        execution_id: str,
        environment: Any,
        **options: Any,
    ) -> Any:
        """Run one segment on the executor that the execution belongs to.

        Raises:
            engine.errors.StoreUnavailableError: where it belongs cannot be read, so that it may
                not be begun.
            Exception: whatever the executor raises; nothing else.
        """
        executor = await self.decide(execution_id, environment, _attributes(plan, options))
        if executor == "unified":
            return await self.unified.execute_segment(
                plan, tools, execution_id=execution_id, environment=environment, **options
            )

        async def run(own_tools: Any) -> Any:
            return await self.legacy.execute_segment(
                plan, own_tools, execution_id=execution_id, environment=environment, **options
            )

        if executor == "legacy":
            return await run(tools)
        is_first = not (options.get("start_step_index") or options.get("segment_number"))
        return await self._shadowed(execution_id, tools, environment, run, plan, is_first=is_first)

    async def resume_from_checkpoint(
        self, execution_id: str, tools: Any, *, environment: Any, **options: Any
    ) -> Any:
        """Run the next segment on the executor that the execution belongs to.

        Raises:
            engine.errors.StoreUnavailableError: where it belongs cannot be read.
            Exception: whatever the executor raises; nothing else.
        """
        executor = await self.decide(execution_id, environment, {})
        if executor == "unified":
            return await self.unified.resume_from_checkpoint(
                execution_id, tools, environment=environment, **options
            )

        async def run(own_tools: Any) -> Any:
            return await self.legacy.resume_from_checkpoint(
                execution_id, own_tools, environment=environment, **options
            )

        if executor == "legacy":
            return await run(tools)
        return await self._shadowed(execution_id, tools, environment, run, None, is_first=False)

    async def decide(
        self, execution_id: str, environment: Any, attributes: Mapping[str, Any]
    ) -> Executor:
        """Return whose the execution is; a new one is entered in the store as that executor's.

        Raises:
            engine.errors.StoreUnavailableError: the store failed.
        """
        found = await self.whose(execution_id, environment)
        if found is not None:
            self._tell(RouteDecision(execution_id=execution_id, executor=found, reason="begun"))
            return found
        decision = await self._choose(execution_id, attributes)
        entered, how = await self._ask(execution_id, environment, decision.executor)
        if how == "begun":  # another process was faster
            decision = RouteDecision(execution_id=execution_id, executor=entered, reason="begun")
        self._tell(decision)
        return decision.executor

    async def whose(self, execution_id: str, environment: Any) -> Executor | None:
        """Return whose the execution is; None: nobody has begun it.

        Raises:
            engine.errors.StoreUnavailableError: the store failed.
        """
        executor, how = await self._ask(execution_id, environment, "")
        return executor if how == "begun" else None

    async def _choose(self, execution_id: str, attributes: Mapping[str, Any]) -> RouteDecision:
        try:
            flags = await self.flags.flags(execution_id, attributes)
        except Exception as error:  # noqa: BLE001 - a flag backend must not fail an execution
            _LOG.warning("the flags failed for %s: %r", execution_id, error)
            return RouteDecision(
                execution_id=execution_id,
                executor=self.default,
                reason="default",
                error=f"{type(error).__name__}: {error}",
            )
        return choose(execution_id, flags)

    async def _ask(
        self, execution_id: str, environment: Any, wanted: str
    ) -> tuple[Executor, Literal["begun", "new"]]:
        store = workflow_options(environment)["store"]
        executor, how = await store.run_script(
            execution_id,
            ROUTE,
            [codec.HANDED_BACK, wanted, str(limits.ROUTE_TTL_S)],
            kinds=[CUTOVER],
            foreign=keys_of(execution_id),
        )
        return executor if executor in EXECUTORS else "legacy", how

    async def _shadowed(
        self,
        execution_id: str,
        tools: Any,
        environment: Any,
        run: SegmentCall,
        plan: Mapping[str, Any] | None,
        *,
        is_first: bool,
    ) -> Any:
        recording = self._recording(execution_id, is_first=is_first)
        result = await run(shadow.RecordingTools(tools, recording))
        try:
            report = await shadow.compare(
                execution_id,
                plan or result.state.plan or {},
                result,
                recording,
                now_ms=environment.clock.now_ms(),
                intent=result.state.intent,
                catalog=workflow_options(environment).get("catalog"),
                validator=getattr(environment, "validator", None),
            )
            if not result.is_partial:
                self._recordings.pop(execution_id, None)
            if self.reported is not None:
                self.reported(report)
        except Exception:  # noqa: BLE001 - legacy has decided; its caller gets its result
            _LOG.exception("the shadow run of %s could not be reported", execution_id)
        return result

    def _recording(self, execution_id: str, *, is_first: bool) -> shadow.Recording:
        recording = self._recordings.get(execution_id)
        if recording is None:
            recording = shadow.Recording(is_whole=is_first)
            self._recordings[execution_id] = recording
        self._recordings.move_to_end(execution_id)
        while len(self._recordings) > RECORDINGS:
            self._recordings.popitem(last=False)
        return recording

    def _tell(self, decision: RouteDecision) -> None:
        if self.decided is None:
            return
        try:
            self.decided(decision)
        except Exception:  # noqa: BLE001 - a listener must not fail an execution
            _LOG.exception("a listener failed on the route of %s", decision.execution_id)


def choose(execution_id: str, flags: RouteFlags) -> RouteDecision:
    """Return where a new execution goes. Pure: the same for every process. See `in_share`."""
    if flags.executor != "unified" and in_share(execution_id, flags.unified_percent):
        return RouteDecision(execution_id=execution_id, executor="unified", reason="percentage")
    return RouteDecision(execution_id=execution_id, executor=flags.executor, reason="flag")


def in_share(execution_id: str, percent: float) -> bool:
    """Whether an execution is of the share: by its id alone, and of every larger share, too."""
    digest = hashlib.blake2b(execution_id.encode(errors="replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % PARTS < percent * (PARTS / 100)


def _attributes(plan: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a flag may target by: the plan's id, the intent's type, the tools."""
    intent = getattr(options.get("initial_state"), "intent", None) or {}
    steps: Sequence[Any] = plan.get("steps") or ()
    tools = sorted({str(step.get("tool_name")) for step in steps if isinstance(step, Mapping)})
    found = {"plan_id": plan.get("id"), "intent_type": intent.get("type")}
    return {name: str(value) for name, value in found.items() if value} | {"tools": tools}
