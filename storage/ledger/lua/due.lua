-- Enqueues items at their stations whose delay is over. A: now, limit. Returns the stations.
for _, entry in ipairs(call('ZRANGEBYSCORE', 'ch:delayed', '-inf', A.now, 'LIMIT', 0, A.limit)) do
  call('ZREM', 'ch:delayed', entry)
  local station, job, gen, step, index = string.match(entry, '^(%S+) ([^/]+)/(%d+)/(%d+)/(-?%d+)$')
  local j = fence(job, gen)
  if j and (tonumber(index) >= 0 or wants(j, tonumber(step), -1)) then wait_at(j, station, index) end
end
local stations = {}
for station in pairs(touched) do stations[#stations + 1] = station end
return stations
