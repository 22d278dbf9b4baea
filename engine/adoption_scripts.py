"""The Lua scripts of the cutover: one execution changes executors, all or nothing.

KEYS 1 to 7 are those of `engine.redis_scripts`; 8 is the execution's cutover key (whose value is
the executor that it belongs to), and 9 to 13 are the legacy executor's: task record, execution
state, scheduled item, schedule, queue. The legacy keys have no hash tag, so that these scripts
need a server that holds all keys: no cluster. ARGV begins with execution id and time.
"""

from engine.redis_scripts import CLOCK

_TELL = """
local function tell(text)
  local number = string.format('%d', redis.call('HINCRBY', KEYS[1], 'events', 1))
  redis.call('XADD', KEYS[4], '*', number, text)
  if redis.call('EXISTS', KEYS[7]) == 1 then redis.call('XADD', KEYS[6], '*', number, text) end
end
local function check_types()
  redis.call('HLEN', KEYS[3])
  redis.call('XLEN', KEYS[4])
  redis.call('ZCARD', KEYS[5])
  redis.call('XLEN', KEYS[6])
  redis.call('ZCARD', KEYS[12])
  redis.call('ZCARD', KEYS[13])
end
"""

# Everything of one moment, of both executors. No further ARGV.
LOOK = (
    CLOCK
    + """
return {string.format('%d', clock(ARGV[2])), redis.call('HGETALL', KEYS[1]),
        redis.call('GET', KEYS[2]) or '', redis.call('HGETALL', KEYS[3]),
        redis.call('GET', KEYS[9]) or '', redis.call('GET', KEYS[10]) or '',
        redis.call('GET', KEYS[11]) or '', redis.call('ZSCORE', KEYS[12], ARGV[1]) or ''}
"""
)

# Further ARGV: operation id, schema, schema of what was handed back, digest, plan, task record and
# state as seen, both as they become (the record '' if there is none), TTL of a state that was not
# there, due time, TTL of the cutover key, the event, number of fields, then fields of the head
# (name, value) and steps (index, text). An execution that came back from here keeps its fencing
# token, which must never sink, and its outbox.
ADOPT = (
    CLOCK
    + _TELL
    + """
local known = redis.call('HMGET', KEYS[1], 'digest', 'schema', 'begun_by', 'fence', 'version',
                         'events')
if known[1] and known[2] == ARGV[4] then
  return {known[3] == ARGV[3] and 'ADOPTED' or 'KNOWN'}
end
if known[1] and known[2] ~= ARGV[5] then return {'VERSION', known[2] or ''} end
if not known[1] and redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3]) > 0 then return {'CORRUPT'} end
if (redis.call('GET', KEYS[9]) or '') ~= ARGV[8] then return {'CHANGED'} end
if (redis.call('GET', KEYS[10]) or '') ~= ARGV[9] then return {'CHANGED'} end
check_types()
redis.call('DEL', KEYS[1], KEYS[3])
redis.call('SET', KEYS[2], ARGV[7])
redis.call('HSET', KEYS[1], 'digest', ARGV[6], 'begun_by', ARGV[3], 'schema', ARGV[4],
           'fence', known[4] or '0', 'events', known[6] or '0',
           'version', string.format('%d', (tonumber(known[5] or '') or 0) + 1))
local first, fields = 17, tonumber(ARGV[16])
for i = first, #ARGV, 2 do
  redis.call('HSET', i < first + 2 * fields and KEYS[1] or KEYS[3], ARGV[i], ARGV[i + 1])
end
redis.call('PERSIST', KEYS[4])
redis.call('ZADD', KEYS[5], ARGV[13], ARGV[1])
if ARGV[10] ~= '' then redis.call('SET', KEYS[9], ARGV[10], 'KEEPTTL') end
if ARGV[9] ~= '' then redis.call('SET', KEYS[10], ARGV[11], 'KEEPTTL')
else redis.call('SETEX', KEYS[10], ARGV[12], ARGV[11]) end
redis.call('DEL', KEYS[11])
redis.call('ZREM', KEYS[12], ARGV[1])
redis.call('ZREM', KEYS[13], ARGV[1])
redis.call('SETEX', KEYS[8], ARGV[14], 'unified')
tell(ARGV[15])
return {'ADOPTED'}
"""
)

# Further ARGV: operation id, schema, schema of what is handed back, fencing token and version seen,
# task record, state, scheduled item, TTL of record and state, TTL of the item, due time, retention,
# TTL of the cutover key, the event, priority in the queue.
HAND_BACK = (
    CLOCK
    + _TELL
    + """
local now = clock(ARGV[2])
local run = redis.call('HMGET', KEYS[1], 'schema', 'fence', 'version', 'lease_owner',
                       'lease_until_ms', 'ended', 'handed_by')
if run[1] == ARGV[5] then return {run[7] == ARGV[3] and 'HANDED' or 'BACK'} end
if run[1] ~= ARGV[4] or run[2] ~= ARGV[6] or run[3] ~= ARGV[7] or run[6] then return {'CHANGED'} end
local left = (tonumber(run[5] or '') or 0) - now
if run[4] and run[4] ~= '' and left > 0 then return {'HELD', string.format('%d', left)} end
check_types()
redis.call('HINCRBY', KEYS[1], 'fence', 1)
redis.call('HSET', KEYS[1], 'schema', ARGV[5], 'handed_by', ARGV[3], 'lease_owner', '',
           'lease_until_ms', '0')
tell(ARGV[16])
for i = 1, 4 do redis.call('EXPIRE', KEYS[i], ARGV[14]) end
redis.call('ZREM', KEYS[5], ARGV[1])
redis.call('SETEX', KEYS[9], ARGV[11], ARGV[8])
redis.call('SETEX', KEYS[10], ARGV[11], ARGV[9])
redis.call('SETEX', KEYS[11], ARGV[12], ARGV[10])
redis.call('ZADD', KEYS[12], ARGV[13], ARGV[1])
redis.call('ZADD', KEYS[13], ARGV[17], ARGV[1])
redis.call('SETEX', KEYS[8], ARGV[15], 'legacy')
return {'HANDED'}
"""
)

# Further ARGV: schema of what was handed back, the executor that a new execution gets ('' only
# asks), TTL of the cutover key. Answers the executor, and whether the execution has begun. What has
# begun stays where it began; what is new is entered at once, so that two processes cannot begin
# one execution in two places.
ROUTE = """
local schema = redis.call('HGET', KEYS[1], 'schema')
local entered = redis.call('GET', KEYS[8])
if schema and schema ~= ARGV[3] then return {'unified', 'begun'} end
if entered then return {entered, 'begun'} end
if schema or redis.call('EXISTS', KEYS[9], KEYS[10]) > 0 then return {'legacy', 'begun'} end
if ARGV[4] ~= '' then redis.call('SETEX', KEYS[8], ARGV[5], ARGV[4]) end
return {ARGV[4], 'new'}
"""
