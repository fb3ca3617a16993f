-- Takes back the mark of `start`, since the run is over: a process that dies while it stores did not die of them.
-- A: items = {{job, gen, step, index}, ...}, by (names the process, as in start)
for _, it in ipairs(A.items) do
  local key, field = K('started', it[1]), it[3] .. '.' .. it[4]
  local by = call('HGET', key, field .. '.by')
  local mark = by == A.by and 1 or by == A.by .. ' alone' and 1000
  if mark then
    call('HDEL', key, field .. '.by')
    if call('HINCRBY', key, field, -mark) <= 0 then call('HDEL', key, field, field .. '.at') end
  end
end
return 1
