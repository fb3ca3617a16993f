-- Writes a job down and lets its first step wait. Answers 0 where the job exists already.
-- A: job, owner, prio, plan, doc, text, now, deadline, keep, silence
local key = K('job', A.job)
if call('EXISTS', key) == 1 then return 0 end
call('HSET', key, 'owner', A.owner, 'state', 'queued', 'gen', 1, 'prio', A.prio, 'plan', A.plan, 'step', 0,
  'created', A.now, 'deadline', A.deadline, 'keep', A.keep)
if A.silence then call('HSET', key, 'silence', '1') end
call('SET', K('doc', A.job), A.doc)
if A.text then call('SET', K('text', A.job), A.text) end
call('ZADD', 'ch:deadlines', A.deadline, A.job)
call('ZADD', K('jobs', A.owner), A.now, A.job)
begin(fence(A.job, 1), 0, A.now)
return 1
