"""The program's end of the executor protocol, for executors in Python that block while they wait.

A program gives `serve` what carries out the requests; inside, it calls tools and sleeps through the
same pipe. One conversation at a time: whichever thread holds it, writes and reads.
"""

import json
import os
import sys
import threading
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from conformance.kit.executor_protocol import PROTOCOL, StepReport

DEFAULT_TIMEOUT_MS = 30_000  # of a call, where the plan names none


class RefusedError(Exception):
    """A request is refused; it is answered with `threw`."""


class PlanExecutor(Protocol):
    """What a program implements. A result is the message of the protocol without its type."""

    def start(self, execution_id: str, plan: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run the plan."""

    def resume(self, execution_id: str) -> Mapping[str, Any]:
        """Go on with a run."""

    def state(self, execution_id: str) -> Mapping[str, Any]:
        """Tell what is stored."""


class Pipe:
    """Standard input and output as the harness' end of tools and time."""

    def __init__(self) -> None:
        """Take standard output over: what else prints, prints to standard error from now on."""
        self._in: BinaryIO = sys.stdin.buffer
        self._out: BinaryIO = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        self._turn = threading.RLock()
        self._last_id = 0

    def serve(
        self, capabilities: tuple[str, ...], name: str, build: Callable[[Path], PlanExecutor]
    ) -> None:
        """Answer the harness until it is gone."""
        hello = self._receive()
        executor = build(Path(hello["scratch"]))
        ready = {"type": "ready", "protocol": PROTOCOL, "capabilities": capabilities, "name": name}
        self._send(ready)
        while line := self._in.readline():
            request = json.loads(line)
            try:
                self._send(_answer(executor, request))
            except RefusedError as error:
                self._send({"type": "threw", "name": "RefusedError", "message": str(error)})

    def call(
        self, tool: str, parameters: Mapping[str, Any], *, key: str, timeout_ms: int
    ) -> Mapping[str, Any]:
        """Call a tool and return the reply; one that takes longer than `timeout_ms` has failed."""
        with self._turn:
            call, alarm = self._next_id(), self._next_id()
            message = {"type": "call", "id": call, "tool": tool, "parameters": parameters}
            named = {"idempotency_key": key, "timeout_ms": timeout_ms, "more": True}
            self._send(message | named)
            self._send({"type": "sleep", "id": alarm, "ms": timeout_ms})
            reply = self._receive()
            late = reply["id"] == alarm
            self._send({"type": "cancel", "id": call if late else alarm})
            self._receive()
        if late:
            return {"success": False, "error": f"no answer within {timeout_ms} ms"}
        return reply

    def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        with self._turn:
            self._send({"type": "sleep", "id": self._next_id(), "ms": round(seconds * 1000)})
            self._receive()

    def keep_time(self, module: types.ModuleType) -> None:
        """Let `time.sleep` in a foreign module wait in virtual time; nothing else of it changes."""
        real: types.ModuleType = module.time
        virtual = types.SimpleNamespace(**vars(real))
        virtual.sleep = self.sleep
        module.time = virtual  # type: ignore[attr-defined]  # the module's own import of time

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _send(self, message: Mapping[str, Any]) -> None:
        self._out.write(json.dumps(message).encode() + b"\n")
        self._out.flush()

    def _receive(self) -> dict[str, Any]:
        line = self._in.readline()
        if not line:
            raise SystemExit(0)  # the harness is gone
        message: dict[str, Any] = json.loads(line)
        return message


def _answer(executor: PlanExecutor, request: Mapping[str, Any]) -> Mapping[str, Any]:
    match request["type"]:
        case "start":
            return {"type": "result", **executor.start(request["execution_id"], request["plan"])}
        case "resume":
            return {"type": "result", **executor.resume(request["execution_id"])}
        case "state":
            return {"type": "state", **executor.state(request["execution_id"])}
        case other:
            raise RefusedError(f"{other} is not supported")


def step_reports(
    plan: Mapping[str, Any], done: Mapping[str, Any], failed: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the reports of all steps: outputs of those done, errors of those failed, by id."""

    def report(identity: str) -> StepReport:
        if identity in done:
            return StepReport(id=identity, status="completed", output=done[identity])
        if identity in failed:
            return StepReport(id=identity, status="failed", error=failed[identity])
        return StepReport(id=identity, status="pending")

    return [report(step["id"]).model_dump() for step in plan["steps"]]


def resolve(parameters: Mapping[str, Any], outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Put earlier outputs in the place of references to them."""
    return {name: _resolved(value, outputs) for name, value in parameters.items()}


def _resolved(value: Any, outputs: Mapping[str, Any]) -> Any:
    if not (isinstance(value, str) and value.startswith("$") and "." in value):
        return value
    step, *path = value[1:].split(".")
    current = outputs.get(step)
    for part in path:
        if isinstance(current, dict) and part in current:
            current = current[part]
        elif isinstance(current, list) and part.isdecimal() and int(part) < len(current):
            current = current[int(part)]
        else:
            return value
    return current


def order(plan: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """Return the steps in an order in which each follows what it depends on; None if none is."""
    left, done, found = list(plan["steps"]), set[str](), list[Mapping[str, Any]]()
    while ready := [step for step in left if done.issuperset(step.get("dependencies", []))]:
        found += ready
        done.update(step["id"] for step in ready)
        left = [step for step in left if step["id"] not in done]
    return None if left else found
