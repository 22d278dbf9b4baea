"""The resume queues in Redis: one sorted set a shard, written by the scripts of the executions."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeAlias

from engine import codec
from engine.errors import EngineError, InvalidExecutionIdError
from engine.identity import check_execution_id
from engine.redis_scripts import CLOCK
from engine.resume_queue import Backlog

# KEYS: due. ARGV: now, limit, hide_ms, overdue_ms. Ids come as hexadecimal digits: foreign bytes
# among them must not keep the others from being read. A member is only moved, never made: what is
# removed meanwhile stays removed, and every later write of the execution sets its own time.
TAKE = (
    CLOCK
    + """
local now = clock(ARGV[1])
local before = string.format('%d', now - tonumber(ARGV[4]))
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', before, 'LIMIT', '0', ARGV[2])
local hidden = string.format('%d', now + tonumber(ARGV[3]))
for i, name in ipairs(found) do
  redis.call('ZADD', KEYS[1], 'XX', hidden, name)
  found[i] = string.gsub(name, '.', function(c) return string.format('%02x', string.byte(c)) end)
end
return found
"""
)

# KEYS of an execution. ARGV: execution id, now, delay_ms. What has ended, or has left nothing at all,
# is due no more; remains without a head are for a person to look at.
POSTPONE = (
    CLOCK
    + """
local head = redis.pcall('HMGET', KEYS[1], 'ended', 'lease_owner', 'lease_until_ms')
local now = clock(ARGV[2])
if head.err then head = {} end
if head[1] or redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3]) == 0 then
  redis.call('ZREM', KEYS[5], ARGV[1])
  return {'GONE'}
end
if head[2] and head[2] ~= '' and (tonumber(head[3] or '') or 0) > now then return {'HELD'} end
local due = redis.call('ZSCORE', KEYS[5], ARGV[1])
local later = now + tonumber(ARGV[3])
if due and tonumber(due) < later then
  redis.call('ZADD', KEYS[5], string.format('%d', later), ARGV[1])
end
return {'OK'}
"""
)

# KEYS: due. ARGV: now.
BACKLOG = (
    CLOCK
    + """
local now = clock(ARGV[1])
local first = redis.call('ZRANGE', KEYS[1], '0', '0', 'WITHSCORES')
local lag = math.max(0, now - (tonumber(first[2] or '') or now))
return {tostring(redis.call('ZCOUNT', KEYS[1], '-inf', string.format('%d', now))),
        string.format('%d', lag)}
"""
)

# KEYS: swept. ARGV: now, interval_ms.
TAKE_TURN = (
    CLOCK
    + """
local now, next_ms = clock(ARGV[1]), tonumber(redis.call('GET', KEYS[1]) or '0') or 0
if now < next_ms then return {'LATER'} end
redis.call('SET', KEYS[1], string.format('%d', now + tonumber(ARGV[2])))
return {'OK'}
"""
)

# KEYS: due, then heads of the shard. ARGV: now, schema version, then their ids. A lease that runs, or
# ran out unnoticed, is due at its end; a timer at its time; everything else now. One that waits for a
# person is due only where a cancel, or a lookup that failed, says so.
RESTORE = (
    CLOCK
    + """
local now, restored = clock(ARGV[1]), 0
for i = 2, #KEYS do
  local id = ARGV[i + 1]
  local head = redis.pcall('HMGET', KEYS[i], 'schema', 'ended', 'lease_owner', 'lease_until_ms',
                           'due_at_ms', 'waiting_for', 'cancel_reason')
  if not head.err and head[1] == ARGV[2] and not head[2] then
    local at = tonumber(head[5] or '')
    if head[3] and head[3] ~= '' then at = tonumber(head[4] or '') or now
    elseif head[7] or not (at or head[6]) then at = now end
    if at and not redis.call('ZSCORE', KEYS[1], id) then
      redis.call('ZADD', KEYS[1], string.format('%d', at), id)
      restored = restored + 1
    end
  end
end
return {tostring(restored)}
"""
)

HEADS_AT_ONCE = 200
"""Heads that one script looks at: it blocks the server for less than a millisecond."""

Evaluate: TypeAlias = Callable[[str, str, list[str], list[str]], Awaitable[list[Any]]]
"""Runs a script: what it is about, its text, its keys, its arguments."""
Scan: TypeAlias = Callable[[str], AsyncIterator[Any]]
"""Yields the keys of one kind of all executions, wherever in a cluster."""


class RunScript(Protocol):
    """Runs a script on the keys of one execution; see `RedisStore.run_script`."""

    async def __call__(
        self, execution_id: str, script: str, arguments: Sequence[str], /
    ) -> list[Any]:
        """Run it."""


class RedisDueQueue:
    """`engine.resume_queue.DueQueue` of the executions of one `RedisStore`, which makes it."""

    def __init__(
        self,
        tags: list[str],
        evaluate: Evaluate,
        run_script: RunScript,
        scan: Scan,
        now: Callable[[], str],
    ) -> None:
        """Read the queues of the hash tags `tags`."""
        self._tags = tags
        self._evaluate = evaluate
        self._run_script = run_script
        self._scan = scan
        self._now = now
        self._next_shard = 0

    async def take(self, limit: int, hide_ms: int, *, overdue_ms: int = 0) -> list[str]:
        """Take what is due, each time beginning with another shard. See `DueQueue`."""
        taken: list[str] = []
        shards = len(self._tags)
        begin, self._next_shard = self._next_shard, (self._next_shard + 1) % shards
        for shard in (*range(begin, shards), *range(begin)):
            if len(taken) >= limit:
                break
            facts = [self._now(), str(limit - len(taken)), str(hide_ms), str(overdue_ms)]
            key = f"{self._tags[shard]}:due"
            try:
                found = await self._evaluate(f"queue {key}", TAKE, [key], facts)
            except EngineError:
                if taken:  # what is hidden already must be worked on; the fault shows next time
                    break
                raise
            taken += [name for digits in found if (name := _execution_id(bytes.fromhex(digits)))]
        return taken

    async def postpone(self, execution_id: str, delay_ms: int) -> bool:
        """Move or forget one. See `DueQueue`."""
        reply = await self._run_script(execution_id, POSTPONE, [str(delay_ms)])
        return bool(reply[0] != "GONE")

    async def backlog(self) -> Backlog:
        """Look at each shard. See `DueQueue`."""
        due = lag_ms = 0
        for tag in self._tags:
            key = f"{tag}:due"
            reply = await self._evaluate(f"queue {key}", BACKLOG, [key], [self._now()])
            due += int(reply[0])
            lag_ms = max(lag_ms, int(reply[1]))
        return Backlog(due, lag_ms)

    async def restore(self, interval_ms: int) -> int | None:
        """Look at every head. See `DueQueue`."""
        turn = f"{self._tags[0]}:swept"
        reply = await self._evaluate(
            f"queue {turn}", TAKE_TURN, [turn], [self._now(), str(interval_ms)]
        )
        if reply[0] != "OK":
            return None
        restored = 0
        seen: dict[str, list[str]] = {tag: [] for tag in self._tags}
        async for key in self._scan("run"):
            tag, execution_id = _parts(key)
            if tag not in seen or not execution_id:
                continue
            seen[tag].append(execution_id)
            if len(seen[tag]) >= HEADS_AT_ONCE:
                restored += await self._restore(tag, seen[tag])
                seen[tag] = []
        for tag, ids in seen.items():
            if ids:
                restored += await self._restore(tag, ids)
        return restored

    async def _restore(self, tag: str, ids: list[str]) -> int:
        keys = [f"{tag}:due", *(f"{tag}:run:{execution_id}" for execution_id in ids)]
        facts = [self._now(), codec.SCHEMA_VERSION, *ids]
        reply = await self._evaluate(f"queue {keys[0]}", RESTORE, keys, facts)
        return int(reply[0])


def _parts(key: Any) -> tuple[str, str]:
    raw = key if isinstance(key, bytes) else str(key).encode(errors="replace")
    tag, _, name = raw.partition(b":run:")
    return tag.decode(errors="replace"), _execution_id(name)


def _execution_id(raw: bytes) -> str:
    """Return the id; '' for bytes that are no id of ours."""
    try:
        name = raw.decode()
        check_execution_id(name)
    except (UnicodeDecodeError, InvalidExecutionIdError):
        return ""
    return name
