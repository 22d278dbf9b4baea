"""Mutants that only a loss of acknowledged writes reveals, and those of keys and of order."""

from chaos.mutants.mutant import Mutant, bug
from chaos.mutants.protocol_bugs import OWNER_COMPARED, TURN

_LOST_INTENT = (
    "replicated/L1@begin#1:CUT=1/policy=everysec",
    "replicated/L1@begin#1:FAILOVER=1/policy=failover",
)
_WRITTEN = (
    "            await self._checkpointer.commit(steps=changes.steps, events=changes.events)\n"
)
_WAITING = f"{_WRITTEN}\n    async def _follow"
_NOT_WAITED_FOR = """            asyncio.get_running_loop().create_task(
                self._checkpointer.commit(steps=changes.steps, events=changes.events)
            )

    async def _follow"""

DURABILITY_BUGS: tuple[Mutant, ...] = (
    bug(
        "no-barrier-before-once",
        "what must be called at most once is called before its intent is replicated",
        (
            "batch",
            "        await self._replicate(intents)\n        return",
            "        return",
        ),
        found_by="effects-as-promised",
        kinds=("CUT", "FAILOVER"),
        plans=("replicated",),
        cases=_LOST_INTENT,
    ),
    bug(
        "barrier-not-read-back",
        "the barrier does not look whether what was written is still there",
        (
            "redis_store",
            "        if not redis_wire.is_kept(lease, redis_wire.as_text(found)):\n",
            "        if found is None:\n",
        ),
        found_by="effects-as-promised",
        kinds=("CUT", "FAILOVER"),
        plans=("replicated",),
        cases=_LOST_INTENT,
    ),
    bug(
        "no-barrier-before-undoing",
        "the first compensation is called before the rollback is replicated",
        ("rollback", "            if not replicated:\n", "            if not self._order:\n"),
        found_by="saga-balanced",
        kinds=("CUT",),
        plans=("replicated-flaky",),
        cases=("replicated-flaky/L1@s2.commit+s1.undoing#1:CUT=1/policy=everysec",),
    ),
    bug(
        "token-is-but-a-count",
        "a write does not name its owner: a token that was lost and given out again has two",
        ("redis_scripts", OWNER_COMPARED, ""),
        found_by="token-of-one-holder",
        kinds=("CUT", "TWO"),
        plans=("at-most-once",),
        cases=(
            "at-most-once/L1@begin#1:CUT=1/L1@s1.intent#1:TWO/retries=10/policy=everysec/schedule=1.3",
        ),
    ),
    bug(
        "results-out-of-order",
        "results of one batch are written at the same time, each as if it were the only one",
        ("batch", _WAITING, _NOT_WAITED_FOR),
        ("checkpointer", TURN, ""),
        ("checkpointer", "            self._turn.release()\n", "            pass\n"),
        found_by="events-with-their-state store-faults-are-told",
        kinds=("D'", "B'"),
        plans=("saga-parallel",),
        retries=(10,),
    ),
    bug(
        "keys-of-two-slots",
        "the queue's key has no hash tag, so that no cluster runs the scripts",
        (
            "redis_store",
            '        return f"{{{self._prefix}:{shard:02d}}}:due"\n',
            '        return f"{self._prefix}:{shard:02d}:due"\n',
        ),
        found_by="keys-of-one-slot",
    ),
)
