-- Cancels a job at once: `fence` then rejects late writes, and after a retry its generation does.
-- Returns its plan, or false if it has already ended. A: job, now
local gen = call('HGET', K('job', A.job), 'gen')
local j = gen and fence(A.job, gen)
if not j then return false end
finish(j, 'canceled', '{}', A.now)
return j.plan_text
