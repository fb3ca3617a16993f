-- Deletes a job in any state. Returns its plan, or false if it does not exist. A: job, now
local gen, owner, plan = unpack(call('HMGET', K('job', A.job), 'gen', 'owner', 'plan'))
if not gen then return false end
local j = fence(A.job, gen)
if j then finish(j, 'canceled', '{}', A.now) end
call('ZREM', list_key(owner, A.job), A.job)
call('ZREM', 'ch:expires', owner .. '/' .. A.job)
each_record_key('UNLINK', A.job)
return plan
