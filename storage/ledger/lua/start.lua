-- Checks which of the items that are about to run are still wanted: 1 or 0 each. Those are marked as started, so that
-- they become suspects if this process dies before they are recorded.
-- If the same process starts an item again, the response of the first call was lost; it counts once.
-- A: station, items = {{job, gen, step, index}, ...}, alone (true: it runs by itself), by (identifies the process), now
local out = {}
for n, it in ipairs(A.items) do
  local job, step, index = it[1], it[3], it[4]
  local j = fence(job, it[2])
  out[n] = 0
  if j and wants(j, step, index) then out[n] = 1 end
  if out[n] == 1 then
    local key, field = K('started', job), step .. '.' .. index
    local by = A.by .. (A.alone and ' alone' or '')
    if call('HGET', key, field .. '.by') ~= by then call('HINCRBY', key, field, A.alone and 1000 or 1) end
    call('HSET', key, field .. '.by', by, field .. '.at', A.now)
  else
    call('ZREM', K('out', A.station), member(job, it[2], step, index))
  end
end
return out
