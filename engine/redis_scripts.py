"""The Lua scripts of `RedisStore`: one script per kind of transition, all or nothing.

Each gets KEYS run, plan, steps, outbox, due, feed, subscribers; all share one hash tag, so that a
cluster runs them in one slot. Replies are arrays of strings, the first of which says what came of it. Scripts
use strings and integers only, and set no globals: embedded stores differ in everything else.

The time is ARGV's where the caller owns the clock, and the server's (`TIME`) where it is empty.
"""

CLOCK = """
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end
"""
"""Lua: `clock(given)`, the caller's time (epoch milliseconds), or the server's for ''."""

# ARGV of BEGIN and CLAIM: execution id, owner, lease_ms, now, schema version. What another engine
# wrote is not touched, its lease included. What has ended grants no lease and takes no write. A
# lease enters the resume queue at its end, so that an execution whose process died is found. The
# last operation is forgotten with the token that it was written under.
#
# What exists is claimed in two calls: the first shows everything (LOOK), and whoever could read it
# asks again, naming the fencing token and version that were seen. So nobody takes the lease of an
# execution that cannot be read.
_GRANT = """
local function held(owner, now)
  local lease = redis.call('HMGET', KEYS[1], 'lease_owner', 'lease_until_ms', 'ended')
  if lease[3] then return 0, true end
  if not lease[1] or lease[1] == '' or lease[1] == owner then return 0, false end
  return math.max(0, (tonumber(lease[2] or '') or 0) - now), false
end
local function grant(execution, owner, lease_ms, now)
  local until_ms = string.format('%d', now + lease_ms)
  redis.call('ZADD', KEYS[5], until_ms, execution)
  redis.call('HINCRBY', KEYS[1], 'fence', 1)
  redis.call('HSET', KEYS[1], 'lease_owner', owner, 'lease_until_ms', until_ms, 'operation', '')
  redis.call('HDEL', KEYS[1], 'yield_requested')
end
local function everything(word)
  return {word, redis.call('GET', KEYS[2]) or '', redis.call('HGETALL', KEYS[1]),
          redis.call('HGETALL', KEYS[3])}
end
local function claim(execution, owner, lease_ms, now, seen, operation)
  local left, ended = held(owner, now)
  if left > 0 then return {'HELD', tostring(left)} end
  if ended then return everything('OK') end
  local found = redis.call('HMGET', KEYS[1], 'fence', 'version', 'cancel_reason', 'claimed_by')
  if seen ~= '' and found[4] == operation then return {'GRANTED', found[1], found[3] or ''} end
  if seen ~= (found[1] or '') .. ':' .. (found[2] or '') then return everything('LOOK') end
  grant(execution, owner, lease_ms, now)
  redis.call('HSET', KEYS[1], 'claimed_by', operation)
  return {'GRANTED', redis.call('HGET', KEYS[1], 'fence'), found[3] or ''}
end
"""

# Further ARGV: the fencing token and version seen, as '3:17' ('' shows them), and an operation id.
# A claim that is sent twice is granted once.
CLAIM = (
    CLOCK
    + _GRANT
    + """
local known = redis.call('HMGET', KEYS[1], 'digest', 'schema')
if not known[1] then
  if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3]) > 0 then return {'CORRUPT'} end
  return {'MISSING'}
end
if known[2] ~= ARGV[5] then return {'VERSION', known[2] or ''} end
return claim(ARGV[1], ARGV[2], tonumber(ARGV[3]), clock(ARGV[4]), ARGV[6], ARGV[7])
"""
)

# A transition is, from ARGV[first] on: operation (its id, a space, and the owner of the lease), facts,
# then the lists that the facts count: fields set (name, value), fields removed, steps (index, text),
# undone steps (index, text), steps whose undoing
# begins (index), events (text). Facts are one text, parted by spaces: token, version, due ('keep',
# 'remove' or a time), release, expire_s, lease_ms, now, five counts, the bound of the outbox, the
# count of events; expire_s and now may be empty. Lists are handed on in pieces of 500 pairs, because
# Lua's stack is bounded; all events of one piece share one entry of the stream, under their numbers.
# Where there are subscribers the shard's feed gets them too. A lease of which less than half is left
# is prolonged with the write. Whatever a foreign value in a key makes fail is read before the first
# write: a script that fails half way keeps what it wrote.
#
# A token is a count, and a store that loses a grant gives the same one out again: so the owner, which
# is drawn at random, is compared too, and is part of the operation that is remembered.
#
# A step whose undoing has begun has a tombstone among the steps ('!' and its index, with the token
# that set it). A result that comes after it is refused, whoever brings it.
_TRANSITION = """
local operation = ARGV[first]
local token, expected, due, release, expire_s, lease, given, set, removed, steps, undone, undoing,
      bound, events = string.match(ARGV[first + 1],
  '^(%S*) (%S*) (%S*) (%S*) (%S*) (%S*) (%S*) (%S*) (%S*) (%S*) (%S*) (%S*) (%S*) (%S*)$')
local state = redis.call('HMGET', KEYS[1], 'fence', 'version', 'operation', 'cancel_reason',
                         'lease_until_ms', 'ended', 'undoing', 'yield_requested', 'events',
                         'lease_owner')
local function ok(version)
  if state[4] or state[8] then return {'OK', version, state[4] or '', state[8] or ''} end
  return tonumber(version)
end
if not state[1] then return {'MISSING'} end
if state[1] ~= token then return {'STALE', state[1]} end
if state[3] == operation then return ok(state[2]) end
if state[2] ~= expected or state[6] then return {'STALE', state[1]} end
if state[10] ~= string.match(operation, '^%S* (.*)$') then return {'STALE', state[1]} end
local ends_ms = tonumber(state[5] or '')
if not ends_ms then return {'CORRUPT'} end
set, removed, steps, undone, undoing, events =
  set + 0, removed + 0, steps + 0, undone + 0, undoing + 0, events + 0
local keeps = release ~= '1'
local until_ms
if keeps then
  local now, lease_ms = clock(given), tonumber(lease)
  if ends_ms - now < lease_ms / 2 then until_ms = string.format('%d', now + lease_ms) end
end
local followed = redis.call('EXISTS', KEYS[7]) == 1
if steps + undone + undoing > 0 then redis.call('HLEN', KEYS[3]) end
if events > 0 then redis.call('XLEN', KEYS[4]) end
if due ~= 'keep' or until_ms then redis.call('ZCARD', KEYS[5]) end
if followed then redis.call('XLEN', KEYS[6]) end
local at = first + 2
if state[7] then
  local first = at + 2 * set + removed
  for i = first, first + 2 * steps - 1, 2 do
    if redis.call('HEXISTS', KEYS[3], '!' .. ARGV[i]) == 1 then return {'UNDONE', ARGV[i]} end
  end
end
local function pieces(count, width, call)
  local last = at + width * count - 1
  while at <= last do
    local to = math.min(at + 999, last)
    call(at, to)
    at = to + 1
  end
end
local version = string.format('%d', tonumber(state[2]) + 1)
local number = tonumber(state[9] or '') or 0
local head = {'version', version, 'operation', operation, 'events', string.format('%d', number + events)}
local function set_head(name, value)
  head[#head + 1] = name
  head[#head + 1] = value
end
if not keeps then
  set_head('lease_owner', '')
  set_head('lease_until_ms', '0')
elseif until_ms then
  set_head('lease_until_ms', until_ms)
end
if undoing > 0 then set_head('undoing', '1') end
if expire_s ~= '' then set_head('ended', '1') end
for i = at, at + 2 * set - 1, 2 do set_head(ARGV[i], ARGV[i + 1]) end
at = at + 2 * set
redis.call('HSET', KEYS[1], unpack(head))
if removed > 0 then
  pieces(removed, 1, function(i, j) redis.call('HDEL', KEYS[1], unpack(ARGV, i, j)) end)
end
pieces(steps + undone, 2, function(i, j) redis.call('HSET', KEYS[3], unpack(ARGV, i, j)) end)
if undoing > 0 then
  pieces(undoing, 1, function(i, j)
    for k = i, j do redis.call('HSET', KEYS[3], '!' .. ARGV[k], token) end
  end)
end
local last = at + events - 1
for from = at, last, 500 do
  local fields = {}
  for k = from, math.min(from + 499, last) do
    number = number + 1
    fields[#fields + 1] = string.format('%d', number)
    fields[#fields + 1] = ARGV[k]
  end
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', bound, '*', unpack(fields))
  if followed then redis.call('XADD', KEYS[6], '*', unpack(fields)) end
end
if due == 'remove' then redis.call('ZREM', KEYS[5], ARGV[1])
elseif due ~= 'keep' then redis.call('ZADD', KEYS[5], due, ARGV[1]) end
if until_ms then redis.call('ZADD', KEYS[5], until_ms, ARGV[1]) end
if expire_s ~= '' then
  for i = 1, 4 do redis.call('EXPIRE', KEYS[i], expire_s) end
end
return ok(version)
"""

# ARGV: execution id, then the transition.
APPLY = CLOCK + "local first = 2" + _TRANSITION

# ARGV of BEGIN as of CLAIM; further: operation id, digest of the plan, plan, how many texts the fields
# have, fields (name, value), then the first transition, if there is one: it is written by whoever
# creates the execution, under the token and version that its creation gives. Remains of an
# execution without its head are not built upon. What was just created is known to whoever created it,
# and is not read back: what is usual, the first token and no request of others, is told by the version alone.
# A begin that is sent twice is granted once: the first copy may arrive after the second was answered.
BEGIN = (
    CLOCK
    + _GRANT
    + "local function write(first)"
    + _TRANSITION
    + """
end
local first = 10 + tonumber(ARGV[9])
local written = ARGV[first] and 2 or 1
local function created()
  local found = redis.call('HMGET', KEYS[1], 'fence', 'cancel_reason')
  if found[1] == '1' and not found[2] then return written end
  return {'CREATED', found[1], found[2] or '', tostring(written)}
end
local schema, operation, digest, plan = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local owner, lease_ms, now = ARGV[2], tonumber(ARGV[3]), clock(ARGV[4])
local known = redis.call('HMGET', KEYS[1], 'digest', 'begun_by', 'version', 'schema')
if not known[1] then
  if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3]) > 0 then return {'CORRUPT'} end
  redis.call('XLEN', KEYS[4])
  redis.call('ZCARD', KEYS[5])
  redis.call('SET', KEYS[2], plan)
  redis.call('HSET', KEYS[1], 'digest', digest, 'begun_by', operation, 'version', '1',
             'fence', '0', 'schema', schema, unpack(ARGV, 10, first - 1))
elseif known[4] ~= schema then
  return {'VERSION', known[4] or ''}
elseif known[1] ~= digest then
  return {'MISMATCH'}
elseif known[2] ~= operation or known[3] ~= tostring(written) then
  return claim(ARGV[1], owner, lease_ms, now, '', '')
elseif redis.call('HGET', KEYS[1], 'lease_owner') == owner then
  return created()
end
local left = held(owner, now)
if left > 0 then return {'HELD', tostring(left)} end
grant(ARGV[1], owner, lease_ms, now)
if ARGV[first] and not known[1] then write(first) end
return created()
"""
)

# ARGV: execution id, token, lease_ms, now, owner. A renewal that arrives after the lease was given back
# comes too late: it must not move the time of the resume.
RENEW = (
    CLOCK
    + """
local state = redis.call('HMGET', KEYS[1], 'fence', 'lease_owner')
if state[1] ~= ARGV[2] or state[2] ~= ARGV[5] then return {'STALE'} end
local until_ms = string.format('%d', clock(ARGV[4]) + tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'lease_until_ms', until_ms)
redis.call('ZADD', KEYS[5], until_ms, ARGV[1])
return {'OK'}
"""
)

# ARGV: execution id, reason, now, schema version. An execution that nobody works on becomes due at once.
REQUEST_CANCEL = (
    CLOCK
    + """
local state = redis.call('HMGET', KEYS[1], 'fence', 'ended', 'lease_owner', 'schema')
if not state[1] or state[2] then return {'NO'} end
if state[4] ~= ARGV[4] then return {'VERSION', state[4] or ''} end
redis.call('ZCARD', KEYS[5])
redis.call('HSET', KEYS[1], 'cancel_reason', ARGV[2])
if not state[3] or state[3] == '' then
  redis.call('ZADD', KEYS[5], string.format('%d', clock(ARGV[3])), ARGV[1])
end
return {'OK'}
"""
)

# ARGV: execution id, now, schema version. Asks the holder of the lease; the next one is not asked.
REQUEST_YIELD = (
    CLOCK
    + """
local head = redis.call('HMGET', KEYS[1], 'schema', 'ended', 'lease_owner', 'lease_until_ms')
if head[1] and head[1] ~= ARGV[3] then return {'VERSION', head[1]} end
if head[2] or (head[3] or '') == '' then return {'NO'} end
if (tonumber(head[4] or '') or 0) <= clock(ARGV[2]) then return {'NO'} end
redis.call('HSET', KEYS[1], 'yield_requested', '1')
return {'OK'}
"""
)

# No ARGV: everything of one moment.
LOAD = """
return {redis.call('HGETALL', KEYS[1]), redis.call('GET', KEYS[2]) or '',
        redis.call('HGETALL', KEYS[3])}
"""

BY_NAME = {
    "begin": BEGIN,
    "claim": CLAIM,
    "apply": APPLY,
    "renew": RENEW,
    "request_cancel": REQUEST_CANCEL,
    "request_yield": REQUEST_YIELD,
    "load": LOAD,
}
