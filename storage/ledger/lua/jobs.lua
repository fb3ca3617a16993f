-- States of jobs and batches, their log, retention, and the start and end of steps and jobs.

-- The words of a job's log: its states, and those of its steps ('2+' running, '2-' done, '2!' failed).
local WORDS = { queued = 'q', running = 'r', succeeded = 's', failed = 'f', canceled = 'c', completed = 'b' }
local MARKS = { running = '+', done = '-', failed = '!' }

-- Appends a word to a job's log; returns their number, which is the event's sequence number.
local function note(job, word)
  local log = call('HGET', K('job', job), 'log')
  log = log and (log .. ' ' .. word) or word
  call('HSET', K('job', job), 'log', log)
  return select(2, string.gsub(log, '%S+', ''))
end

-- Completes a batch, once, when it is open and all its jobs have ended.
local start_retention, stop_retention
local function look_at_batch(batch, now)
  local key = K('batch', batch)
  local v = call('HMGET', key, 'open', 'queued', 'running', 'completed')
  if not v[1] or v[4] or tonumber(v[2] or 0) + tonumber(v[3] or 0) > 0 then return end
  local job = call('HMGET', K('job', batch), 'owner', 'gen', 'keep')
  if not job[1] then return end
  call('HSET', key, 'completed', now)
  start_retention(batch, job[1], now + tonumber(job[3]))
  publish(batch, job[1], job[2], note(batch, WORDS.completed), 'batch.completed', now)
end

-- Sets a job's state, logs it, updates its batch's counts and creates the deliveries of the event.
-- `document`: the result or error of a job that ends.
local function set_state(j, state, now, document)
  local was = j.state
  j.state = state
  call('HSET', K('job', j.id), 'state', state)
  local seq = note(j.id, WORDS[state])
  if is_job(j.id) then publish(j.id, j.owner, j.gen, seq, 'job.' .. state, now, document) end
  if j.batch and was and was ~= state then
    local key = K('batch', j.batch)
    if call('EXISTS', key) == 1 then
      call('HINCRBY', key, was, -1)
      call('HINCRBY', key, state, 1)
      if state == 'queued' and call('HDEL', key, 'completed', 'stopped') > 0 then stop_retention(j.batch, j.owner) end
      look_at_batch(j.batch, now)
    end
  end
end

local function step_time(j, step, state, now)
  call('HSET', K('job', j.id), 's' .. step, state, 't' .. step .. (state == 'running' and 'a' or 'b'), now)
  if MARKS[state] then note(j.id, step .. MARKS[state]) end
end

-- Sets the number of unfinished utterances that the job counts for.
local function set_load(j, load)
  local key = K('job', j.id)
  local delta = load - tonumber(call('HGET', key, 'load') or 0)
  if delta ~= 0 then
    call('HSET', key, 'load', load)
    if call('HINCRBY', 'ch:load', j.owner, delta) <= 0 then call('HDEL', 'ch:load', j.owner) end
    call('HINCRBY', 'ch:load', '*', delta)
  end
end

-- Sets the expiry of the keys of a job that has ended.
start_retention = function(job, owner, expires)
  call('HSET', K('job', job), 'expires', expires)
  call('ZADD', 'ch:expires', expires, owner .. '/' .. job)
  each_record_key('EXPIREAT', job, math.ceil(expires))
end

-- Removes it again when a job is retried.
stop_retention = function(job, owner)
  call('HDEL', K('job', job), 'expires')
  call('ZREM', 'ch:expires', owner .. '/' .. job)
  each_record_key('PERSIST', job)
end

-- All items of a batch have become jobs, as far as they are valid; counts the others as failed or canceled.
local function open_batch(j, state, now)
  local key = K('batch', j.id)
  local v = call('HMGET', key, 'items', 'jobs')
  local missing = tonumber(v[1] or 0) - tonumber(v[2] or 0)
  call('HINCRBY', key, 'queued', -missing)
  call('HINCRBY', key, state == 'canceled' and 'canceled' or 'failed', missing)
  call('HSET', key, 'open', 1)
  look_at_batch(j.id, now)
end

-- Ends a job: sets its result or error, and deletes everything that only its work needed.
local function finish(j, state, document, now)
  j.over = true
  local key = K('job', j.id)
  local v = call('HMGET', key, 'keep', 'deadline')
  local expires = now + tonumber(v[1])
  call('HSET', key, 'ended', now)
  for i, step in ipairs(j.plan) do
    call('UNLINK', K('wait', step.station, j.id))
    call('HDEL', key, 'fly:' .. step.station, 'share:' .. step.station)
    if state ~= 'succeeded' and call('HGET', key, 's' .. (i - 1)) == 'running' then
      step_time(j, i - 1, state, now)
    end
  end
  call('HDEL', key, 'enqueued', 'laid', 'opening')
  drop_utterances(j, expires)
  for _, value in ipairs(objects_of(j)) do
    local name = use(j, value, -1)
    if name then call('ZADD', K('artifacts', j.owner), 'GT', expires, name) end
  end
  set_load(j, 0)
  count_end(j, state)
  call('UNLINK', K('outputs', j.id), K('tries', j.id), K('started', j.id))
  call('SET', K('end', j.id), document)
  if state == 'succeeded' then call('DEL', K('text', j.id)) end
  call('ZREM', 'ch:deadlines', j.id)
  -- A batch that is open is kept until its jobs have ended; its retention starts then.
  if not (is_batch(j.id) and state == 'succeeded') then start_retention(j.id, j.owner, expires) end
  set_state(j, state, now, document)
  if is_job(j.id) then call('HINCRBY', 'ch:metrics', 'chorus_jobs_ended_total|' .. state, 1) end
  if is_batch(j.id) then open_batch(j, state, now) end
end

-- All utterances of the current generation have ended: fail, or continue with the next step.
local begin
local function utterances_over(j, now)
  if j.opening then return end
  local v = call('HMGET', K('job', j.id), 'failed', 'silence')
  local failed, last = tonumber(v[1] or 0) > 0 and v[2] ~= '1', j.step
  for i, step in ipairs(j.plan) do
    if step.each and i > j.step then last = i - 1 end
  end
  for i = j.step, last do
    step_time(j, i, failed and i == last and 'failed' or 'done', now)
  end
  if not failed then return begin(j, last + 1, now, nil) end
  local first = string.find(call('GET', K('at', j.id)), AT_FAILED, 1, true) - 1
  return finish(j, 'failed', call('HGET', K('err', j.id), first), now)
end

-- The utterances from `from` on that are laid down: all, those that wait at their first step, and those that failed.
local function count_utterances(j, step, from)
  local laid = laid_down(j.id)
  if laid <= from then return 0, 0, 0 end
  local states = call('GETRANGE', K('at', j.id), from, laid - 1)
  local _, waiting = string.gsub(states, at_step(step), '')
  local _, failed = string.gsub(states, AT_FAILED, '')
  return #states, waiting, failed
end

-- Starts a step (counted from 0): enqueues its items at its station. After the last step the job has succeeded.
begin = function(j, step, now, result)
  local s = j.plan[step + 1]
  if not s then return finish(j, 'succeeded', result or '{}', now) end
  call('HSET', K('job', j.id), 'step', step)
  j.step = step
  if not s.each then return wait_at(j, s.station, -1) end
  local total, waiting, failed = count_utterances(j, step, 0)
  call('HSET', K('job', j.id), 'total', total, 'done', total - waiting - failed, 'failed', failed)
  if not j.opening then set_load(j, waiting) end
  if waiting == 0 then return utterances_over(j, now) end
  touched[s.station] = true
  enqueue_portion(j.id, s.station, step, 0)
  activate(j, s.station)
end

-- Enqueues utterances that were laid down behind those whose steps have begun.
local function extend(j, from, now)
  local key, s = K('job', j.id), j.plan[j.step + 1]
  local total, waiting, failed = count_utterances(j, j.step, from)
  call('HINCRBY', key, 'total', total)
  call('HINCRBY', key, 'failed', failed)
  call('HINCRBY', key, 'done', total - waiting - failed)
  touched[s.station] = true
  if call('HEXISTS', key, 'enqueued') == 0 then
    if call('EXISTS', K('wait', s.station, j.id)) == 1 then
      call('HSET', key, 'enqueued', from)
    else
      enqueue_portion(j.id, s.station, j.step, from)
    end
  end
  activate(j, s.station)
  if not j.opening then
    local v = call('HMGET', key, 'total', 'done', 'failed')
    local left = tonumber(v[1]) - tonumber(v[2]) - tonumber(v[3])
    set_load(j, left)
    if left <= 0 then utterances_over(j, now) end
  end
end

-- A step has laid down the utterances up to `laid`. `more`: it goes on with the next portion of the text, while those so
-- far are rendered.
local function lay_down(j, step, laid, more, now)
  local key = K('job', j.id)
  local from = tonumber(call('HGET', key, 'laid') or 0)
  call('HSET', key, 'laid', laid)
  if more then
    j.opening = step
    call('HSET', key, 'opening', step)
    wait_at(j, j.plan[step + 1].station, -1)
  else
    j.opening = nil
    call('HDEL', key, 'opening')
    step_time(j, step, 'done', now)
  end
  if j.step > step then return extend(j, from, now) end
  if laid > 0 or not more then begin(j, step + 1, now) end
end
