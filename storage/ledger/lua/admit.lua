-- Lets a request in, or not: finds its API key, checks its expiry and the limits on requests in any 60 seconds of the key
-- and of its owner, and counts the request in both, or in neither.
-- A: digest (of the key), default (limit of owners without one of their own), count (whether to count the request;
--    without it nothing is written)
-- Returns the answer ('admitted', 'refused', 'unknown' or 'damaged'), the key's record and the owner's limits as flat
-- lists, and for the key and the owner: limit (-1: none), requests left, microseconds until there are more.
local MINUTE, UNLIMITED = 60000000, { -1, 0, 0 }

local time = call('TIME')
local seconds = tonumber(time[1])
local now = seconds * 1000000 + tonumber(time[2])

local function record_of(key)
  local flat = redis.pcall('HGETALL', key)
  if flat.err then return nil end
  local fields = {}
  for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
  return fields, flat
end

-- A field's whole number; nil without one. The second result: whether it is anything else.
local function number(text)
  if not text or text == '' then return nil, false end
  if #text > 15 or not string.find(text, '^%d+$') then return nil, true end
  return tonumber(text), false
end

-- How many requests of the last minute were counted at `key`. What is far in the future was counted before the clock was
-- set back.
local function counted(key)
  if not A.count then return call('ZCOUNT', key, '(' .. whole(now - MINUTE), whole(now + MINUTE)) end
  call('ZREMRANGEBYSCORE', key, '-inf', whole(now - MINUTE))
  call('ZREMRANGEBYSCORE', key, '(' .. whole(now + MINUTE), '+inf')
  return call('ZCARD', key)
end

local function add(key)
  local member, n = whole(now), 0
  while call('ZADD', key, 'NX', whole(now), member) == 0 do
    n = n + 1
    member = whole(now) .. '.' .. n
  end
  call('PEXPIRE', key, 2 * MINUTE / 1000)
end

-- What is left of a limit of which `used` requests are counted. The oldest leaves first; where the limit was lowered,
-- several must leave before the next request is let in.
local function state(key, limit, used)
  local oldest = '(' .. whole(now - MINUTE)
  local entry = call('ZRANGEBYSCORE', key, oldest, '+inf', 'WITHSCORES', 'LIMIT', math.max(0, used - limit), 1)
  local wait = entry[2] and tonumber(entry[2]) + MINUTE - now or 0
  return { limit, math.max(0, limit - used), wait }
end

local key = K('key', A.digest)
local found, flat = record_of(key)
if not found then return { 'damaged' } end
if not flat[1] then return { 'unknown' } end

local owner = found.owner or ''
local own, own_flat = record_of(K('limits', owner))
local expires, bad_expires = number(found.expires)
local key_limit, bad_limit = number(found.requests_per_minute)
if bad_expires or bad_limit or key_limit == 0 or not string.find(owner, '^[a-z0-9][a-z0-9_-]*$') then
  return { 'damaged', flat }
end
if expires and seconds >= expires then return { 'unknown' } end

local owner_limit, bad_owner = A.default, false
if own and own.requests_per_minute then owner_limit, bad_owner = number(own.requests_per_minute) end
if not own or bad_owner or owner_limit == 0 then return { 'damaged', flat, {} } end

local windows = {
  { K('requests', 'key', A.digest), key_limit },
  { K('requests', 'owner', owner), owner_limit },
}
local answer = 'admitted'
for _, window in ipairs(windows) do
  if window[2] then
    window[3] = counted(window[1])
    if window[3] >= window[2] then answer = 'refused' end
  end
end
for _, window in ipairs(windows) do
  if window[2] and A.count and answer == 'admitted' then
    add(window[1])
    window[3] = window[3] + 1
  end
end

-- A Redis that is full takes no note, but requests are let in, so that results can be read and deleted.
local last = number(found.last_used)
if A.count and not (last and seconds - last < 60 and seconds >= last) then
  redis.pcall('HSET', key, 'last_used', whole(seconds))
end

-- The use of the day. A Redis that takes no writes lets requests in all the same.
if A.count and answer == 'admitted' then pcall(add_use, owner, 'key_' .. string.sub(A.digest, 1, 16), 'requests', 1) end

local states = {}
for i, window in ipairs(windows) do states[i] = window[2] and state(unpack(window)) or UNLIMITED end
return { answer, flat, own_flat, states[1], states[2] }
