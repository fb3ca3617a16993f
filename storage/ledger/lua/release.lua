-- Releases waiting items of one station, as many as its live workers have capacity for.
-- By weighted priority, then by owner, then by job, in turns; one item per turn.
-- A: station, now, fallback (capacity if no worker is alive). Returns references of items, and 1 if it stopped early
-- because many jobs had nothing left to release (for example because they were canceled).
local station = A.station
local capacity = 0
for _, worker in ipairs(call('ZRANGEBYSCORE', K('workers', station), A.now, '+inf')) do
  capacity = capacity + tonumber(call('HGET', K('capacity', station), worker) or 0)
end
if capacity == 0 then capacity = A.fallback end
capacity = capacity - call('ZCARD', K('out', station))

local weights = { interactive = 8, normal = 3, bulk = 1 }
local order = { 'interactive', 'normal', 'bulk' }
local credits

-- Smooth weighted round robin over the priorities that have items to release.
local function next_priority()
  local ready, total = {}, 0
  for _, prio in ipairs(order) do
    if call('EXISTS', K('owners', station, prio)) == 1 then
      ready[#ready + 1] = prio
      total = total + weights[prio]
    end
  end
  if #ready < 2 then return ready[1] end
  if not credits then
    credits = {}
    local v = call('HMGET', K('turn', station), unpack(order))
    for i, prio in ipairs(order) do credits[prio] = tonumber(v[i] or 0) end
  end
  local best
  for _, prio in ipairs(ready) do
    credits[prio] = credits[prio] + weights[prio]
    if not best or credits[prio] > credits[best] then best = prio end
  end
  credits[best] = credits[best] - total
  return best
end

-- Maximum number of turns without an item in one call.
local EMPTY = 200

local released, empty = {}, 0
while #released < capacity and empty < EMPTY do
  local prio = next_priority()
  if not prio then break end
  local owners = K('owners', station, prio)
  local owner = call('LPOP', owners)
  local ring = K('ring', station, prio, owner)
  local job = call('LPOP', ring)
  local key = job and K('job', job)
  local index = job and call('LPOP', K('wait', station, job))
  if index then
    local v = call('HMGET', key, 'gen', 'step', 'plan', 'share:' .. station, 'opening')
    local step = tonumber(v[5] or v[2])
    if tonumber(index) >= 0 then
      step = step_at(call('GETRANGE', K('at', job), index, index))
    end
    local item = member(job, v[1], step, index)
    call('ZADD', K('out', station), A.now, item)
    released[#released + 1] = item
    local fly = call('HINCRBY', key, 'fly:' .. station, 1)
    if has_waiting(job, station) and fly < tonumber(v[4] or 1) then
      call('RPUSH', ring, job)
    else
      call('HDEL', key, 'in:' .. station)
    end
  else
    empty = empty + 1
    if job and call('EXISTS', key) == 1 then call('HDEL', key, 'in:' .. station) end
  end
  if call('EXISTS', ring) == 1 then call('RPUSH', owners, owner) end
end
if credits then
  for prio, credit in pairs(credits) do call('HSET', K('turn', station), prio, credit) end
end
return { released, empty < EMPTY and 0 or 1 }
