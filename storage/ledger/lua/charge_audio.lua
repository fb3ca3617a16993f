-- Charges the recordings of a job once their length is known: those of a batch's job, and those behind URLs. What was
-- charged before, also in an earlier generation, counts. Returns 1, or the limit that is exceeded: see `refusal_of`.
-- A: job, gen, audio (milliseconds of its recordings as far as they are known)
local j = fence(A.job, A.gen)
local v = call('HMGET', K('job', A.job), 'audio', 'limits')
if not j or not v[1] then return 1 end
local more = A.audio - tonumber(v[1])
local refused = v[2] and refusal_of(j.owner, j.key, read_later_limits(v[2]), 'audio_in', more)
if refused then return refused end
if more > 0 then
  call('HSET', K('job', A.job), 'audio', A.audio)
  add_use(j.owner, j.key, 'audio_in', more)
end
return 1
