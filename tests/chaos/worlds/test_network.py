"""Without these nobody would know what the engine does on a network that goes silent, for real."""

import asyncio
from dataclasses import replace

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from chaos.case import StorePolicy
from chaos.faults.ledger import Ledger, output_of
from chaos.plans import find_plan
from chaos.port import CallAnswer, Callee, Surroundings
from chaos.unified.port import UnifiedPort
from chaos.worlds.proxy import Action, Proxy
from engine import SeededIdSource, SystemClock
from engine.errors import EngineError

pytestmark = pytest.mark.redis

LEASE_MS = 200
LIVES_MAX = 20


class _Outside(Callee):
    """The tools, on a ledger, without any fault."""

    def __init__(self, plan):
        self.plan, self.ledger = plan, Ledger()

    async def call(self, request, /):
        self.ledger.apply(request, self.plan.tools[request.tool])
        return CallAnswer(success=True, output=output_of(request))

    async def look_up(self, step, key, /):
        return None


async def _life(plan, callee, address, number):
    host, port = address
    client = Redis(
        host=host, port=port, protocol=2, socket_timeout=0.3, retry=Retry(NoBackoff(), 0)
    )
    life = Surroundings(plan, client, callee, SystemClock(), SeededIdSource(number))
    try:
        return (await UnifiedPort(plan).run(life, begin=True)).status
    except EngineError as error:
        return error.code
    finally:
        await client.aclose()


async def _lives(server, action, nth):
    """Run lives until one completes; the first one meets the network's fault."""
    plan = find_plan("chain3")
    plan = replace(plan, settings=plan.settings.model_copy(update={"lease_ms": LEASE_MS}))
    callee, proxy = _Outside(plan), Proxy(server.address)
    address = await proxy.start()
    rule = proxy.add(action, b"EVALSHA", nth=nth)
    told = []
    try:
        while not told or (told[-1] != "COMPLETED" and len(told) < LIVES_MAX):
            told.append(await _life(plan, callee, address, len(told) + 1))
            await asyncio.sleep(LEASE_MS / 1_000 if told[-1] != "COMPLETED" else 0)
    finally:
        await proxy.close()
    return told, callee.ledger, rule


@pytest.mark.parametrize("nth", [1, 2, 4])
@pytest.mark.parametrize("action", [Action.SILENCE, Action.CUT, Action.CUT_REPLY])
def test_a_connection_that_fails_for_real_costs_no_effect(process_world, action, nth):
    server = process_world.server(StorePolicy.ALWAYS)
    server.empty(UnifiedPort.scripts)
    told, ledger, rule = asyncio.run(_lives(server, action, nth))
    assert rule.fired.is_set()
    assert told[0] == "STORE_UNAVAILABLE"
    assert told[-1] == "COMPLETED"
    assert list(ledger.effects.values()) == [1, 1, 1]
