-- Records the result of an attempt at a delivery. Returns 0 if the sender no longer holds it, else 1; 2 if the
-- endpoint was disabled, because it is gone (410), or because a delivery failed for good and no other succeeded
-- meanwhile. A: delivery, token, now, kind ('delivered' | 'again' | 'failed'), attempt (JSON), due (for 'again'),
--    began (when its first attempt ended), gone (whether it responded 410), keep (seconds that it stays in the log
-- after its end)
local key = K('delivery', A.delivery)
local owner, destination, token, state = unpack(call('HMGET', key, 'owner', 'to', 'token', 'state'))
if state ~= 'waiting' or (token ~= A.token and A.kind ~= 'delivered') then return 0 end
call('HINCRBY', key, 'attempts', 1)
local log = call('HGET', key, 'log')
call('HSET', key, 'log', log and (log .. '\n' .. A.attempt) or A.attempt)
call('ZREM', K('sending', destination), A.delivery)
call('ZREM', K('due', destination), A.delivery)
call('HDEL', key, 'token')
if A.kind == 'again' then
  call('ZADD', K('due', destination), A.due, A.delivery)
else
  call('HSET', key, 'state', A.kind, 'ended', A.now)
  call('HDEL', key, 'document')
  call('EXPIRE', key, A.keep)
end
local receiver, answer = K('receiver', destination), 1
if A.kind == 'delivered' then
  call('HSET', receiver, 'live', 1)
  call('HDEL', receiver, 'failing')
else
  call('HSET', receiver, 'live', 0)
  call('HSETNX', receiver, 'failing', A.now)
  local webhook = K('webhook', destination)
  local silent = A.kind == 'failed' and tonumber(call('HGET', receiver, 'failing')) <= A.began
  if (A.gone or silent) and call('HGET', webhook, 'enabled') == '1' then
    call('HSET', webhook, 'enabled', 0, 'disabled', A.now, 'why', A.gone and 'gone' or 'failing')
    call('HDEL', K('hooks', owner), destination)
    answer = 2
  end
end
call('EXPIRE', receiver, A.keep)
line_up(owner, destination)
return answer
