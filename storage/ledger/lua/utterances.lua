-- Stores utterances of a job behind those that it has laid down: the work and the state of each. `advance` lays them down.
-- Called in portions, each safe to repeat, because the data follows from the job alone.
-- A: job, gen, step (that they wait for), from (that lays them down), first, works, done (done[i] = true: its artifact exists already),
--    errors (errors[i]: the error that it failed with before it could run, or ''),
--    warnings (all of them so far in JSON, '' for none)
local j = fence(A.job, A.gen)
if not j or not wants(j, A.from, -1) or A.first < tonumber(call('HGET', K('job', A.job), 'laid') or 0) then return 0 end
local flat, states = {}, {}
for i, work in ipairs(A.works) do
  flat[#flat + 1] = A.first + i - 1
  flat[#flat + 1] = work
  states[i] = A.done[i] and AT_DONE or at_step(A.step)
  if A.errors[i] ~= '' then
    states[i] = AT_FAILED
    call('HSET', K('err', A.job), A.first + i - 1, A.errors[i])
  end
end
for i = 1, #flat, 1000 do call('HSET', K('utt', A.job), unpack(flat, i, math.min(i + 999, #flat))) end
if #states > 0 then call('SETRANGE', K('at', A.job), A.first, table.concat(states)) end
if A.warnings ~= '' then call('HSET', K('job', A.job), 'warnings', A.warnings) end
return 1
