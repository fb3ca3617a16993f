-- Takes due deliveries of a lane, at most one per destination, owners and destinations in turns.
-- They are leased: a delivery that is not settled in time is due again.
-- A: lane, now, lease (seconds), places, share (deliveries that one owner may have being sent), held (owner -> how many
--    of them this sender already has), token (identifies the sender). Returns {delivery, field, value, ...} for each.
local taken = {}

local function take(owner, destination)
  local due, sending = K('due', destination), K('sending', destination)
  for _, id in ipairs(call('ZRANGEBYSCORE', sending, '-inf', A.now)) do
    call('ZREM', sending, id)
    call('ZADD', due, A.now, id)
  end
  local id = has_capacity(destination) and call('ZRANGEBYSCORE', due, '-inf', A.now, 'LIMIT', 0, 1)[1]
  if not id then return false end
  call('ZREM', due, id)
  local key = K('delivery', id)
  if call('HGET', key, 'state') ~= 'waiting' then return false end
  call('ZADD', sending, A.now + A.lease, id)
  call('HSET', key, 'token', A.token)
  local answer = call('HGETALL', key)
  table.insert(answer, 1, id)
  taken[#taken + 1] = answer
  return true
end

for _, owner in ipairs(call('ZRANGEBYSCORE', K('lane', A.lane), '-inf', A.now, 'LIMIT', 0, 200)) do
  local capacity = math.min(A.share - (A.held[owner] or 0), A.places - #taken)
  local due = capacity > 0 and call('ZRANGEBYSCORE', K('lane', A.lane, owner), '-inf', A.now, 'LIMIT', 0, A.places) or {}
  for _, destination in ipairs(due) do
    if capacity <= 0 then break end
    if take(owner, destination) then capacity = capacity - 1 end
    line_up(owner, destination, A.now)
  end
  if #taken >= A.places then break end
end
return taken
