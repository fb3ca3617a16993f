-- Schedules a delivery again, at once, keeping its earlier attempts. Returns 0 if it does not exist or is being sent.
-- A: delivery, now
local key = K('delivery', A.delivery)
local owner, destination = unpack(call('HMGET', key, 'owner', 'to'))
if not owner or call('ZSCORE', K('sending', destination), A.delivery) then return 0 end
call('HSET', key, 'state', 'waiting', 'attempts', 0)
call('HDEL', key, 'ended')
call('PERSIST', key)
call('ZADD', K('due', destination), A.now, A.delivery)
line_up(owner, destination)
return 1
