"""Without these a failover of the store could forget that a payment was about to be made."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from engine import (
    AlternativeTool,
    Durability,
    EffectSemantics,
    ExecutionStatus,
    FailoverPolicy,
    FailoverRule,
    ToolRegistry,
    ToolResult,
    WorkflowMachine,
    WorkflowSettings,
)
from engine.errors import LeaseLostError, NotReplicatedError, ReplicationUnsupportedError
from engine.identity import FencingToken
from engine.redis_store import RedisStore
from engine.states import StepStatus
from engine.store import Beginning, Lease
from engine.types.execution import ExecutionResult
from tests.conftest import RedisServer, server_binary
from tests.engine.lab import EXECUTION, WORKER, Lab, Script, chain, plan_of, step

REPLICATED = WORKER.model_copy(update={"durability": Durability.REPLICATED})
FAILED = ToolResult.failed("status 503")


class Replicas:
    """Stands for the replicas of a lab's store: notes what was called when they were asked."""

    def __init__(self, lab: Lab, *answers: Exception | None) -> None:
        self.lab = lab
        self.answers = list(answers)
        self.asked: list[list[str]] = []

    def machine(self, plan: Any = None, **options: Any) -> WorkflowMachine:
        options.setdefault("settings", REPLICATED)
        machine = self.lab.machine(plan, **options)
        machine._store.replicate = self._replicate  # type: ignore[method-assign] # no replicas here
        return machine

    async def _replicate(self, lease: Lease, replicas: int, timeout_ms: int) -> None:
        assert (lease.execution_id, replicas, timeout_ms) == (EXECUTION, 1, 1_000)
        self.asked.append(self.lab.tools.names)
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer


@pytest.mark.parametrize("effects", EffectSemantics)
def test_replicas_are_waited_for_before_what_cannot_be_deduplicated(
    effects: EffectSemantics,
) -> None:
    lab = Lab()
    replicas = Replicas(lab)

    async def lookup(_key: str) -> None:
        return None

    lab.tools.define("work", effects, lookup=lookup)
    assert lab.run(lambda: replicas.machine(chain(2)).execute()).success
    waits = effects not in (EffectSemantics.KEYED, EffectSemantics.READ_ONLY)
    assert replicas.asked == ([[], ["work"]] if waits else [])


def test_nobody_waits_unless_asked_to() -> None:
    lab = Lab()
    replicas = Replicas(lab, NotReplicatedError("none"))
    assert lab.run(lambda: replicas.machine(chain(2), settings=WORKER).execute()).success
    assert replicas.asked == []


@pytest.mark.parametrize("nth", [1, 2])
def test_without_replicas_the_call_is_not_made_and_nothing_is_in_doubt(nth: int) -> None:
    lab = Lab()
    lab.tools.define("work", EffectSemantics.AT_MOST_ONCE)
    replicas = Replicas(lab, *[None] * (nth - 1), NotReplicatedError("0 of 1"))

    async def main() -> ExecutionResult:
        with pytest.raises(NotReplicatedError) as caught:
            await replicas.machine(chain(3)).execute()
        assert (caught.value.code, caught.value.retriable) == ("NOT_REPLICATED", True)
        assert lab.tools.count("work") == nth - 1
        state = await lab.machine().get_state()
        assert [one.status for one in state.steps[nth - 1 :]] == [StepStatus.PENDING] * (4 - nth)
        due_ms = lab.clock.now_ms() + WORKER.resume_delay_ms
        assert await lab.store().due(due_ms, 9) == [EXECUTION]
        return await replicas.machine().execute()

    assert lab.run(main).success
    assert lab.tools.count("work") == 3


def test_a_rescue_waits_for_replicas_too() -> None:
    lab = Lab()
    policy = FailoverPolicy((FailoverRule(AlternativeTool("second"), tool="first"),))
    lab.tools.define("first", EffectSemantics.KEYED)
    lab.tools.define("second", EffectSemantics.AT_MOST_ONCE)
    lab.tools.scripts["first"] = Script([FAILED])
    replicas = Replicas(lab, NotReplicatedError("0 of 1"))
    plan = plan_of(step("a", tool="first"))

    async def main() -> ExecutionResult:
        with pytest.raises(NotReplicatedError):
            await replicas.machine(plan, failover=policy).execute()
        assert lab.tools.names == ["first"]
        return await replicas.machine(failover=policy).execute()

    assert lab.run(main).success
    assert lab.tools.names == ["first", "second"]
    assert replicas.asked == [["first"]] * 2


def test_replicas_are_waited_for_before_the_first_compensation() -> None:
    lab = Lab()
    lab.tools.scripts["fails"] = Script([FAILED])
    for name in ("work", "fails"):
        lab.tools.define(name, EffectSemantics.KEYED)
    undo = {"compensation": {"tool_name": "undo"}}
    plan = plan_of(
        step("a", tool="work", **undo), step("b", "a", tool="work", **undo), step("fails", "b")
    )
    replicas = Replicas(lab, NotReplicatedError("0 of 1"))

    async def main() -> ExecutionResult:
        with pytest.raises(NotReplicatedError):
            await replicas.machine(plan).execute()
        assert lab.tools.count("undo") == 0
        assert (await lab.machine().get_state()).status is ExecutionStatus.COMPENSATING
        return await replicas.machine().execute()

    result = lab.run(main)
    assert (result.status, result.compensated_steps) == (ExecutionStatus.COMPENSATED, ("a", "b"))
    assert [names.count("undo") for names in replicas.asked] == [0, 0]


def test_a_store_that_cannot_tell_is_refused_with_a_code() -> None:
    lab = Lab()

    async def main() -> None:
        with pytest.raises(ReplicationUnsupportedError) as caught:
            await lab.machine(chain(1), settings=REPLICATED).execute()
        assert (caught.value.code, caught.value.retriable) == ("REPLICATION_UNSUPPORTED", False)

    lab.run(main)
    assert lab.tools.calls == []


# --- on real servers -----------------------------------------------------------------------------


@asynccontextmanager
async def clients(*servers: RedisServer) -> AsyncIterator[list[Any]]:
    opened: list[Any] = [Redis.from_url(server.url) for server in servers]
    try:
        yield opened
    finally:
        for client in opened:
            await client.aclose()


@pytest.mark.redis
@pytest.mark.parametrize("appendonly", ["no", "yes"])
def test_a_server_with_and_without_a_replica(
    redis_server: RedisServer, tmp_path: Path, appendonly: str
) -> None:
    folder = tmp_path / "replica"
    folder.mkdir()
    replica_server = RedisServer(str(server_binary()), folder)

    async def main() -> None:
        async with clients(redis_server, replica_server) as (primary, replica):
            await primary.config_set("repl-diskless-sync-delay", 0)
            await primary.config_set("appendonly", appendonly)
            tools, seen = ToolRegistry(), []

            @tools.tool()
            async def pay() -> None:
                (key,) = [name async for name in replica.scan_iter("*:steps:*")]
                seen.append(await replica.hget(key, "0"))

            settings = WorkflowSettings(
                durability=Durability.REPLICATED, replication_timeout_ms=100, resume_delay_ms=0
            )
            store = RedisStore(primary)
            machine = WorkflowMachine("paid", tools, store=store, settings=settings)
            machine.set_plan(plan_of(step("a", tool="pay")))
            with pytest.raises(NotReplicatedError, match="0 of 1"):
                await machine.execute()
            assert seen == []
            replica_server.command(f"REPLICAOF 127.0.0.1 {redis_server.port}")
            while (await replica.info("replication"))["master_link_status"] != "up":  # noqa: ASYNC110 - a state of another process
                await asyncio.sleep(0.02)
            patient = settings.model_copy(update={"replication_timeout_ms": 4_000})
            machine = WorkflowMachine("paid", tools, store=store, settings=patient)
            assert (await machine.execute()).success
            assert len(seen) == 1 and b"in_progress" in seen[0]
            lease = (
                await store.begin("open", "one", 30_000, Beginning(plan=plan_of(step("a"))))
            ).lease
            await store.replicate(lease, 1, 4_000)
            with pytest.raises(NotReplicatedError, match="1 of 2"):
                await store.replicate(lease, 2, 50)
            for other in ({"owner": "two"}, {"version": 2}, {"token": FencingToken(2)}):
                with pytest.raises(LeaseLostError, match="the store lost what was written"):
                    await store.replicate(lease._replace(**other), 1, 4_000)  # type: ignore[arg-type]

    try:
        asyncio.run(main())
    finally:
        replica_server.stop()
