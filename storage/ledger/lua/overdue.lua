-- Ends jobs past their deadline. A: now, error (JSON, its step is filled in), limit. Returns how many.
local jobs = call('ZRANGEBYSCORE', 'ch:deadlines', '-inf', A.now, 'LIMIT', 0, A.limit)
for _, job in ipairs(jobs) do
  local gen = call('HGET', K('job', job), 'gen')
  local j = gen and fence(job, gen)
  if j then
    local error = cjson.decode(A.error)
    error.step = j.plan[j.step + 1].role
    finish(j, 'failed', cjson.encode(error), A.now)
  else
    call('ZREM', 'ch:deadlines', job)
  end
end
return #jobs
