-- Sends utterances whose artifacts are missing back to their first step. Returns 1 if more calls follow, their station,
-- 0 if the job no longer wants them, or -1 if this was done A.tries times before in this generation.
-- A: job, gen, step (the one that needs them), indices, now, tries, more (whether more indices follow: the job stays
--    where it is until the last call)
local j = fence(A.job, A.gen)
if not j or j.step ~= A.step then return 0 end
if tonumber(call('HGET', K('tries', A.job), 'rerender') or 0) >= A.tries then return -1 end
local first
for i, s in ipairs(j.plan) do
  if s.each and not first then first = i - 1 end
end
for _, index in ipairs(A.indices) do
  local work = call('HGET', K('utt', A.job), index)
  if work then
    call('ZREM', K('artifacts', j.owner), unpack(digests_of(work)))
    call('SETRANGE', K('at', A.job), index, at_step(first))
  end
end
if A.more then return 1 end
call('HINCRBY', K('tries', A.job), 'rerender', 1)
local station, item = j.plan[A.step + 1].station, member(A.job, A.gen, A.step, -1)
call('HDEL', K('started', A.job), A.step .. '.-1', A.step .. '.-1.by', A.step .. '.-1.at')
if call('ZREM', K('out', station), item) == 1 then
  item_finished(j, station)
else
  call('LREM', K('wait', station, A.job), 1, -1)
  call('ZREM', 'ch:delayed', station .. ' ' .. item)
end
begin(j, first, A.now)
return j.plan[first + 1].station
