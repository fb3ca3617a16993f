-- Begins a new generation of a job that failed or was canceled; what is rendered already is not rendered again.
-- Answers 1, or 0 where its state forbids it. A: job, now, load
local key = K('job', A.job)
local v = call('HMGET', key, 'state', 'span', 'plan')
if v[1] ~= 'failed' and v[1] ~= 'canceled' then return 0 end
for i = 0, #plan_of(v[3]) do call('HDEL', key, 's' .. i, 't' .. i .. 'a', 't' .. i .. 'b') end
call('HDEL', key, 'ended', 'expires', 'started', 'done', 'total', 'failed')
call('HINCRBY', key, 'gen', 1)
call('HSET', key, 'state', 'queued', 'step', 0, 'deadline', A.now + tonumber(v[2]))
call('DEL', K('err', A.job), K('end', A.job))
for _, kind in ipairs({ 'job', 'doc', 'text' }) do call('PERSIST', K(kind, A.job)) end
call('ZREM', 'ch:expires', call('HGET', key, 'owner') .. '/' .. A.job)
call('ZADD', 'ch:deadlines', A.now + tonumber(v[2]), A.job)
local j = fence(A.job, call('HGET', key, 'gen'))
set_load(j, A.load)
begin(j, 0, A.now)
return 1
