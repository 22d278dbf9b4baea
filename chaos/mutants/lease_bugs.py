"""Mutants of leases, queues and timers: who may work, who looks after an execution, and when."""

from chaos.mutants.mutant import Mutant, bug

_HELD = "  if left > 0 then return {'HELD', tostring(left)} end\n  if ended then"
_HELD_FOR_GOOD = """  if left > 0 then
    redis.call('ZREM', KEYS[5], execution)
    return {'HELD', tostring(left)}
  end
  if ended then"""
_CLAIM = '        """Read everything, and take the lease if it can be read. See `engine.store.Store`."""\n'
_POP = "        await self._client.zrem(self._keys(execution_id)[4], execution_id)\n"
_GRANT_QUEUE = "  redis.call('ZADD', KEYS[5], until_ms, execution)\n  redis.call('HINCRBY'"
_GRANTED = "  return {'GRANTED', redis.call('HGET', KEYS[1], 'fence'), found[3] or ''}"
_TRIED_AGAIN = """                pause_ms = term_ms / LEASE_RENEWALS_PER_TERM
                if asked_ms + pause_ms >= self._held_until_ms:
"""
_GIVEN_UP = """                pause_ms = 1_000 * term_ms
                if asked_ms >= self._held_until_ms:
"""

LEASE_BUGS: tuple[Mutant, ...] = (
    bug(
        "lease-by-stable-name",
        "the lease belongs to a name that all processes share",
        (
            "workflow_machine",
            "        self._owner = self._ids.new_id()\n",
            '        self._owner = "worker"\n',
        ),
        found_by="lease-exclusive",
        kinds=("TWO", "DUP"),
        cases=("chain2/L1@s1.commit+s2.intent#1:TWO/schedule=1.3",),
    ),
    bug(
        "live-execution-adopted",
        "whoever asks takes the lease, although its holder lives",
        ("redis_scripts", _HELD, "  if ended then"),
        found_by="lease-exclusive",
        kinds=("TWO", "DUP"),
        cases=("chain2/L1@s1.commit+s2.intent#1:TWO/schedule=1.3",),
    ),
    bug(
        "unfenced-heartbeat",
        "a superseded process may prolong the lease",
        (
            "redis_scripts",
            "if state[1] ~= ARGV[2] or state[2] ~= ARGV[5] then return {'STALE'} end",
            "if state[2] == '' then return {'STALE'} end",
        ),
        found_by="fenced",
        kinds=("STOP", "Z"),
        plans=("long-call",),
    ),
    bug(
        "no-renewal",
        "the lease is not renewed while a call takes long",
        (
            "checkpointer",
            "return self._clock.call_later_ms(max(0.0, self._patience_ms()), callback)",
            "return self._clock.call_later_ms(1_000 * self._lease_ms, callback)",
        ),
        found_by="lease-kept lease-exclusive",
        plans=("long-call",),
    ),
    bug(
        "renewal-given-up",
        "a renewal that fails once is not tried again",
        ("checkpointer", _TRIED_AGAIN, _GIVEN_UP),
        found_by="lease-kept store-faults-are-told",
        kinds=("E'busy", "E'loading", "B'"),
        plans=("long-call",),
    ),
    bug(
        "queue-popped-before-lease",
        "a resume takes the execution from the queue before it holds the lease",
        ("redis_store", _CLAIM, _CLAIM + _POP),
        found_by="never-stranded ends-in-time",
        kinds=("B", "A"),
        plans=("yields",),
    ),
    bug(
        "lease-not-in-queue",
        "a lease that is taken leaves no entry in the queue",
        ("redis_scripts", _GRANT_QUEUE, "  redis.call('HINCRBY'"),
        found_by="never-stranded",
    ),
    bug(
        "early-resume-dropped",
        "a resume that comes before the yield is durable takes the message with it",
        (
            "redis_scripts",
            _HELD,
            _HELD_FOR_GOOD,
        ),
        found_by="never-stranded ends-in-time",
        kinds=("TWO", "DUP"),
        plans=("chain2", "yields"),
        cases=("chain2/L1@s1.commit+s2.intent#1:TWO/schedule=1.3",),
    ),
    bug(
        "yield-not-due",
        "an execution that yields is not put into the queue",
        (
            "segment",
            "            due=DueAt(due),\n        )\n        return",
            '            due="remove",\n        )\n        return',
        ),
        found_by="never-stranded",
        plans=("yields",),
    ),
    bug(
        "end-stays-due",
        "an execution that ends is left in the queue",
        (
            "segment",
            '            due="remove",\n            expire_s',
            '            due="keep",\n            expire_s',
        ),
        found_by="nothing-left-behind",
    ),
    bug(
        "end-keeps-lease",
        "the last write does not give the lease back",
        ("segment", "            release=True,\n", "            release=False,\n"),
        found_by="nothing-left-behind lease-kept",
        plans=("chain2", "yields"),
    ),
    bug(
        "budget-on-wall-clock",
        "a segment's time is measured on a clock that can be set",
        (
            "segment",
            "        self._started_ms = clock.monotonic_ms()\n",
            "        self._started_ms = clock.now_ms()\n",
        ),
        (
            "segment",
            "        used_ms = self._clock.monotonic_ms() - self._started_ms\n",
            "        used_ms = self._clock.now_ms() - self._started_ms\n",
        ),
        found_by="budget-kept",
        kinds=("JUMP-",),
        plans=("yields",),
    ),
    bug(
        "pause-ignored",
        "a retry does not wait",
        ("retry", "    return round(bounded * (1 - policy.jitter * fraction))", "    return 0"),
        found_by="pauses-kept",
        plans=("retry", "backoff"),
    ),
    bug(
        "cancel-lost-at-takeover",
        "a resume does not hear of a cancel that came before it",
        ("redis_scripts", _GRANTED, _GRANTED.replace("found[3] or ''", "''")),
        ("redis_scripts", "version, state[4] or '',", "version, '',"),
        found_by="cancel-heeded",
        plans=("cancel",),
    ),
)
