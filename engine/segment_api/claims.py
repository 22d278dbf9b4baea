"""Claims that callers keep beside the engine, and the tools of a segment that ask them.

The engine needs none: its intents say what has begun, and its leases who may write. A service
that a caller passes all the same may know of other executions of the same intent, so it is asked.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from engine.clock import Clock
from engine.errors import EngineError
from engine.parameters import describe_faults
from engine.segment_api.records import iso_time
from engine.tools import ToolCall, ToolExecutor, ToolResult

CLAIM_TTL_S: Final = 86_400
SKIPPED: Final[Mapping[str, Any]] = {"skipped": True, "reason": "Already executed (idempotent)"}


class ClaimService(Protocol):
    """Remembers which steps were claimed."""

    def claim(self, owner: str, step_index: int) -> Awaitable[bool]:
        """Claim a step; return False if it was claimed before."""


class IdempotencyService:
    """Set-if-absent claims on `ie:idempotency:<owner>:<step index>`, for a day."""

    def __init__(self, redis: Any, clock: Clock) -> None:
        """Keep claims in `redis`, a `redis.asyncio` client."""
        self._redis = redis
        self._clock = clock

    async def claim(self, owner: str, step_index: int) -> bool:
        """Claim a step; return False if somebody did before.

        Raises:
            redis.exceptions.RedisError: the store failed.
        """
        key = f"ie:idempotency:{owner}:{step_index}"
        now = iso_time(self._clock.now_ms())
        return bool(await self._redis.set(key, now, ex=CLAIM_TTL_S, nx=True))


class ParametersRefusedError(EngineError):
    """The validator of the caller's environment refuses the parameters of a call."""

    code = "VALIDATION_FAILED"
    advice = "fix the parameters named"


@dataclass(frozen=True, slots=True)
class SegmentTools:
    """The tools of one segment: claimed and validated before they are called.

    Attributes:
        owner: whose claims are made: the intent, else the execution.
        positions: of the steps in the plan, by id.
        called: ids of the steps that were called before, by whichever process; they are not
            claimed again.
    """

    tools: ToolExecutor
    validator: Any
    claims: ClaimService | None
    owner: str
    positions: Mapping[str, int]
    called: set[str]

    async def execute(self, call: ToolCall, /) -> ToolResult:
        """Claim, validate, call.

        A step whose claim is refused is complete, with a record of the skip for its output. Only
        the first call is claimed: a further attempt, a rescue and a compensation follow a call of
        this very execution, perhaps of a dead process.

        Raises:
            ParametersRefusedError: the validator found faults.
        """
        if not await self._is_claimed(call):
            return ToolResult.ok(dict(SKIPPED))
        if self.validator is not None:
            faults = await self.validator.validate(call.tool_name, call.parameters)
            if faults:
                raise ParametersRefusedError(describe_faults(faults))
        return await self.tools.execute(call)

    async def _is_claimed(self, call: ToolCall) -> bool:
        is_new = call.step_id not in self.called
        self.called.add(call.step_id)
        if self.claims is None or not is_new:
            return True
        return await self.claims.claim(self.owner, self.positions[call.step_id])
