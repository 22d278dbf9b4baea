"""The realtime service: status updates of steps and the event that asks for the next segment."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

STEP_UPDATE: Final = "ExecutionStepUpdate"
CONTINUE_EXECUTION: Final = "CONTINUE_EXECUTION"


class RealtimeChannel(Protocol):
    """The outer edge: signs a token for an event, then publishes it. Both may raise."""

    async def sign(self, event: str) -> str:
        """Return a token for `event`."""

    async def publish(self, event: str, data: Mapping[str, Any], token: str) -> None:
        """Hand the event to the channel."""


@dataclass(frozen=True, slots=True)
class RealtimeService:
    """Publishes what the executor tells the outside while it runs."""

    channel: RealtimeChannel

    async def update_step(self, data: Mapping[str, Any]) -> None:
        """Publish the status of one step; a channel that refuses is ignored.

        Raises:
            Exception: the token could not be signed. Quirk 46: so a step whose tool succeeded is
                recorded as failed when its last update cannot be signed.
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
