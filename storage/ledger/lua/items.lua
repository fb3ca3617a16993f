-- Plans, fencing, and the items that wait at stations.

-- The state of an utterance, one byte of ch:at: rendered, failed, or the step (counted from 0) that it waits for.
-- `UtteranceState` in records.py reads the same bytes.
local AT_DONE, AT_FAILED, FIRST_STEP = 'Z', 'X', string.byte('a')
local function at_step(step) return string.char(FIRST_STEP + step) end
local function step_at(state) return string.byte(state) - FIRST_STEP end

-- The steps of a plan: {{station=, each=, role=, inputs=}, ...}, counted from 1. See `core.work.Plan`.
local plans = {}
local function plan_of(text)
  if not plans[text] then
    local steps = {}
    for each, role, station in string.gmatch(text, '(%*?)([^:%s]+):(%S+)') do
      local name, inputs = string.match(station, '^([^<]+)<(.+)$')
      local step = { station = name or station, each = each == '*', role = role, inputs = {} }
      for input in string.gmatch(inputs or '', '[^,]+') do step.inputs[#step.inputs + 1] = input end
      steps[#steps + 1] = step
    end
    plans[text] = steps
  end
  return plans[text]
end

-- The job's record if it has not ended and this is its generation, else nil.
-- It is read once per call: the scripts keep it up to date, and `over` marks a job that has ended.
local fenced = {}
local function fence(job, gen)
  local known = fenced[job]
  if known then
    if known.over or known.gen ~= whole(gen) then return nil end
    return known
  end
  local v = call('HMGET', K('job', job), 'state', 'gen', 'owner', 'prio', 'plan', 'step', 'keep', 'batch', 'opening',
                 'key')
  if not v[1] or (v[1] ~= 'queued' and v[1] ~= 'running') then return nil end
  if v[2] ~= whole(gen) then return nil end
  fenced[job] = { id = job, state = v[1], gen = v[2], owner = v[3], prio = v[4], plan = plan_of(v[5]),
                  plan_text = v[5], step = tonumber(v[6]), keep = tonumber(v[7]), batch = v[8], opening = tonumber(v[9] or nil), key = v[10] or nil }
  return fenced[job]
end

-- Whether an unfinished job still wants an item: the whole job at its current step, or at the step that still lays down
-- its utterances; or an utterance at that step.
local function wants(j, step, index)
  if index < 0 then return j.step == step or j.opening == step end
  return call('GETRANGE', K('at', j.id), index, index) == at_step(step)
end

-- Adds the job to its ring at a station, if it has waiting items and its turn is not used up.
local function activate(j, station)
  local key = K('job', j.id)
  local v = call('HMGET', key, 'in:' .. station, 'fly:' .. station, 'share:' .. station)
  if v[1] == '1' then return end
  if tonumber(v[2] or 0) >= tonumber(v[3] or 1) then return end
  if call('EXISTS', K('wait', station, j.id)) == 0 then return end
  call('HSET', key, 'in:' .. station, '1')
  local ring = K('ring', station, j.prio, j.owner)
  if call('RPUSH', ring, j.id) == 1 then call('RPUSH', K('owners', station, j.prio), j.owner) end
end

-- Maximum number of utterances per call, so that it blocks Redis for a few milliseconds. The rest of a long job is
-- processed in portions: waiting utterances by `enqueue_portion`, those of a job that has ended by `tidy`.
local PORTION = 500

-- How many of a job's utterances are laid down: while its text is still being prepared, those whose portion is complete.
-- A job that an earlier version has opened has no such count: all of them.
local function laid_down(job)
  return tonumber(call('HGET', K('job', job), 'laid') or call('STRLEN', K('at', job)))
end

-- Enqueues the next portion of a job's utterances at their first step; `enqueued` in its record is the progress. Only if
-- none of them waits there: the call that takes the last one of a list calls this through `has_waiting`.
local function enqueue_portion(job, station, step, from)
  local mark, waiting, states, laid = at_step(step), {}, nil, laid_down(job)
  repeat
    local last = math.min(from + PORTION, laid) - 1
    states = last < from and '' or call('GETRANGE', K('at', job), from, last)
    local i = string.find(states, mark, 1, true)
    while i do
      waiting[#waiting + 1] = from + i - 1
      i = string.find(states, mark, i + 1, true)
    end
    from = from + #states
  until #waiting > 0 or #states < PORTION
  if #waiting > 0 then call('RPUSH', K('wait', station, job), unpack(waiting)) end
  if #states == PORTION then call('HSET', K('job', job), 'enqueued', from) else call('HDEL', K('job', job), 'enqueued') end
  return #waiting > 0
end

-- Whether items of the job wait at a station; enqueues the next portion if there is one.
local function has_waiting(job, station)
  if call('EXISTS', K('wait', station, job)) == 1 then return true end
  local v = call('HMGET', K('job', job), 'enqueued', 'step', 'plan')
  if not v[1] then return false end
  local step = tonumber(v[2])
  return plan_of(v[3])[step + 1].station == station and enqueue_portion(job, station, step, tonumber(v[1]))
end

-- Stations at which this call has enqueued items.
local touched = {}

local function wait_at(j, station, index)
  touched[station] = true
  call('RPUSH', K('wait', station, j.id), index)
  activate(j, station)
end

local function is_batch(job) return string.sub(job, 1, 3) == 'ba_' end

-- Whether it is a job for clients, and not a batch, the enrolment of a voice or the preview of a text.
local function is_job(job) return string.sub(job, 1, 4) == 'job_' end

-- The key of the owner's list of this kind of job.
local function list_key(owner, job) return K(is_batch(job) and 'batches' or 'jobs', owner) end

-- The digests of an utterance's artifacts, one for each of its stages.
local function digests_of(work)
  local digests = {}
  for i, stage in ipairs(cmsgpack.unpack(work)[1]) do digests[i] = string.match(stage[1], '([^/]+)%.%w+$') end
  return digests
end

-- The index of a step among the plan's utterance steps, counted from 1.
local function stage_of(plan, step)
  local stage = 0
  for i = 1, step + 1 do
    if plan[i].each then stage = stage + 1 end
  end
  return stage
end

-- Records that the artifact of a stage exists and is needed at least until `expires`.
local function keep_artifact(owner, work, stage, expires)
  local digest = digests_of(work)[stage]
  if digest then call('ZADD', K('artifacts', owner), 'GT', expires, digest) end
end

-- Records for a portion of utterances that the artifacts of those rendered are needed at least until `expires`.
-- Returns how many utterances it processed.
local function keep_artifacts(owner, works, at, from, expires)
  local states = call('GETRANGE', at, from, from + PORTION - 1)
  local done, scores = {}, {}
  for i = 1, #states do
    if string.sub(states, i, i) == AT_DONE then done[#done + 1] = from + i - 1 end
  end
  for _, work in ipairs(#done > 0 and call('HMGET', works, unpack(done)) or {}) do
    for _, digest in ipairs(work and digests_of(work) or {}) do
      scores[#scores + 1] = expires
      scores[#scores + 1] = digest
    end
  end
  if #scores > 0 then call('ZADD', K('artifacts', owner), 'GT', unpack(scores)) end
  return #states
end

-- Deletes a job's utterances, whose artifacts are needed until `expires`: at once if they are few, else later by
-- `tidy`.
local at_once = PORTION
local function drop_utterances(j, expires)
  local works, at = K('utt', j.id), K('at', j.id)
  local count = call('STRLEN', at)
  if count <= at_once then
    at_once = at_once - keep_artifacts(j.owner, works, at, 0, expires)
    call('UNLINK', works, at)
    return
  end
  local n = call('INCR', 'ch:pastn')
  if call('EXISTS', works) == 1 then call('RENAME', works, K('past', n)) end
  call('RENAME', at, K('pastat', n))
  call('ZADD', 'ch:pasts', 0, n .. ' ' .. string.format('%.17g', expires) .. ' ' .. j.owner)
end

local COUNTED = { recordings = true, segments = true, embeddings = true, lexicons = true, covers = true }

-- Counts the job as a user of an object of its owner. Artifacts of utterances are not counted, because they are
-- rendered again if they are missing, and objects of a voice are deleted with the voice.
local function use(j, value, by)
  local kind, rest = string.match(value, '^' .. string.gsub(j.owner, '%W', '%%%0') .. '/(%l+)/(%S+)$')
  if not COUNTED[kind] then return nil end
  local name, key = kind .. '/' .. rest, K('inuse', j.owner)
  if call('HINCRBY', key, name, by) <= 0 then call('HDEL', key, name) end
  return name
end

-- A lexicon needs its version `n` no more: its object is deleted after `expires`, once no unfinished job needs it.
local function drop_version(lexicon, owner, n, expires)
  local key = K('lexicon', lexicon)
  local object = call('HGET', key, 'o' .. n)
  call('HDEL', key, 'v' .. n, 'o' .. n)
  if object then call('ZADD', K('artifacts', owner), 'GT', expires, use({ owner = owner }, object, -1)) end
end

-- The objects of a job: its inputs (`objects` in its record) and the outputs of its steps.
local function objects_of(j)
  local found = call('HVALS', K('outputs', j.id))
  for name in string.gmatch(call('HGET', K('job', j.id), 'objects') or '', '%S+') do found[#found + 1] = name end
  return found
end

-- Called when an item has left a station for good: the job's turn there grows by one, so it doubles with each round.
local function item_finished(j, station)
  local key = K('job', j.id)
  if call('HINCRBY', key, 'fly:' .. station, -1) < 0 then call('HSET', key, 'fly:' .. station, 0) end
  local share = tonumber(call('HGET', key, 'share:' .. station) or 1)
  if share < 4096 then call('HSET', key, 'share:' .. station, share + 1) end
  activate(j, station)
end
