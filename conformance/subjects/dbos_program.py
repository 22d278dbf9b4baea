"""Plans on DBOS Transact with SQLite, as a program of the executor protocol.

A plan is one durable workflow: each step of it a DBOS step with DBOS's own retries, the rollback a
loop over what was done, as its users write sagas. What DBOS has no notion of (tools that a plan may
use, another plan under a known id) is not added here: the certificate is DBOS's, not this file's.
"""

import contextlib
import queue
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dbos._outcome
from dbos import DBOS, DBOSClient, DBOSConfig, SetWorkflowID

from conformance.kit.pipe import (
    DEFAULT_TIMEOUT_MS,
    Pipe,
    RefusedError,
    order,
    resolve,
    step_reports,
)

CAPABILITIES = ("C0", "C1", "C2")
WEEK_S = 604_800.0  # how long a run waits for a person
POLL_S = 0.02  # real seconds between two looks at a workflow that another thread runs
REMOTE_POLL_S = 1.0  # virtual seconds between two looks at one that another process runs
PATIENCE_S = 600.0  # virtual seconds for which such a workflow is waited for

_ENDS: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
_PIPE = Pipe()


class ToolFailedError(Exception):
    """A tool reported a failure, or raised, or did not answer in time."""


def call_tool(
    tool: str, parameters: Mapping[str, Any], key: str, timeout_ms: int
) -> Mapping[str, Any]:
    """Call a tool; the body of every step."""
    reply = _PIPE.call(tool, parameters, key=key, timeout_ms=timeout_ms)
    if not reply["success"]:
        raise ToolFailedError(reply["error"])
    return reply


@DBOS.workflow(name="plan")
def run_plan(execution_id: str, plan: dict[str, Any]) -> dict[str, Any]:
    """Carry a plan out, one step at a time; undo what was done when a step has failed."""
    done: dict[str, Any] = {}
    failed: dict[str, str] = {}
    undo: list[tuple[str, Mapping[str, Any]]] = []
    for step in order(plan) or ():
        if step.get("requires_confirmation"):
            _ENDS.put({"outcome": "waiting", "steps": step_reports(plan, done, failed)})
            DBOS.recv(step["id"], timeout_seconds=WEEK_S)
        try:
            reply = _call(execution_id, step, resolve(step["parameters"], done))
        except Exception as error:  # noqa: BLE001 - whatever a step ends with, retries exhausted included
            failed[step["id"]] = str(error)
            break
        done[step["id"]] = reply["output"]
        if reply.get("compensation"):
            undo.append((step["id"], reply["compensation"]))
    if failed:
        for name, call in reversed(undo):
            key = f"{execution_id}/{name}/undo"
            DBOS.run_step(
                {"name": f"undo {name}"},
                call_tool,
                call["tool"],
                call["parameters"],
                key,
                DEFAULT_TIMEOUT_MS,
            )
    outcome = "failed" if failed else "completed"
    return {"outcome": outcome, "steps": step_reports(plan, done, failed)}


def _call(
    execution_id: str, step: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Mapping[str, Any]:
    policy = step.get("retry_policy") or {}
    attempts = policy.get("max_attempts", 1)
    return DBOS.run_step(
        {
            "name": step["tool_name"],
            "retries_allowed": attempts > 1,
            "max_attempts": attempts,
            "interval_seconds": policy.get("backoff_ms", 0) / 1000,
            "backoff_rate": 2.0,
        },
        call_tool,
        step["tool_name"],
        parameters,
        f"{execution_id}/{step['id']}",
        step.get("timeout_ms") or DEFAULT_TIMEOUT_MS,
    )


class DbosExecutor:
    """One process of a DBOS application, with an executor id of its own, as DBOS wants it.

    Whom to recover is told to DBOS from outside, since it does not see who has died: here a resume
    says that the executor of that workflow has.
    """

    def __init__(self, scratch: Path) -> None:
        """Keep the system database in `scratch`; nothing is launched before it is needed."""
        self._file = scratch / "dbos.sqlite"
        self._url = f"sqlite:///{self._file}"
        self._executor_id = uuid.uuid4().hex
        self._launched = False

    def start(self, execution_id: str, plan: Mapping[str, Any]) -> Mapping[str, Any]:
        """Start the workflow under the execution's id."""
        if order(plan) is None:
            raise RefusedError("the steps of the plan wait for one another")
        self._launch()
        with SetWorkflowID(execution_id):
            DBOS.start_workflow(run_plan, execution_id, dict(plan))
        return self._end(execution_id)

    def resume(self, execution_id: str) -> Mapping[str, Any]:
        """Recover the executor that has the workflow, unless it is this one, and wait for the end."""
        self._launch()
        found = DBOS.get_workflow_status(execution_id)
        if found is None:
            raise RefusedError(f"no workflow {execution_id}")
        if found.status == "PENDING" and found.executor_id not in (None, self._executor_id):
            DBOS._recover_pending_workflows([found.executor_id])  # noqa: SLF001 - its admin call
        return self._end(execution_id)

    def state(self, execution_id: str) -> Mapping[str, Any]:
        """Read the workflow's row without taking part in it."""
        if not self._file.exists():
            return {"outcome": None}
        client = DBOSClient(system_database_url=self._url)
        try:
            found: Sequence[Any] = client.list_workflows(workflow_ids=[execution_id])
        finally:
            client.destroy()
        if not found:
            return {"outcome": None}
        output: Mapping[str, Any] | None = found[0].output
        return {"outcome": "yielded"} if output is None else output

    def _end(self, execution_id: str) -> Mapping[str, Any]:
        """Wait until the workflow has ended or waits for a person, here or in another process."""
        waited_s = 0.0
        while waited_s < PATIENCE_S:
            found = DBOS.get_workflow_status(execution_id)
            if found is None:
                raise RefusedError(f"no workflow {execution_id}")
            if found.status not in {"PENDING", "ENQUEUED"}:
                if found.output is None:
                    raise RefusedError(f"the workflow is {found.status}: {found.error}")
                output: Mapping[str, Any] = found.output
                return output
            if found.status == "ENQUEUED" or found.executor_id == self._executor_id:
                with contextlib.suppress(queue.Empty):
                    return _ENDS.get(timeout=POLL_S)
            else:
                _PIPE.sleep(REMOTE_POLL_S)
                waited_s += REMOTE_POLL_S
        return self.state(execution_id)

    def _launch(self) -> None:
        if self._launched:
            return
        config: DBOSConfig = {
            "name": "planproof",
            "system_database_url": self._url,
            "application_version": "1",
            "executor_id": self._executor_id,
            "log_level": "ERROR",
        }
        DBOS(config=config)
        DBOS.launch()
        self._launched = True


def main() -> None:
    """Serve the harness."""
    _PIPE.keep_time(dbos._outcome)  # noqa: SLF001 - where DBOS waits between two attempts
    _PIPE.serve(CAPABILITIES, "dbos", DbosExecutor)


if __name__ == "__main__":
    main()
