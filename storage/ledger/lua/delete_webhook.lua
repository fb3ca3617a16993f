-- Deletes an endpoint, its waiting deliveries and its log, one portion per call. Returns how many deliveries remain;
-- the endpoint is deleted with the last one. A: webhook, owner, limit
call('HDEL', K('hooks', A.owner), A.webhook)
local room, left = A.limit, 0
for _, kind in ipairs({ 'due', 'sending', 'sent' }) do
  local ids = room > 0 and call('ZRANGE', K(kind, A.webhook), 0, room - 1) or {}
  for _, id in ipairs(ids) do call('UNLINK', K('delivery', id)) end
  if #ids > 0 then call('ZREM', K(kind, A.webhook), unpack(ids)) end
  room = room - #ids
  left = left + call('ZCARD', K(kind, A.webhook))
end
if left == 0 then
  for _, kind in ipairs({ 'receiver', 'webhook' }) do call('DEL', K(kind, A.webhook)) end
  call('ZREM', K('webhooks', A.owner), A.webhook)
end
line_up(A.owner, A.webhook)
return left
