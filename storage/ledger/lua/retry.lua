-- Starts a new generation of a failed or canceled job; rendered utterances are not rendered again.
-- Returns its plan, or false if its state does not allow it, or the limit of open jobs that it would exceed: see
-- `refusal_of`. It counts for the key that retries it from now on, and is charged nothing else again.
-- A: job, now, load, charge (key, limits; or none: it counts for the key that it counted for)
local key = K('job', A.job)
local v = call('HMGET', key, 'state', 'span', 'plan', 'owner', 'gen')
if v[1] ~= 'failed' and v[1] ~= 'canceled' then return false end
local open = is_job(A.job) and 1 or 0
if is_batch(A.job) then
  local items = call('HMGET', K('batch', A.job), 'items', 'jobs')
  open = math.max(0, tonumber(items[1]) - tonumber(items[2]))
end
if A.charge then
  local refused = refusal_of(v[4], A.charge.key, A.charge.limits, 'open_jobs', open)
  if refused then return refused end
  if A.charge.key then call('HSET', key, 'key', A.charge.key) else call('HDEL', key, 'key') end
  if call('HEXISTS', key, 'limits') == 1 then call('HSET', key, 'limits', later_limits(A.charge.limits)) end
end
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
set_open(j, open)
begin(j, 0, A.now)
return v[3]
