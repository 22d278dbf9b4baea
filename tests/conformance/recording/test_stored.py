"""Scenarios of a store's own keys: what the store does not keep must not be made up."""

import asyncio
import json

import pytest

from conformance.cli import run
from conformance.recording import stored
from conformance.runner import run_scenario
from conformance.scenario import read_scenarios
from conformance.scenario_builder import ScenarioBuilder, fails, raises, reference, succeeds
from conformance.subject import executor
from conformance.subjects.legacy import LegacySubject
from engine.redis_store import RedisStore
from engine.tools import ToolResult

from .conftest import REFUSED, Shop, record_unified, scenario_of


@pytest.fixture
def server(monkeypatch):
    """An embedded server in place of the one that a URL names."""
    from fakeredis import FakeAsyncRedis, FakeServer

    server = FakeServer()

    def client(_url=None):
        return FakeAsyncRedis(server=server, decode_responses=True)

    monkeypatch.setattr(stored, "open_client", client)
    return client


def _legacy_state(scenario):
    """Return key and value of the state that legacy leaves of `scenario`."""
    kept = {}

    class Keeping(LegacySubject):
        async def state(self, execution_id):
            key = stored.LEGACY_PREFIX + execution_id
            with self._store.offstage():
                kept[key] = await self._store.get(key)
            return await super().state(execution_id)

    name = f"keeping-{scenario.name}"
    executor(name)(Keeping)
    return kept, run_scenario(scenario, name)


def _put(client, kept):
    async def put():
        opened = client()
        for key, value in kept.items():
            await opened.set(key, value)
        await opened.aclose()

    asyncio.run(put())


def _from_redis(tmp_path, *options):
    out = tmp_path / "scenarios.jsonl"
    code = run(["record", "from-redis", "--store", "redis://h/0", "--out", str(out), *options])
    return code, list(read_scenarios(out)) if out.exists() else []


def _outcomes(trace):
    return [
        (step["id"], step["status"], step["output"], step["error_message"])
        for step in trace["steps"]
    ]


@pytest.mark.parametrize("charge", [None, REFUSED, raises("no route to the bank")])
def test_a_legacy_state_is_replayed_to_the_same_steps(tmp_path, server, charge, capsys):
    kept, trace = _legacy_state(scenario_of("stored", charge=charge))
    _put(server, kept)
    code, (scenario,) = _from_redis(tmp_path)
    assert code == 0
    again = run_scenario(scenario, "legacy")
    hidden = json.loads(json.dumps(_outcomes(trace)).replace("s3cret-token", "[redacted]"))
    assert json.loads(json.dumps(_outcomes(again))) == hidden
    out = str(tmp_path / "scenarios.jsonl")
    assert "s3cret" not in (tmp_path / "scenarios.jsonl").read_text()
    assert run(["diff", "--scenarios", out, "--findings", str(tmp_path / "found")]) == 0
    capsys.readouterr()


@pytest.mark.parametrize("is_paying", [True, False])
def test_a_unified_state_is_replayed_to_the_same_steps(tmp_path, server, is_paying):
    scenario, shop = scenario_of("stored-unified"), Shop(is_paying=is_paying)

    async def main():
        client = server()
        store = RedisStore(client, prefix="shop*", clock=None)
        result = await record_unified(tmp_path / "r.jsonl", scenario, shop, store)
        await client.aclose()
        return result

    result = asyncio.run(main())
    code, (found,) = _from_redis(tmp_path, "--prefix", "shop*")
    assert code == 0
    again = run_scenario(found, "unified")
    assert [step["status"] for step in again["steps"]] == [str(s.status) for s in result.steps]
    assert sorted(call["tool"] for call in again["calls"]) == sorted(name for name, _ in shop.calls)
    assert _from_redis(tmp_path, "--prefix", "shop")[0] == 4, "a prefix is no pattern"


def _retried():
    return (
        ScenarioBuilder("retried")
        .step("a", tool="t", retry_policy={"max_attempts": 2, "backoff_ms": 0})
        .tool("t", fails("503 not now"), succeeds({}))
        .build()
    )


def test_outcomes_of_earlier_attempts_are_missing(tmp_path, server, capsys):
    answers = [ToolResult.failed("timeout"), ToolResult.ok({})]

    class Flaky:
        async def execute(self, call):
            return answers.pop(0)

    class Shelf:
        registry = Flaky()

    async def main():
        client = server()
        store = RedisStore(client)
        result = await record_unified(tmp_path / "r.jsonl", _retried(), Shelf(), store)
        await client.aclose()
        return result

    assert asyncio.run(main()).success
    assert _from_redis(tmp_path) == (4, [])
    assert "the outcomes of its first 1 attempts" in capsys.readouterr().out


def _edit(kept, edit):
    ((key, text),) = kept.items()
    document = json.loads(text)
    edit(document["data"])
    return {key: json.dumps(document)}


def _under_way(data):
    data["step_states"][1] |= {"status": "in_progress"}


def _not_begun(data):
    data["step_states"][1] = {
        "step_id": data["step_states"][1]["step_id"],
        "status": "pending",
        "attempts": 0,
    }


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (_under_way, "is in_progress: its outcome is not in the store"),
        (_not_begun, "status 'pending', in a replay 'completed'"),
        (lambda data: data.pop("plan"), "its plan is not in the store"),
        (lambda data: data.update(step_states=5), "its state cannot be read"),
    ],
)
def test_a_missing_fact_is_named(tmp_path, server, edit, said, capsys):
    kept, _ = _legacy_state(scenario_of("missing"))
    _put(server, _edit(kept, edit))
    assert _from_redis(tmp_path) == (4, [])
    assert said in capsys.readouterr().out


def test_calls_of_one_tool_are_put_in_their_order(tmp_path, server):
    scenario = (
        ScenarioBuilder("one-tool")
        .step("z", tool="t")
        .step("y", tool="t", after=["z"], parameters={"n": reference("z", "n")})
        .tool("t", succeeds({"n": 1}, latency_ms=7), succeeds({"n": 2}, latency_ms=5))
        .build()
    )
    kept, _ = _legacy_state(scenario)
    _put(server, kept)
    code, (found,) = _from_redis(tmp_path)
    assert code == 0
    assert [outcome.output for outcome in found.outcomes["t"]] == [{"n": 1}, {"n": 2}]


def test_an_empty_store_is_no_pass(tmp_path, server, capsys):
    assert _from_redis(tmp_path) == (4, [])
    assert "there is no execution" in capsys.readouterr().err


@pytest.mark.parametrize(("url", "code"), [("nonsense", 2), ("redis://127.0.0.1:1/0", 3)])
def test_a_store_that_is_none_or_not_there(tmp_path, capsys, url, code):
    out = str(tmp_path / "o.jsonl")
    assert run(["record", "from-redis", "--store", url, "--out", out]) == code
    error = capsys.readouterr().err
    assert error.startswith("planproof: --store: ")
    assert error.count("\n") == 1


@pytest.mark.redis
def test_a_real_server_with_the_states_of_both_is_read_and_left_as_it_was(tmp_path, redis_server):
    from redis.asyncio import Redis

    kept, _ = _legacy_state(scenario_of("real-legacy"))
    charged = scenario_of("real-unified")

    async def main():
        client = Redis.from_url(redis_server.url)
        for key, value in kept.items():
            await client.set(key, value)
        store = RedisStore(client)
        await record_unified(tmp_path / "r.jsonl", charged, Shop(), store)
        keys = sorted(await client.keys("*"))
        await client.aclose()
        return keys

    before = asyncio.run(main())
    out = tmp_path / "scenarios.jsonl"
    arguments = ["record", "from-redis", "--store", redis_server.url, "--out", str(out)]
    assert run(arguments) == 0
    abouts = {scenario.about for scenario in read_scenarios(out)}
    assert abouts == {f"A run on {name} as its store had it." for name in ("legacy", "unified")}

    async def keys():
        client = Redis.from_url(redis_server.url)
        found = sorted(await client.keys("*"))
        await client.aclose()
        return found

    assert asyncio.run(keys()) == before
    assert run(["diff", "--scenarios", str(out), "--findings", str(tmp_path / "found")]) == 0
