#!lua flags=allow-oom
-- Renews leases, gives messages back, and restores those whose lease ran out: each goes to the front of its queue.
--
-- KEYS  unacked, unacked_index (as in pop.lua)
-- ARGV  the lease in seconds ('' restores none), how many may be restored now, how many tags follow to be renewed,
--       those tags, then the tags of messages to give back
-- gives how many messages went back, and how many entries could not be read (they stay in unacked)

local unacked, index = KEYS[1], KEYS[2]
local lease, limit, renewed = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local stamp = string.format('%.6f', now)
local restored, unread = 0, 0

local function put_back(tag)
  local entry = redis.call('HGET', unacked, tag)
  redis.call('ZREM', index, tag)
  if not entry then return end
  local message, name = string.match(entry, '^%[(.*), ?"[^"]*", ?("[^"]*")%]$')
  if not message then
    unread = unread + 1
    return
  end
  local queue = cjson.decode('[' .. name .. ']')[1]
  if not string.find(message, '"redelivered":true', 1, true) then
    message = string.gsub(message, '"delivery_info": ?{"', '"delivery_info":{"redelivered":true,"', 1)
  end
  redis.call('RPUSH', queue, message)
  redis.call('HDEL', unacked, tag)
  local wake = 'wake:' .. queue
  if redis.call('EXISTS', wake) == 0 then
    redis.call('LPUSH', wake, 1)
    redis.call('EXPIRE', wake, 60)
  end
  restored = restored + 1
end

for first = 4, 3 + renewed, 1000 do
  local scores = {}
  for i = first, math.min(first + 999, 3 + renewed) do
    scores[#scores + 1] = stamp
    scores[#scores + 1] = ARGV[i]
  end
  redis.call('ZADD', index, 'XX', unpack(scores))
end
-- Latest first, so that the earliest ends up foremost.
for i = #ARGV, 4 + renewed, -1 do put_back(ARGV[i]) end
if lease then
  local due = redis.call('ZRANGEBYSCORE', index, '-inf', string.format('%.6f', now - lease), 'LIMIT', 0, limit)
  for i = #due, 1, -1 do put_back(due[i]) end
end
return { restored, unread }
