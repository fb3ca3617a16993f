-- Lets a delivery wait anew, to be sent at once, with all its attempts before it. Answers 0 where it is not there, or
-- is on its way at this moment. A: delivery, now
local key = K('delivery', A.delivery)
local owner, destination = unpack(call('HMGET', key, 'owner', 'to'))
if not owner or call('ZSCORE', K('sending', destination), A.delivery) then return 0 end
call('HSET', key, 'state', 'waiting', 'attempts', 0)
call('HDEL', key, 'ended')
call('PERSIST', key)
call('ZADD', K('due', destination), A.now, A.delivery)
line_up(owner, destination)
return 1
