"""Announcements on the caller's realtime channel, beside the engine's own outbox."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from engine.events import Event, EventName
from engine.plan import Plan
from engine.segment_api.records import iso_time
from engine.segment_api.trace import RAISED

STEP_UPDATE: Final = "ExecutionStepUpdate"
CONTINUE_EXECUTION: Final = "CONTINUE_EXECUTION"
_LOG = logging.getLogger("planproof.engine")
_STATUSES: Final = {
    EventName.STEP_STARTED: ("in_progress", "Starting {label}..."),
    EventName.STEP_COMPLETED: ("completed", "Completed {label}"),
    EventName.STEP_FAILED: ("failed", "{how}: {error}"),
}


class RealtimeChannel(Protocol):
    """The outer edge: signs a token for an event, then publishes it. Both may raise."""

    async def sign(self, event: str) -> str:
        """Return a token for `event`."""

    async def publish(self, event: str, data: Mapping[str, Any], token: str) -> None:
        """Hand the event to the channel."""


@dataclass(frozen=True, slots=True)
class RealtimeService:
    """Publishes what is told to the outside while an execution runs."""

    channel: RealtimeChannel

    async def update_step(self, data: Mapping[str, Any]) -> None:
        """Publish the status of one step; a channel that refuses is ignored.

        Raises:
            Exception: the token could not be signed.
        """
        token = await self.channel.sign(STEP_UPDATE)
        with suppress(Exception):
            await self.channel.publish(STEP_UPDATE, data, token)

    async def continue_execution(self, data: Mapping[str, Any]) -> None:
        """Publish the event that asks for the next segment.

        Raises:
            Exception: it could not be signed or published.
        """
        token = await self.channel.sign(CONTINUE_EXECUTION)
        await self.channel.publish(CONTINUE_EXECUTION, data, token)


@dataclass(frozen=True, slots=True)
class Announcer:
    """Tells a realtime service what becomes durable, in order, while the segment goes on.

    What the service raises is logged: the outbox has every event, and a step whose tool has
    succeeded does not fail because nobody could be told.
    """

    realtime: Any
    plan: Plan
    waiting: "asyncio.Queue[Event | None]" = field(default_factory=asyncio.Queue)

    def __call__(self, event: Event) -> None:
        """Take an event of the engine; the listener's side."""
        if event.name in _STATUSES and event.step_index is not None:
            self.waiting.put_nowait(event)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Publish in the background; at the end of the block, what is left is published first."""
        publisher = asyncio.ensure_future(self._publish())
        try:
            yield
        finally:
            self.waiting.put_nowait(None)
            await publisher

    async def ask_to_continue(
        self, execution_id: str, next_step_index: int | None, segment_number: int, trace_id: Any
    ) -> None:
        """Announce the next segment; a failure is logged, since the execution is due all the same."""
        try:
            await self.realtime.continue_execution(
                {
                    "executionId": execution_id,
                    "nextStepIndex": next_step_index,
                    "segmentNumber": segment_number,
                    "traceId": trace_id,
                }
            )
        except Exception:  # noqa: BLE001 - logged; see above
            _LOG.exception("the next segment of %s could not be announced", execution_id)

    async def _publish(self) -> None:
        while (event := await self.waiting.get()) is not None:
            try:
                await self.realtime.update_step(self._update(event))
            except Exception:  # noqa: BLE001 - logged; see the class
                _LOG.exception("a step of %s could not be announced", event.execution_id)

    def _update(self, event: Event) -> dict[str, Any]:
        status, message = _STATUSES[event.name]
        step = self.plan.steps[event.step_index or 0]
        return {
            "executionId": event.execution_id,
            "stepIndex": event.step_index,
            "totalSteps": len(self.plan.steps),
            "stepName": step.tool_name,
            "status": status,
            "message": message.format(
                label=step.label,
                how="Error" if event.detail.get("code") == RAISED else "Failed",
                error=event.detail.get("message"),
            ),
            "timestamp": iso_time(event.at_ms),
        }
