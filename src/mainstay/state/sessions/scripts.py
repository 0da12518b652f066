"""What is done to a session, as scripts: by the server's clock, each atomic.

A session is a hash: ``c`` when it was created, ``b`` when its user was bound, ``u`` who that is,
and each field behind a dot. KEYS[1] is the session, KEYS[2] says until when its user's sessions
have ended. Both carry the group in braces, so that a cluster keeps them together. Stamps are
microseconds since 1970: whole numbers that a double holds until 2255, written with all digits.
"""

from mainstay.state.valkey import Script

_NOW = "local t = redis.call('TIME'); local now = t[1] * 1000000 + t[2]"

# Ends with the milliseconds that the session may live on, 0 where it has ended.
_LIFE = """
local function life(created, bound, ttl, lifetime)
  local left = math.ceil((created + lifetime * 1000 - now) / 1000)
  local ended = redis.call('GET', KEYS[2])
  if left <= 0 or (bound and ended and tonumber(bound) <= tonumber(ended)) then return 0 end
  return math.min(ttl + 0, left)
end
""".strip()

LOAD = Script(
    f"""
local row = redis.call('HGETALL', KEYS[1])
if #row == 0 then return false end
{_NOW}
{_LIFE}
local created, bound
for i = 1, #row, 2 do
  if row[i] == 'c' then created = row[i + 1] elseif row[i] == 'b' then bound = row[i + 1] end
end
local ms = life(created, bound, ARGV[1], ARGV[2])
if ms == 0 then
  redis.call('DEL', KEYS[1])
  return false
end
if redis.call('PTTL', KEYS[1]) < ms - ARGV[3] then redis.call('PEXPIRE', KEYS[1], ms) end
return row
""".strip()
)
"""ARGV: ttl, lifetime and touch in milliseconds. Returns the hash, or nothing."""

CREATE = Script(
    f"""
{_NOW}
{_LIFE}
local created, bound = ARGV[3], ARGV[4]
if created == '0' then created = string.format('%.0f', now) end
if bound == '0' then
  -- Later than the last sign-out, whatever was done to the clock since.
  bound = string.format('%.0f', math.max(now, (redis.call('GET', KEYS[2]) or 0) + 1))
end
if bound == '' then bound = nil end
local ms = life(created, bound, ARGV[1], ARGV[2])
if ms == 0 then return 1 end
redis.call('HSET', KEYS[1], 'c', created)
if bound then redis.call('HSET', KEYS[1], 'b', bound, 'u', ARGV[5]) end
for i = 6, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[1], ms)
return 0
""".strip()
)
"""ARGV: ttl, lifetime, created, bound, user, then fields. Returns 0, or 1: it has ended already."""

CHANGE = Script(
    f"""
local stamps = redis.call('HMGET', KEYS[1], 'c', 'b')
if not stamps[1] then return 1 end
{_NOW}
{_LIFE}
local ms = life(stamps[1], stamps[2], ARGV[1], ARGV[2])
if ms == 0 then
  redis.call('DEL', KEYS[1])
  return 1
end
local size, row, sets = 0, redis.call('HGETALL', KEYS[1]), 5 + 2 * ARGV[4]
local sizes = {{}}
for i = 1, #row, 2 do
  if string.sub(row[i], 1, 1) == '.' then sizes[row[i]] = #row[i] - 1 + #row[i + 1] end
end
for i = 5, sets - 1, 2 do sizes[ARGV[i]] = #ARGV[i] - 1 + #ARGV[i + 1] end
for i = sets, #ARGV do sizes[ARGV[i]] = nil end
for _, one in pairs(sizes) do size = size + one end
if size > ARGV[3] + 0 then return 2 end
for i = 5, sets - 1, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
for i = sets, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ms)
return 0
""".strip()
)
"""ARGV: ttl, lifetime, size, number of fields, these, then those to remove.

Returns 0, 1: it has ended, or 2: it would be too large.
"""

REVOKE = Script(
    f"""
{_NOW}
local before = redis.call('GET', KEYS[1])
if before and tonumber(before) > now then now = tonumber(before) end
redis.call('SET', KEYS[1], string.format('%.0f', now), 'PX', ARGV[1])
return 1
""".strip()
)
"""KEYS[1]: of the user. ARGV: lifetime; when it has passed, no session from before is left."""
