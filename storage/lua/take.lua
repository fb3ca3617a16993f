-- What each item needs, for items that are still wanted; false for the rest.
-- An utterance's answer is its work; a whole job's is {doc, gift, value, gift, value, ...}.
-- A: items = {{job, gen, step, index}, ...}, now
local out = {}
for n, it in ipairs(A.items) do
  local job, gen, step, index = it[1], it[2], it[3], it[4]
  local j = fence(job, gen)
  out[n] = false
  if j then
    local wanted
    if index >= 0 then
      wanted = call('GETRANGE', K('at', job), index, index) == string.char(97 + step)
      if wanted then out[n] = call('HGET', K('utt', job), index) end
    else
      wanted = j.step == step
      if wanted then
        local answer = call('HGETALL', K('gift', job))
        table.insert(answer, 1, call('GET', K('doc', job)))
        out[n] = answer
      end
    end
    if wanted then
      if j.state == 'queued' then call('HSET', K('job', job), 'state', 'running', 'started', A.now) end
      if call('HSETNX', K('job', job), 's' .. step, 'running') == 1 then
        call('HSET', K('job', job), 't' .. step .. 'a', A.now)
      end
    end
  end
end
return out
