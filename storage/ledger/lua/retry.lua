-- Starts a new generation of a failed or canceled job; rendered utterances are not rendered again.
-- Returns its plan, or false if its state does not allow it. A: job, now, load
local key = K('job', A.job)
local v = call('HMGET', key, 'state', 'span', 'plan', 'owner', 'gen')
if v[1] ~= 'failed' and v[1] ~= 'canceled' then return false end
for i = 0, #plan_of(v[3]) do call('HDEL', key, 's' .. i, 't' .. i .. 'a', 't' .. i .. 'b') end
call('HDEL', key, 'ended', 'started', 'done', 'total', 'failed', 'log')
local gen = new_generation(v[5])
call('HSET', key, 'gen', gen, 'state', 'queued', 'step', 0, 'deadline', A.now + tonumber(v[2]))
call('UNLINK', K('err', A.job), K('end', A.job))
stop_retention(A.job, v[4])
call('ZADD', 'ch:deadlines', A.now + tonumber(v[2]), A.job)
if is_batch(A.job) then
  local batch = K('batch', A.job)
  local items = call('HMGET', batch, 'items', 'jobs')
  local missing = tonumber(items[1]) - tonumber(items[2])
  call('HINCRBY', batch, v[1], -missing)
  call('HINCRBY', batch, 'queued', missing)
  call('HDEL', batch, 'open', 'completed', 'stopped')
end
local j = fence(A.job, gen)
j.state = v[1]
for _, name in ipairs(objects_of(j)) do use(j, name, 1) end
set_state(j, 'queued', A.now)
set_load(j, A.load)
begin(j, 0, A.now)
return v[3]
