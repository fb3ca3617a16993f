-- Ends a job at once: from now on `fence` turns away whatever still arrives for it, after a retry its generation does.
-- Answers 1, or 0 where it has ended already. A: job, now
local gen = call('HGET', K('job', A.job), 'gen')
local j = gen and fence(A.job, gen)
if not j then return 0 end
finish(j, 'canceled', '{}', A.now)
return 1
