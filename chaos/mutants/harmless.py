"""Changes that no promise speaks of. A suite that finds one of them finds what is not there."""

from chaos.mutants.mutant import Mutant, Patch

PLANS = ("chain2", "chain3+comp", "yields", "confirmation", "saga-parallel", "queryable")


def _harmless(name: str, story: str, module: str, search: str, replacement: str) -> Mutant:
    patch = Patch(f"engine.{module}", search, replacement)
    return Mutant(name, story, (patch,), plans=PLANS, harmless=True)


_GRANT = "  redis.call('ZADD', KEYS[5], until_ms, execution)\n  redis.call('HINCRBY', KEYS[1], 'fence', 1)\n"

HARMLESS: tuple[Mutant, ...] = (
    _harmless(
        "one-more-read",
        "each claim reads the execution once more before",
        "redis_store",
        '        reply = await self._ask(execution_id, owner, lease_ms, "")\n        return',
        "        await self._client.hget(self._keys(execution_id)[0], 'fence')\n"
        '        reply = await self._ask(execution_id, owner, lease_ms, "")\n        return',
    ),
    _harmless(
        "longer-pause-before-undoing-again",
        "a failed compensation waits longer",
        "limits",
        "COMPENSATION_BACKOFF_MS = 200\n",
        "COMPENSATION_BACKOFF_MS = 700\n",
    ),
    _harmless(
        "later-resume",
        "an execution that yields is due later",
        "limits",
        "RESUME_DELAY_MS = 2_000\n",
        "RESUME_DELAY_MS = 9_000\n",
    ),
    _harmless(
        "more-renewals",
        "the lease is renewed more often",
        "limits",
        "LEASE_RENEWALS_PER_TERM = 3\n",
        "LEASE_RENEWALS_PER_TERM = 5\n",
    ),
    _harmless(
        "writes-swapped",
        "two writes of one script change places",
        "redis_scripts",
        _GRANT,
        "".join(reversed(_GRANT.splitlines(keepends=True))),
    ),
    _harmless(
        "keys-renamed",
        "all keys have another prefix",
        "redis_store",
        '        prefix: str = "planproof",\n',
        '        prefix: str = "pp",\n',
    ),
    _harmless(
        "field-added",
        "the head has one field more",
        "redis_wire",
        '        "segment_number": "0",\n',
        '        "segment_number": "0",\n        "note": "of nobody\'s concern",\n',
    ),
    _harmless(
        "detail-added",
        "each event says more",
        "checkpointer",
        '                "detail": dict(detail) if detail else {},\n',
        '                "detail": {"note": "of nobody\'s concern", **(detail or {})},\n',
    ),
    _harmless(
        "message-reworded",
        "an error has another message",
        "segment",
        'message="One or more steps failed"',
        'message="At least one step failed"',
    ),
)
