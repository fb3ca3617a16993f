-- Of items about to run, which are still wanted: 1 or 0 each. What is wanted is marked as started, so that it is
-- known for a suspect should this process die before it is recorded.
-- A process that starts an item again has not died of it: that is a call whose answer was lost, and counts once.
-- A: station, items = {{job, gen, step, index}, ...}, alone (true: it runs by itself), by (names the process), now
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
