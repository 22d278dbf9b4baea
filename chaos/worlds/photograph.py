"""What a real server holds, read at one moment and behind everybody's back."""

from collections.abc import Sequence
from typing import Any

from chaos.port import Image, StoredKey

SCRIPT = """
local cursor, found = '0', {}
repeat
  local page = redis.call('SCAN', cursor, 'MATCH', ARGV[1], 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local kind = redis.call('TYPE', key)['ok']
    local value = ''
    if kind == 'string' then value = redis.call('GET', key)
    elseif kind == 'hash' then value = redis.call('HGETALL', key)
    elseif kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    elseif kind == 'stream' then value = redis.call('XRANGE', key, '-', '+')
    elseif kind == 'set' then value = redis.call('SMEMBERS', key)
    elseif kind == 'list' then value = redis.call('LRANGE', key, 0, -1)
    end
    found[#found + 1] = {key, kind, redis.call('PTTL', key), value}
  end
until cursor == '0'
local now = redis.call('TIME')
return {now[1], now[2], found}
"""
"""Lua: everything whose key matches ARGV[1]."""


def read_image(reply: Sequence[Any], before: Image) -> Image:
    """Return the image that the script's reply shows.

    Args:
        reply: of `SCRIPT`.
        before: the image before it. The end of a key is known to the millisecond, give or take one;
            a key that has not changed otherwise keeps the end that it had.
    """
    now_ms = int(reply[0]) * 1_000 + int(reply[1]) // 1_000
    image: dict[bytes, StoredKey] = {}
    for key, kind, left_ms, value in reply[2]:
        stored = StoredKey(kind.decode(), _plain(kind, value), now_ms + left_ms)
        if left_ms < 0:
            stored = StoredKey(stored.kind, stored.value)
        known = before.get(key)
        image[key] = known if known is not None and _same(known, stored) else stored
    return image


def _same(one: StoredKey, other: StoredKey) -> bool:
    if (one.kind, one.value) != (other.kind, other.value):
        return False
    if one.expires_ms is None or other.expires_ms is None:
        return one.expires_ms is other.expires_ms
    return abs(one.expires_ms - other.expires_ms) <= ROUNDING_MS


ROUNDING_MS = 5


def _plain(kind: bytes, value: Any) -> Any:
    if kind == b"hash":
        return dict(zip(value[::2], value[1::2], strict=True))
    if kind == b"zset":
        return {member: float(score) for member, score in zip(value[::2], value[1::2], strict=True)}
    if kind == b"stream":
        return tuple((entry, tuple(fields)) for entry, fields in value)
    if kind == b"set":
        return frozenset(value)
    return tuple(value) if isinstance(value, list) else value
