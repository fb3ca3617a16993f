-- Ends a job at once: its generation goes up, so that whatever still arrives for it is not wanted any more.
-- Answers 1, or 0 where it has ended already. A: job, now
local gen = call('HGET', K('job', A.job), 'gen')
local j = gen and fence(A.job, gen)
if not j then return 0 end
call('HINCRBY', K('job', A.job), 'gen', 1)
finish(j, 'canceled', '{}', A.now)
return 1
