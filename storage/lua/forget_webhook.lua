-- Takes an endpoint away with all that waits for it, and its log. A: webhook, owner
for _, kind in ipairs({ 'due', 'sending', 'sent' }) do
  for _, id in ipairs(call('ZRANGE', K(kind, A.webhook), 0, -1)) do call('DEL', K('delivery', id)) end
end
for _, kind in ipairs({ 'due', 'sending', 'sent', 'receiver', 'webhook' }) do call('DEL', K(kind, A.webhook)) end
call('HDEL', K('hooks', A.owner), A.webhook)
call('ZREM', K('webhooks', A.owner), A.webhook)
line_up(A.owner, A.webhook)
return 1
