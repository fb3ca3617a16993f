-- Writes a job down and lets its first step wait. Answers 0 where the job exists already, -1 where the owner and
-- -2 where all owners together have too much unfinished work. An owner with none is never refused for its own.
-- A: job, owner, prio, plan, doc, text, now, deadline (seconds), keep, silence, load, owner_bound, bound
local key = K('job', A.job)
if call('EXISTS', key) == 1 then return 0 end
local load = call('HMGET', 'ch:load', A.owner, '*')
local own, all = tonumber(load[1] or 0), tonumber(load[2] or 0)
if own > 0 and own + A.load > A.owner_bound then return -1 end
if all > 0 and all + A.load > A.bound then return -2 end
call('HSET', key, 'owner', A.owner, 'state', 'queued', 'gen', 1, 'prio', A.prio, 'plan', A.plan, 'step', 0,
  'created', A.now, 'deadline', A.now + A.deadline, 'span', A.deadline, 'keep', A.keep)
if A.silence then call('HSET', key, 'silence', '1') end
call('SET', K('doc', A.job), A.doc)
if A.text then call('SET', K('text', A.job), A.text) end
call('ZADD', 'ch:deadlines', A.now + A.deadline, A.job)
call('ZADD', K('jobs', A.owner), A.now, A.job)
call('SADD', 'ch:everyone', A.owner)
local j = fence(A.job, 1)
set_load(j, A.load)
begin(j, 0, A.now)
return 1
