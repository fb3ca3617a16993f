-- Records how items ended and enqueues their successors, atomically.
-- Safe to repeat: an item that is already recorded changes nothing.
-- A: now, items = {{job, gen, step, index, station, kind, document, outputs, plan, delay, from, laid}, ...}
--    from, laid: a step that lays down utterances has done so from `from` to `laid`; it[13]: milliseconds of audio in
--    the result of the last step
--    kind: 'more' (a portion of the text is prepared, and the item waits again for the next) | 'done' (document: result of a last step, or nil; outputs: the step's outputs, a flat list; plan: a new one
--    for the following steps, or nil) | 'failed' (document: error) | 'again' (document: error; it[10]: seconds to wait;
--    it fails after A.tries retries) | 'later' (not to run yet, as a suspect; it[10]: seconds to wait; its marks
--    are kept, and it does not count as a retry) | 'back' (document: error; the artifact of the previous stage is
--    missing: the utterance goes back to it)
-- Returns how each was recorded (1 recorded, 0 no longer wanted), and the stations with new items.

-- Delays an item: it waits outside of its station until it is due.
local function delay_item(j, station, step, index, delay)
  call('ZADD', 'ch:delayed', A.now + delay, station .. ' ' .. member(j.id, j.gen, step, index))
end

-- Whether a failed item is to be retried.
local function again(j, station, step, index, delay)
  if call('HINCRBY', K('tries', j.id), index, 1) > A.tries then return false end
  delay_item(j, station, step, index, delay)
  return true
end

-- Sends an utterance back to the previous stage, whose artifact is missing; false after too many times.
local function back(j, step, index)
  local before, work = j.plan[step], call('HGET', K('utt', j.id), index)
  if not (work and before and before.each) then return false end
  if call('HINCRBY', K('tries', j.id), index, 1) > A.tries then return false end
  call('ZREM', K('artifacts', j.owner), digests_of(work)[stage_of(j.plan, step - 1)])
  call('SETRANGE', K('at', j.id), index, at_step(step - 1))
  wait_at(j, before.station, index)
  return true
end

-- Removes an item from where it is: usually it is released; if a second delivery of it was recorded before, it is
-- waiting or delayed again.
local function lift(j, station, step, index, was_out)
  if was_out then return item_finished(j, station) end
  if call('LREM', K('wait', station, j.id), 1, index) == 1 then has_waiting(j.id, station) end
  call('ZREM', 'ch:delayed', station .. ' ' .. member(j.id, j.gen, step, index))
end

-- Whether a step is the one before the first step of utterances.
local function lays_down(j, step)
  return j.plan[step + 2] and j.plan[step + 2].each and not j.plan[step + 1].each
end

local out = {}
for n, it in ipairs(A.items) do
  local job, gen, step, index, station = it[1], it[2], it[3], it[4], it[5]
  local kind, document, outputs = it[6], it[7], it[8]
  local j = fence(job, gen)
  out[n] = 0
  local wanted = j and wants(j, step, index)
  -- A second delivery of a portion that is laid down already: the item may be out for the next one.
  local late = wanted and it[11] and it[11] ~= tonumber(call('HGET', K('job', job), 'laid') or 0)
  if late then wanted = false end
  local was_out = not late and call('ZREM', K('out', station), member(job, gen, step, index)) == 1
  -- A second delivery that is to be retried: the first one has already scheduled that.
  if (kind == 'again' or kind == 'later' or kind == 'back') and not was_out then wanted = false end
  if wanted then
    local field = step .. '.' .. index
    if kind ~= 'later' then call('HDEL', K('started', job), field, field .. '.by', field .. '.at') end
    lift(j, station, step, index, was_out)
  end
  if wanted and kind == 'later' then
    out[n] = 1
    delay_item(j, station, step, index, it[10])
    wanted = false
  end
  if wanted and kind == 'again' then
    out[n] = 1
    wanted = not again(j, station, step, index, it[10])
    if wanted then kind = 'failed' end
  end
  if wanted and kind == 'back' then
    out[n] = 1
    wanted = not back(j, step, index)
    if wanted then kind = 'failed' end
  end
  if wanted and index < 0 then
    out[n] = 1
    for i = 1, outputs and #outputs or 0, 2 do
      if call('HSET', K('outputs', job), outputs[i], outputs[i + 1]) == 1 then use(j, outputs[i + 1], 1) end
    end
    if it[9] then
      call('HSET', K('job', job), 'plan', it[9])
      j.plan = plan_of(it[9])
    end
    if kind == 'failed' then
      step_time(j, step, 'failed', A.now)
      finish(j, 'failed', document, A.now)
    elseif it[12] or lays_down(j, step) then
      lay_down(j, step, it[12] or call('STRLEN', K('at', job)), kind == 'more', A.now)
    else
      step_time(j, step, 'done', A.now)
      j.generated = it[13]
      begin(j, step + 1, A.now, document)
    end
  elseif wanted then
    out[n] = 1
    local key, follows = K('job', job), j.plan[step + 2]
    local work = kind == 'done' and call('HGET', K('utt', job), index)
    if work then keep_artifact(j.owner, work, stage_of(j.plan, step), A.now + j.keep) end
    if kind == 'done' and follows and follows.each then
      call('SETRANGE', K('at', job), index, at_step(step + 1))
      wait_at(j, follows.station, index)
    else
      call('SETRANGE', K('at', job), index, kind == 'done' and AT_DONE or AT_FAILED)
      if kind == 'done' then
        call('HINCRBY', key, 'done', 1)
      else
        call('HINCRBY', key, 'failed', 1)
        call('HSET', K('err', job), index, document)
      end
      local v = call('HMGET', key, 'done', 'failed', 'total')
      -- While more may be laid down, the job counts for what its text was estimated to come to.
      if not j.opening then set_load(j, tonumber(v[3]) - tonumber(v[1]) - tonumber(v[2])) end
      if tonumber(v[1]) + tonumber(v[2]) >= tonumber(v[3]) then utterances_over(j, A.now) end
    end
  end
end
local stations = {}
for station in pairs(touched) do stations[#stations + 1] = station end
return { out, stations }
