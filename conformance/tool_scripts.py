"""The scripted edges of a scenario: tools, model, parameter validator and realtime channel.

They serve any executor: one that hands its tools an abort signal, and one that cancels the task.
"""

import asyncio
import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chaos.virtual_time import VirtualClock
from conformance.fault_script import CHANNEL_FAULT_MESSAGE, FaultScript
from conformance.process import current_process, refuse_the_dead
from conformance.scenario import Outcome, Scenario, ValidatorError
from conformance.trace import Observations

ABORT_MESSAGE = "AbortError: cancelled"  # from the format
DEFAULT_OUTCOME = Outcome.model_validate({"success": True, "output": {}, "latency_ms": 10})


class ScriptedError(Exception):
    """What a script says is raised; the message is the script's."""


class AbortError(ScriptedError):
    """A tool call was aborted or cancelled while it waited."""


class Signal(Protocol):
    """An abort signal as an executor may pass it to a tool."""

    @property
    def aborted(self) -> bool:
        """Whether the abort has happened."""

    def add_listener(self, listener: Callable[[], object]) -> None:
        """Call `listener` when the abort happens."""

    def remove_listener(self, listener: Callable[[], object]) -> None:
        """Forget `listener`."""


@dataclass(frozen=True, slots=True)
class ToolReply:
    """What a scripted tool returns."""

    success: bool
    has_output: bool = False
    output: Any = None
    error: str | None = None
    compensation: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """One entry of the effect ledger: a call that reached its end, as the tool itself saw it."""

    tool: str
    parameters: Any
    at_ms: int
    segment: int
    success: bool
    idempotency_key: str | None


@dataclass(frozen=True, slots=True)
class BegunCall:
    """A call that a tool was given. What came of it may be unknown: its effect may have happened."""

    tool: str
    parameters: Any
    at_ms: int
    segment: int
    idempotency_key: str | None


class ScriptedTools:
    """Tools that do what the scenario says: the nth call of a tool takes outcome n.

    The last outcome repeats; a tool without an entry succeeds with output {} after 10 ms.
    """

    def __init__(self, scenario: Scenario, clock: VirtualClock, seen: Observations) -> None:
        """Play the outcomes of `scenario` on `clock` and record calls in `seen`."""
        self._scenario = scenario
        self._clock = clock
        self._seen = seen
        self._counts: dict[str, int] = {}
        self.segment = 0
        self.effects: list[Effect] = []
        self.begun: list[BegunCall] = []

    def aliases(self, tool: str) -> Mapping[str, str]:
        """Return alias -> primary of a tool in definition order; empty for an unknown tool."""
        script = self._scenario.tools.get(tool)
        return {} if script is None else script.aliases

    async def call(
        self,
        tool: str,
        parameters: Any,
        *,
        timeout_ms: int | None = None,
        signal: Signal | None = None,
        idempotency_key: str | None = None,
    ) -> ToolReply:
        """Carry out one call; it takes exactly the latency of its outcome.

        A call whose `signal` is raised, or whose task is cancelled, while it waits ends at once
        with `AbortError: cancelled`, unless the outcome says `ignore_abort`: then it ends as if
        nothing had happened, after its full latency.

        Raises:
            AbortError: the call was aborted.
            ScriptedError: the outcome says that the tool raises.
            asyncio.CancelledError: the process died; the call never returns.
        """
        refuse_the_dead()
        segment = self.segment
        outcome = self._next_outcome(tool)
        sent = copy.deepcopy(parameters)
        self._seen.calls.append(
            {
                "segment": segment,
                "tool": tool,
                "parameters": sent,
                "timeout_ms": timeout_ms,
                "at_ms": self._clock.elapsed_ms,
                "signal": signal is not None,
            }
        )
        self.begun.append(BegunCall(tool, sent, self._clock.elapsed_ms, segment, idempotency_key))
        if outcome.ignore_abort:
            await self._wait_deaf(outcome.latency_ms)
        else:
            await self._wait(outcome.latency_ms, signal)
        refuse_the_dead()
        self.effects.append(
            Effect(
                tool,
                sent,
                self._clock.elapsed_ms,
                segment,
                success=bool(outcome.success),
                idempotency_key=idempotency_key,
            )
        )
        if outcome.raises is not None:
            raise ScriptedError(outcome.raises)
        return _reply(outcome)

    def _next_outcome(self, tool: str) -> Outcome:
        outcomes = self._scenario.outcomes.get(tool)
        if not outcomes:
            return DEFAULT_OUTCOME
        position = self._counts.get(tool, 0)
        self._counts[tool] = position + 1
        return outcomes[min(position, len(outcomes) - 1)]

    async def _wait(self, latency_ms: int, signal: Signal | None) -> None:
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def finish() -> None:
            if not ended.done():
                ended.set_result(None)

        def abort() -> None:
            if not ended.done():
                ended.set_exception(AbortError(ABORT_MESSAGE))

        if signal is not None:
            if signal.aborted:
                raise AbortError(ABORT_MESSAGE)
            signal.add_listener(abort)
        timer = self._clock.call_later_ms(latency_ms, finish)
        try:
            await ended
        except asyncio.CancelledError:
            if _is_dead():
                raise
            raise AbortError(ABORT_MESSAGE) from None
        finally:
            timer.cancel()
            if signal is not None:
                signal.remove_listener(abort)

    async def _wait_deaf(self, latency_ms: int) -> None:
        due_ms = self._clock.elapsed_ms + latency_ms
        while True:
            try:
                await self._clock.sleep_ms(due_ms - self._clock.elapsed_ms)
            except asyncio.CancelledError:
                if _is_dead():
                    raise
            else:
                return


class ScriptedModel:
    """A model whose nth answer is the scenario's nth entry; the last one repeats."""

    def __init__(self, scenario: Scenario, seen: Observations) -> None:
        """Answer from `scenario` and record the questions in `seen`."""
        self._script = scenario.llm
        self._seen = seen
        self._asked = 0

    async def generate(self, model_type: str, prompt: str) -> str:
        """Return the next answer.

        Raises:
            ScriptedError: the script says so, or there is no script.
        """
        refuse_the_dead()
        del prompt
        self._seen.llm_calls.append(model_type)
        if not self._script:
            raise ScriptedError("no model in this scenario")
        entry = self._script[min(self._asked, len(self._script) - 1)]
        self._asked += 1
        if entry.raises is not None or entry.content is None:
            raise ScriptedError(entry.raises or "the answer has no content")
        return entry.content


class ScriptedValidator:
    """A parameter validator that accepts everything except what the scenario lists."""

    def __init__(self, scenario: Scenario, seen: Observations) -> None:
        """Judge by `scenario` and record the verdicts in `seen`."""
        self._errors = scenario.validator_errors
        self._seen = seen

    def validate(self, tool: str, parameters: Any) -> Sequence[ValidatorError]:
        """Return the errors of a call; none means valid."""
        refuse_the_dead()
        del parameters
        errors = self._errors.get(tool, [])
        self._seen.validations.append(
            {
                "tool": tool,
                "success": not errors,
                "errors": [error.model_dump() for error in errors],
            }
        )
        return errors


class ScriptedChannel:
    """The realtime edge: signs and publishes, and fails where the scenario says so.

    What a published event means for the trace is the subject's to record.
    """

    def __init__(self, faults: FaultScript) -> None:
        """Fail by `faults`."""
        self._faults = faults

    async def sign(self, event: str) -> None:
        """Sign a token for `event`.

        Raises:
            ScriptedError: the scenario has a fault here.
        """
        await self._pass("sign", event)

    async def publish(self, event: str) -> None:
        """Publish `event`.

        Raises:
            ScriptedError: the scenario has a fault here.
        """
        await self._pass("publish", event)

    async def _pass(self, op: str, event: str) -> None:
        refuse_the_dead()
        struck = self._faults.strikes_channel(op, event)
        # A real edge suspends its caller: the steps of a batch take turns here.
        await asyncio.sleep(0)
        refuse_the_dead()
        if struck:
            raise ScriptedError(CHANNEL_FAULT_MESSAGE)


def _is_dead() -> bool:
    process = current_process()
    return process is not None and process.is_dead


def _reply(outcome: Outcome) -> ToolReply:
    if not outcome.success:
        return ToolReply(success=False, error=outcome.error)
    compensation = outcome.compensation
    return ToolReply(
        success=True,
        has_output=outcome.has_output,
        output=copy.deepcopy(outcome.output),
        compensation=(
            None if compensation is None else compensation.model_dump(exclude_unset=True)
        ),
    )
