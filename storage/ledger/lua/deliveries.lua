-- Deliveries of events to webhook endpoints.

-- Deliveries that may be sent to one destination at once: more if its last response was a success.
local AT_ONCE = { live = 8, doubtful = 1 }
-- Deliveries of one destination in its log, and seconds that the last one stays in it.
local LOGGED, LOG_SECONDS = 10000, 30 * 86400
-- Bytes of a result or error that is copied into a delivery; a larger one is read from the ledger when sending.
local DOCUMENT = 8192

local function lane_of(destination)
  return call('HGET', K('receiver', destination), 'live') == '1' and 'live' or 'doubtful'
end

local function has_capacity(destination)
  return call('ZCARD', K('sending', destination)) < AT_ONCE[lane_of(destination)]
end

-- Puts a destination into the lane of its last response, at the time of its next event: a delivery is due, or a lease
-- expires. `behind`: not before that time, so that others have their turn.
local function line_up(owner, destination, behind)
  local due = call('ZRANGE', K('due', destination), 0, 0, 'WITHSCORES')[2]
  local held = call('ZRANGE', K('sending', destination), 0, 0, 'WITHSCORES')[2]
  local at
  if due and has_capacity(destination) then at = math.max(tonumber(due), behind or 0) end
  if held then at = math.min(tonumber(held), at or math.huge) end
  local ours = lane_of(destination)
  for lane in pairs(AT_ONCE) do
    local key = K('lane', lane, owner)
    if at and lane == ours then call('ZADD', key, at, destination) else call('ZREM', key, destination) end
    local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
    if first then call('ZADD', K('lane', lane), first, owner) else call('ZREM', K('lane', lane), owner) end
  end
end

-- Creates a delivery of an event to a destination. Repeated calls change nothing. Returns the delivery's id.
local function deliver(event, owner, destination, kind, now, document, url)
  local id = 'de_' .. string.sub(redis.sha1hex(event .. '/' .. destination), 1, 24)
  local key = K('delivery', id)
  if call('EXISTS', key) == 1 then return id end
  call('HSET', key, 'event', event, 'owner', owner, 'to', destination, 'type', kind, 'at', now,
    'state', 'waiting', 'attempts', 0)
  if document and #document <= DOCUMENT then call('HSET', key, 'document', document) end
  if url then call('HSET', key, 'url', url) end
  call('ZADD', K('due', destination), now, id)
  call('ZADD', K('sent', destination), now, id)
  call('ZREMRANGEBYRANK', K('sent', destination), 0, -LOGGED - 1)
  call('EXPIRE', K('sent', destination), LOG_SECONDS)
  line_up(owner, destination)
  return id
end

-- Creates deliveries of an event to all endpoints that subscribe to it: the owner's, or only the one that the job
-- names (`hook`: an endpoint, or a name for a URL of its own and its event types).
-- Part of the change that the event reports, so that there is never one without the other.
local function publish(job, owner, gen, seq, kind, now, document)
  local hook, url = unpack(call('HMGET', K('job', job), 'hook', 'hook_url'))
  local event = job .. ':' .. gen .. ':' .. seq
  local own = hook and string.match(hook, '^own_%x+')
  if own then
    if string.find(hook, kind .. ' ', 1, true) then deliver(event, owner, owner .. '/' .. own, kind, now, document, url) end
    return
  end
  local endpoints = call('HGETALL', K('hooks', owner))
  for i = 1, #endpoints, 2 do
    if (not hook or hook == endpoints[i]) and string.find(endpoints[i + 1], kind .. ' ', 1, true) then
      deliver(event, owner, endpoints[i], kind, now, document)
    end
  end
end
