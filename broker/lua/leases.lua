#!lua flags=allow-oom
-- Renews leases, returns messages, and restores those whose lease has expired: each goes to the front of its queue,
-- after those returned before it, so that none has to wait for one dying worker after another.
--
-- KEYS  unacked, unacked_index (as in pop.lua)
-- ARGV  the lease in seconds ('' restores none), how many may be restored now, the number of tags to renew, those tags,
--       then the tags of messages to return
-- Returns how many messages were returned, and how many entries are unreadable (they stay in unacked).

local unacked, index = KEYS[1], KEYS[2]
local lease, limit, renewed = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local stamp = string.format('%.6f', now)
local restored, unread = 0, 0
local back, queues = {}, {}  -- what goes back, earliest first, by queue; and these in order

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
  redis.call('HDEL', unacked, tag)
  if not back[queue] then
    back[queue] = {}
    queues[#queues + 1] = queue
  end
  table.insert(back[queue], message)
  restored = restored + 1
end

-- How many messages at the front of a queue went back to it before.
local function went_back(queue)
  local count = 0
  while true do
    local some = redis.call('LRANGE', queue, -count - 100, -count - 1)
    for i = #some, 1, -1 do
      if not string.find(some[i], '"redelivered":true', 1, true) then return count end
      count = count + 1
    end
    if #some < 100 then return count end
  end
end

local function push(queue, messages)
  for i = #messages, 1, -1 do redis.call('RPUSH', queue, messages[i]) end
end

-- `messages`: earliest first, as RPOP gives them too.
local function line_up(queue, messages)
  local before = went_back(queue)
  local ahead = before > 0 and redis.call('RPOP', queue, before) or {}
  push(queue, messages)
  push(queue, ahead)
  local wake = 'wake:' .. queue
  if redis.call('EXISTS', wake) == 0 then
    redis.call('LPUSH', wake, 1)
    redis.call('EXPIRE', wake, 60)
  end
end

for first = 4, 3 + renewed, 1000 do
  local scores = {}
  for i = first, math.min(first + 999, 3 + renewed) do
    scores[#scores + 1] = stamp
    scores[#scores + 1] = ARGV[i]
  end
  redis.call('ZADD', index, 'XX', unpack(scores))
end
for i = 4 + renewed, #ARGV do put_back(ARGV[i]) end
if lease then
  local due = redis.call('ZRANGEBYSCORE', index, '-inf', string.format('%.6f', now - lease), 'LIMIT', 0, limit)
  for i = 1, #due do put_back(due[i]) end
end
for _, queue in ipairs(queues) do line_up(queue, back[queue]) end
return { restored, unread }
