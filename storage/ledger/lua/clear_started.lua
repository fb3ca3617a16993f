-- Clears the marks of `start` after the run: if the process dies while it stores outputs, the items are not suspects.
-- A: items = {{job, gen, step, index}, ...}, by (identifies the process, as in start)
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
