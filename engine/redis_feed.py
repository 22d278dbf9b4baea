"""The feed in Redis: a stream a shard, beside the executions whose events it has."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from engine.errors import CheckpointCorruptError, SubscriberUnknownError
from engine.events import Event
from engine.feed import FeedEntry, FeedPosition, SequencedEvent, Turn
from engine.redis_scripts import CLOCK

# KEYS of all: subscribers (name -> position), feed, turn. Positions are ids of stream entries.
_POSITIONS = """
local function numbers(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local function before(a, b)
  local ams, aseq = numbers(a)
  local bms, bseq = numbers(b)
  return ams < bms or (ams == bms and aseq < bseq)
end
local function trim()
  local first = nil
  for _, position in ipairs(redis.call('HVALS', KEYS[1])) do
    if not first or before(position, first) then first = position end
  end
  if not first then
    redis.call('DEL', KEYS[2])
  elseif first ~= '0-0' then
    local ms, seq = numbers(first)
    redis.call('XTRIM', KEYS[2], 'MINID', '=', string.format('%d-%d', ms, seq + 1))
  end
end
"""

# ARGV: subscriber. What was there before is not theirs.
SUBSCRIBE = """
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return {'OK'} end
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
redis.call('HSET', KEYS[1], ARGV[1], last[1] and last[1][1] or '0-0')
return {'OK'}
"""

# ARGV: subscriber.
UNSUBSCRIBE = (
    _POSITIONS
    + """
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[3])
trim()
return {'OK'}
"""
)

# ARGV: subscriber, owner, lease_ms, now ('' for the server's own).
TAKE_TURN = (
    CLOCK
    + """
local position = redis.call('HGET', KEYS[1], ARGV[1])
if not position then return {'UNKNOWN'} end
local turn = redis.call('HMGET', KEYS[3], 'owner', 'until_ms')
local now = clock(ARGV[4])
if turn[1] and turn[1] ~= '' and turn[1] ~= ARGV[2] and tonumber(turn[2]) > now then
  return {'HELD'}
end
local until_ms = string.format('%d', now + tonumber(ARGV[3]))
redis.call('HSET', KEYS[3], 'owner', ARGV[2], 'until_ms', until_ms)
return {'OK', position, tostring(redis.call('HINCRBY', KEYS[3], 'token', 1))}
"""
)

# ARGV: subscriber, token, position, lease_ms, now, release. A position never goes back.
ADVANCE = (
    CLOCK
    + _POSITIONS
    + """
local known = redis.call('HGET', KEYS[1], ARGV[1])
if not known or redis.call('HGET', KEYS[3], 'token') ~= ARGV[2] then return {'STALE'} end
if before(known, ARGV[3]) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  trim()
end
if ARGV[6] == '1' then redis.call('HSET', KEYS[3], 'owner', '')
else
  local until_ms = string.format('%d', clock(ARGV[5]) + tonumber(ARGV[4]))
  redis.call('HSET', KEYS[3], 'until_ms', until_ms)
end
return {'OK'}
"""
)

# ARGV: subscriber, position, limit.
READ = "return redis.call('XRANGE', KEYS[2], '(' .. ARGV[2], '+', 'COUNT', ARGV[3])"

Run: TypeAlias = Callable[[str, str, list[str], list[str]], Awaitable[list[Any]]]
"""Runs a script: what it is about, its text, its keys, its arguments."""


class RedisFeed:
    """`engine.feed.Feed` of the executions of one `RedisStore`, which makes it."""

    def __init__(self, tags: list[str], run: Run, now: Callable[[], str]) -> None:
        """Read the streams of the hash tags `tags`."""
        self._tags = tags
        self._run = run
        self._now = now

    @property
    def shards(self) -> int:
        """How many streams there are."""
        return len(self._tags)

    async def subscribe(self, subscriber: str) -> None:
        """Begin to keep events. See `engine.feed.Feed`."""
        for shard in range(self.shards):
            await self._call(SUBSCRIBE, shard, subscriber, [])

    async def unsubscribe(self, subscriber: str) -> None:
        """Forget the subscriber. See `engine.feed.Feed`."""
        for shard in range(self.shards):
            await self._call(UNSUBSCRIBE, shard, subscriber, [])

    async def take_turn(
        self, shard: int, subscriber: str, owner: str, lease_ms: int
    ) -> Turn | None:
        """Take the right to read a shard. See `engine.feed.Feed`."""
        arguments = [owner, str(lease_ms), self._now()]
        reply = await self._call(TAKE_TURN, shard, subscriber, arguments)
        if reply[0] == "UNKNOWN":
            raise SubscriberUnknownError(f"nobody subscribed as {subscriber!r}")
        if reply[0] == "HELD":
            return None
        return Turn(shard, subscriber, int(reply[2]), FeedPosition(reply[1]))

    async def read(self, turn: Turn, limit: int) -> list[FeedEntry]:
        """Read entries. See `engine.feed.Feed`."""
        key = self._keys(turn.shard, turn.subscriber)[1]
        reply = await self._call(READ, turn.shard, turn.subscriber, [turn.position, str(limit)])
        try:
            return [_entry(position, fields) for position, fields in reply]
        except ValueError as error:
            reason = str(error).splitlines()[0]
            raise CheckpointCorruptError(f"{key}: an entry cannot be read: {reason}") from None

    async def advance(
        self, turn: Turn, position: FeedPosition, lease_ms: int, *, release: bool
    ) -> bool:
        """Note what has been seen. See `engine.feed.Feed`."""
        flag = "1" if release else "0"
        arguments = [str(turn.token), position, str(lease_ms), self._now(), flag]
        reply = await self._call(ADVANCE, turn.shard, turn.subscriber, arguments)
        return bool(reply[0] == "OK")

    def _keys(self, shard: int, subscriber: str) -> list[str]:
        tag = self._tags[shard]
        return [f"{tag}:subscribers", f"{tag}:feed", f"{tag}:turn:{subscriber}"]

    async def _call(
        self, script: str, shard: int, subscriber: str, arguments: list[str]
    ) -> list[Any]:
        keys = self._keys(shard, subscriber)
        return await self._run(f"feed {shard}", script, keys, [subscriber, *arguments])


def _entry(position: str, flat: list[str]) -> FeedEntry:
    pairs = zip(flat[::2], flat[1::2], strict=True)
    events = [
        SequencedEvent(int(number), Event.model_validate_json(text)) for number, text in pairs
    ]
    return FeedEntry(FeedPosition(position), events)
