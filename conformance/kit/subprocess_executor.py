"""Any program as an executor under test: JSON lines on its standard input and output.

The protocol is told in `conformance/kit/README.md` and, as JSON Schema, by `planproof schema
executor-protocol`. Tools and time are the harness': the program asks for both on the pipe, and
while it works virtual time stands still. Its store is its own affair, in the scratch folder.
"""

import asyncio
import json
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from conformance.errors import UsageError
from conformance.kit.child import Child, Launch, run_command
from conformance.kit.executor_fault import ExecutorFault
from conformance.kit.executor_protocol import (
    FROM_EXECUTOR,
    PROTOCOL,
    Call,
    Cancel,
    Handed,
    Message,
    Outcome,
    Progress,
    Ready,
    Result,
    Sleep,
    StepReport,
    Taken,
    Threw,
    Wait,
)
from conformance.scenario import PatchState
from conformance.subject import ResumeRequest, SegmentResult, StartRequest
from conformance.subject import Threw as Thrown
from conformance.tool_scripts import Effect, ScriptedError
from conformance.trace import PersistedView, StateView
from conformance.world import World

QUOTED_CHARACTERS = 120  # of a line that is no message
STATUSES: Mapping[Outcome, str] = {
    "completed": "COMPLETED",
    "failed": "FAILED",
    "yielded": "EXECUTING",
    "waiting": "AWAITING_CONFIRMATION",
}
_Answer = TypeVar("_Answer", bound=Message)
_Pending = dict[int, "asyncio.Task[dict[str, Any]]"]


@dataclass(frozen=True)
class CommandExecutor:
    """Builds a subject that runs a program; one process of it for each of its lives."""

    arguments: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "CommandExecutor":
        """Read a command line as a shell would, without running one.

        Raises:
            UsageError: it names no program that can be run.
        """
        try:
            arguments = shlex.split(text)
        except ValueError as error:
            raise UsageError(f"--command: {error}") from None
        program = shutil.which(arguments[0]) if arguments else None
        if program is None:
            raise UsageError(
                f"--command: there is no program {arguments[0] if arguments else ''!r}"
            )
        # It runs in the scratch folder: what names a file from here is made absolute.
        rest = [str(Path(one).resolve()) if Path(one).is_file() else one for one in arguments[1:]]
        return cls((str(Path(program).absolute()), *rest))

    @property
    def name(self) -> str:
        """What a report calls it: the last file that the command names."""
        return next(
            (Path(a).name for a in reversed(self.arguments) if Path(a).is_file()), "program"
        )

    def __call__(self, world: World) -> "SubprocessSubject":
        """Build the subject; the program is started when it is first asked for something."""
        return SubprocessSubject(world, partial(run_command, self.arguments))


class SubprocessSubject:
    """One life of a program that is an executor."""

    def __init__(self, world: World, launch: Launch) -> None:
        """Run what `launch` starts in `world`, which has a scratch folder."""
        self._world = world
        self._launch = launch
        self._child: Child | None = None
        self._ready: Ready | None = None

    async def capabilities(self) -> frozenset[str]:
        """Return what the program declares."""
        await self._started()
        assert self._ready is not None  # noqa: S101 - set when it has started
        return frozenset(self._ready.capabilities)

    async def start(self, request: StartRequest) -> SegmentResult:
        """Send `start` and serve the program until it answers."""
        message = {
            "type": "start",
            "execution_id": request.execution_id,
            "plan": request.plan,
            "intent": request.intent,
        }
        return _segment_result(await self._ask(message, Result))

    async def resume(self, request: ResumeRequest) -> SegmentResult:
        """Send `resume` and serve the program until it answers."""
        message = {"type": "resume", "execution_id": request.execution_id}
        return _segment_result(await self._ask(message, Result))

    async def state(self, execution_id: str) -> PersistedView:
        """Ask the program what it has stored."""
        told = await self._ask({"type": "state", "execution_id": execution_id}, Progress)
        if told.outcome is None:
            return PersistedView()
        return PersistedView(state=_view(told.outcome, told.steps))

    async def effects(self) -> Sequence[Effect]:
        """Return the ledger of the scripted tools."""
        return self._world.tools.effects

    async def patch_state(self, operation: PatchState) -> None:
        """Do nothing: the operation mends the legacy executor's state."""

    async def hand_out(self, execution_id: str) -> Mapping[str, Any]:
        """Ask the program to give a run away."""
        return (
            await self._ask({"type": "hand_out", "execution_id": execution_id}, Handed)
        ).progress

    async def take_in(self, progress: Mapping[str, Any]) -> None:
        """Give the program a run that another executor has begun."""
        await self._ask({"type": "take_in", "progress": progress}, Taken)

    def freeze(self) -> None:
        """Let the process stand still."""
        if self._child is not None:
            self._child.stop()

    def thaw(self) -> None:
        """Let it go on."""
        if self._child is not None:
            self._child.go_on()

    async def close(self) -> None:
        """Kill the program: what it has not stored by now is lost."""
        self._kill()

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()

    async def _started(self) -> Child:
        if self._child is None:
            scratch = self._world.scratch
            if scratch is None:
                raise UsageError("a program can only be certified; give another command a name")
            self._child = Child(self._launch, scratch, self._world.clock)
            hello = {"type": "hello", "protocol": PROTOCOL, "scratch": str(scratch)}
            self._ready = await self._converse(self._child, hello, Ready)
        return self._child

    async def _ask(self, message: dict[str, Any], answer: type[_Answer]) -> _Answer:
        return await self._converse(await self._started(), message, answer)

    async def _converse(
        self, child: Child, message: dict[str, Any], answer: type[_Answer]
    ) -> _Answer:
        """Send a request and serve the program until the answer has come.

        Raises:
            Thrown: the program answers with `threw`.
            ExecutorFault: it ends, or does not keep to the protocol.
        """
        pending: _Pending = {}
        try:
            await self._send(child, message)
            while True:
                told = await self._receive(child)
                if isinstance(told, answer):
                    return told
                if isinstance(told, Threw):
                    raise Thrown(told.message, told.name)
                self._take(told, pending)
                if not getattr(told, "more", False):
                    await self._send(child, await _next_reply(pending))
        except (asyncio.CancelledError, ExecutorFault):
            child.kill()
            raise
        finally:
            for task in pending.values():
                task.cancel()
            await asyncio.gather(*pending.values(), return_exceptions=True)

    def _take(self, told: Message, pending: _Pending) -> None:
        match told:
            case Call() | Sleep():
                if told.id in pending:
                    raise ExecutorFault("garbage", f"the id {told.id} is used twice")
                work = self._call(told) if isinstance(told, Call) else self._sleep(told)
                pending[told.id] = asyncio.get_running_loop().create_task(work)
            case Cancel():
                if told.id in pending:
                    pending[told.id].cancel()
            case Wait():
                pass
            case _:
                raise ExecutorFault("garbage", f"a message {told.type!r} that was not asked for")

    async def _call(self, told: Call) -> dict[str, Any]:
        reply: dict[str, Any] = {"type": "reply", "id": told.id}
        try:
            done = await self._world.tools.call(
                told.tool,
                told.parameters,
                timeout_ms=told.timeout_ms,
                idempotency_key=told.idempotency_key,
            )
        except ScriptedError as error:
            return reply | {"success": False, "error": str(error), "raised": True}
        if not done.success:
            return reply | {"success": False, "error": done.error}
        if done.compensation is not None:
            reply["compensation"] = {
                "tool": done.compensation["toolName"],
                "parameters": done.compensation.get("parameters") or {},
            }
        return reply | {"success": True, "output": done.output}

    async def _sleep(self, told: Sleep) -> dict[str, Any]:
        reply: dict[str, Any] = {"type": "reply", "id": told.id}
        try:
            await self._world.clock.sleep_ms(told.ms)
        except asyncio.CancelledError:
            return reply | {"success": False, "error": "cancelled"}
        return reply | {"success": True}

    async def _send(self, child: Child, message: dict[str, Any]) -> None:
        stamped = message | {"now_ms": self._world.clock.now_ms()}
        await child.send(json.dumps(stamped, separators=(",", ":")).encode() + b"\n")

    async def _receive(self, child: Child) -> Message:
        line = await child.receive()
        try:
            return FROM_EXECUTOR.validate_json(line)
        except ValidationError as error:
            fault = error.errors()[0]
            path = ".".join(map(str, fault["loc"])) or "line"
            quoted = line[:QUOTED_CHARACTERS].decode("utf-8", "replace")
            text = f"no message of the protocol ({path}: {fault['msg']}): {quoted}"
            raise ExecutorFault("garbage", text) from None


async def _next_reply(pending: _Pending) -> dict[str, Any]:
    """Wait for the first of what was asked for; what ends at one instant, in the order of asking."""
    if not pending:
        raise ExecutorFault("garbage", "the program waits, and has asked for nothing")
    await asyncio.wait(pending.values(), return_when=asyncio.FIRST_COMPLETED)
    identity = next(identity for identity, task in pending.items() if task.done())
    task = pending.pop(identity)
    if task.cancelled():  # it was given up before it had begun
        return {"type": "reply", "id": identity, "success": False, "error": "cancelled"}
    return task.result()


def _segment_result(result: Result) -> SegmentResult:
    statuses = [step.status for step in result.steps]
    return SegmentResult(
        success=result.outcome == "completed",
        is_partial=result.outcome == "yielded",
        completed_steps=statuses.count("completed"),
        failed_steps=statuses.count("failed"),
        total_steps=len(statuses),
        error_message=result.error,
        state=_view(result.outcome, result.steps),
    )


def _view(outcome: Outcome, steps: Sequence[StepReport]) -> StateView:
    return StateView(
        status=STATUSES[outcome],
        steps=[
            {
                "id": step.id,
                "status": step.status,
                "output": step.output,
                "error_code": None if step.error is None else "STEP_FAILED",
                "error_message": step.error,
                "attempts": step.attempts,
                "latency_ms": None,
            }
            for step in steps
        ],
    )
