"""The Lua scripts of the LangGraph checkpointer: one call of it is one script, all or nothing.

KEYS 1 to 7 are those of `engine.redis_scripts`, which these do not touch; 8 to 11 belong to the
thread: checkpoints (hash), their index (sorted set, all scores 0), writes (hash), their index. ARGV
begins with thread id and time. Members of the indexes begin with namespace and checkpoint id, a NUL
after each, so that the order of bytes is the order of ids, and a prefix is a range. Each script may be
sent twice: a second time it changes nothing.
"""

# Further ARGV: member, checkpoint.
PUT = """
redis.call('ZCARD', KEYS[9])
redis.call('HSET', KEYS[8], ARGV[3], ARGV[4])
redis.call('ZADD', KEYS[9], 0, ARGV[3])
return {'OK'}
"""

# Further ARGV, for each write: member, '1' if a second one replaces the first, text.
PUT_WRITES = """
redis.call('ZCARD', KEYS[11])
for i = 3, #ARGV, 3 do
  redis.call(ARGV[i + 1] == '1' and 'HSET' or 'HSETNX', KEYS[10], ARGV[i], ARGV[i + 2])
  redis.call('ZADD', KEYS[11], 0, ARGV[i])
end
return {'OK'}
"""

# Further ARGV: lowest and highest member looked for; the newest of them is shown with its writes.
GET = """
local found = redis.call('ZREVRANGEBYLEX', KEYS[9], ARGV[4], ARGV[3], 'LIMIT', 0, 1)
if not found[1] then return {} end
local reply = {found[1], redis.call('HGET', KEYS[8], found[1]) or ''}
local low, high = '[' .. found[1], '(' .. string.sub(found[1], 1, -2) .. string.char(1)
for _, member in ipairs(redis.call('ZRANGEBYLEX', KEYS[11], low, high)) do
  reply[#reply + 1] = member
  reply[#reply + 1] = redis.call('HGET', KEYS[10], member) or ''
end
return reply
"""

# Further ARGV: lowest and highest member.
INDEX = "return redis.call('ZRANGEBYLEX', KEYS[9], ARGV[3], ARGV[4])"

DELETE = """
redis.call('DEL', KEYS[8], KEYS[9], KEYS[10], KEYS[11])
return {'OK'}
"""
