-- Ends a job at once: from now on `fence` turns away whatever still arrives for it, after a retry its generation does.
-- Answers its plan, or false where it has ended already. A: job, now
local gen = call('HGET', K('job', A.job), 'gen')
local j = gen and fence(A.job, gen)
if not j then return false end
finish(j, 'canceled', '{}', A.now)
return j.plan_text
