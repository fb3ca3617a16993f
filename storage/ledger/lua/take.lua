-- The inputs of each item, for items that are still wanted; false for the others.
-- A result starts with the number of runs that were started and never recorded (see ch:started), and the time of the
-- last one. Then follow the stage of an utterance, its work and the values of the step's inputs, or a whole job's doc, plan,
-- output, value, output, value, ...
-- An item that is not wanted frees its capacity at the station. A: station, items = {{job, gen, step, index}, ...}, now
local out = {}
for n, it in ipairs(A.items) do
  local job, gen, step, index = it[1], it[2], it[3], it[4]
  local j = fence(job, gen)
  out[n] = false
  if j then
    local wanted = wants(j, step, index)
    local field = step .. '.' .. index
    local marks = call('HMGET', K('started', job), field, field .. '.at')
    local starts, at = tonumber(marks[1] or 0), marks[2] or 0
    if wanted and index >= 0 then
      local work = call('HGET', K('utt', job), index)
      if work then
        local inputs = j.plan[step + 1].inputs
        local values = #inputs > 0 and call('HMGET', K('outputs', job), unpack(inputs)) or {}
        out[n] = { starts, at, stage_of(j.plan, step), work, unpack(values) }
      end
    elseif wanted then
      local answer = call('HGETALL', K('outputs', job))
      table.insert(answer, 1, call('GET', K('doc', job)))
      table.insert(answer, 2, j.plan_text)
      table.insert(answer, 1, starts)
      table.insert(answer, 2, at)
      out[n] = answer
    end
    if wanted then
      if j.state == 'queued' then
        call('HSET', K('job', job), 'started', A.now)
        set_state(j, 'running', A.now)
      end
      if call('HEXISTS', K('job', job), 's' .. step) == 0 then step_time(j, step, 'running', A.now) end
    end
  end
  if not out[n] then call('ZREM', K('out', A.station), member(job, gen, step, index)) end
end
return out
