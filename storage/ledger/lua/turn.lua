-- Takes or extends an item's turn at long work of a station: one per owner at a time, and in total at most a share of
-- the live workers' capacity, but at least one. A turn that is not extended in time is free again.
-- A: station, owner, item, now, lease (seconds), share. Returns whether the item has the turn.
local turns = K('turns', A.station)
call('ZREMRANGEBYSCORE', turns, '-inf', A.now)
local mine = A.owner .. '\0' .. A.item
if not call('ZSCORE', turns, mine) then
  local capacity = 0
  for _, worker in ipairs(call('ZRANGEBYSCORE', K('workers', A.station), A.now, '+inf')) do
    capacity = capacity + tonumber(call('HGET', K('capacity', A.station), worker) or 0)
  end
  local taken = call('ZRANGE', turns, 0, -1)
  if #taken >= math.max(1, math.floor(capacity * A.share)) then return 0 end
  for _, other in ipairs(taken) do
    if string.sub(other, 1, #A.owner + 1) == A.owner .. '\0' then return 0 end
  end
end
call('ZADD', turns, A.now + A.lease, mine)
return 1
