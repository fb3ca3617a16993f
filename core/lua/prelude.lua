-- Laid before every script: names of keys, fencing, the backlog, and the ends of steps and jobs.
--
-- A job is also what opens a batch (ba_...) or enrols a voice (vo_...): one record, one way through the stations.
--
-- ch:job:{job}                   hash: owner, state, gen, prio, plan, step, total, done, failed, s{k}, log ...
-- ch:doc:{job}                   string: the job's document (JSON), never changed
-- ch:text:{job}                  string: the job's text, gone once the job has succeeded
-- ch:utt:{job}                   hash: utterance index -> its work (MessagePack, opaque here)
-- ch:at:{job}                    string: one byte per utterance: 'a' + step it is at, 'Z' done, 'X' failed
-- ch:err:{job}                   hash: utterance index -> error (JSON)
-- ch:gift:{job}                  hash: what steps gave (opaque here)
-- ch:end:{job}                   string: result or error (JSON)
-- ch:wait:{station}:{job}        list: indices that wait there; of the first step of utterances a portion at a time
-- ch:past:{n}, ch:pastat:{n}     ch:utt and ch:at of a generation that has ended, until `tidy` has been through them
-- ch:pasts                       zset: '{n} {when its artifacts expire} {owner}' -> utterances that are seen to
-- ch:pastn                       number of the last one
-- ch:ring:{station}:{prio}:{owner}  list: jobs that may release an item, in turns
-- ch:owners:{station}:{prio}     list: owners with such jobs, in turns
-- ch:out:{station}               zset: released items -> when released
-- ch:deadlines                   zset: job -> when (seconds)
-- ch:expires                     zset: owner/job -> when (seconds)
-- ch:everyone                    set: owners that ever had a job
-- ch:jobs:{owner}                zset: job -> created
-- ch:batches:{owner}             zset: batch -> created
-- ch:batch:{batch}               hash: items, jobs made of them, how many are in each state; open, completed, stopped
-- ch:webhook:{endpoint}          hash: owner, url, events, secrets, enabled ... (its id is we_...)
-- ch:hooks:{owner}               hash: enabled endpoint -> its event types, each with a space behind it
-- ch:delivery:{delivery}         hash: one event on its way to one destination: an endpoint, or {owner}/own_{receiver}
-- ch:due:{destination}           zset: waiting delivery -> when it is to be sent
-- ch:sending:{destination}       zset: delivery that is being sent -> when its lease ends
-- ch:sent:{destination}          zset: delivery -> when its event was
-- ch:receiver:{destination}      hash: live (whether it answered well the last time), failing (since when it does not)
-- ch:lane:{lane}:{owner}         zset: destination -> when there is something to do for it
-- ch:lane:{lane}                 zset: owner -> when there is something to do for one of its destinations
-- ch:artifacts:{owner}           zset: digest of an utterance's artifact, or another object's name without its owner
--                                -> when nobody needs it any more
-- ch:inuse:{owner}               hash: such an object -> unfinished jobs that need it, whatever its time
-- ch:upload:{upload}             string: whose it is
-- ch:uploads:{owner}             zset: upload that was not used yet -> when its time is over
-- ch:held:{owner}                zset: upload (:form: what may still be posted to it) -> until when it holds bytes
-- ch:heldbytes:{owner}           hash: such an upload -> bytes; all: their sum
-- ch:tries:{job}                 hash: index -> how often it has been tried again
-- ch:started:{job}               hash: step.index -> runs begun and not recorded: 1 each, 1000 each when alone; .by: in
--                                which process the last one was, .at: when it began
-- ch:delayed                     zset: item to be tried again -> when
-- ch:load                        hash: owner, and '*' for all -> unfinished utterances
-- ch:generation                  string: the last generation that began, of any job

local A = cmsgpack.unpack(ARGV[1])
local call = redis.call

local function K(kind, a, b, c)
  local key = 'ch:' .. kind .. ':' .. a
  if b then key = key .. ':' .. b end
  if c then key = key .. ':' .. c end
  return key
end

-- A whole number as text: by itself Lua writes 14 digits of a number, and a generation has 16.
local function whole(number)
  return type(number) == 'number' and string.format('%.0f', number) or number
end

local function member(job, gen, step, index)
  return job .. '/' .. whole(gen) .. '/' .. step .. '/' .. index
end

-- The generation that begins now: the time in microseconds, and above `before` and every one that was given. So none
-- comes twice, not of a job that has the id of one that was deleted or has expired, nor where the ledger was lost.
local function new_generation(before)
  local now, last = call('TIME'), tonumber(call('GET', 'ch:generation') or 0)
  local gen = whole(math.max(now[1] * 1000000 + now[2], last + 1, tonumber(before or 0) + 1))
  call('SET', 'ch:generation', gen)
  return gen
end

-- The steps of a plan: {{station=, each=, role=}, ...}, counted from 1.
local plans = {}
local function plan_of(text)
  if not plans[text] then
    local steps = {}
    for each, role, station in string.gmatch(text, '(%*?)([^:%s]+):(%S+)') do
      steps[#steps + 1] = { station = station, each = each == '*', role = role }
    end
    plans[text] = steps
  end
  return plans[text]
end

-- The job's record if it lives and this is its generation, else nil.
-- Within one call it is read once: the scripts keep what they read true, and `over` says that the job has ended.
local fenced = {}
local function fence(job, gen)
  local known = fenced[job]
  if known then
    if known.over or known.gen ~= whole(gen) then return nil end
    return known
  end
  local v = call('HMGET', K('job', job), 'state', 'gen', 'owner', 'prio', 'plan', 'step', 'keep', 'batch')
  if not v[1] or (v[1] ~= 'queued' and v[1] ~= 'running') then return nil end
  if v[2] ~= whole(gen) then return nil end
  fenced[job] = { id = job, state = v[1], gen = v[2], owner = v[3], prio = v[4], plan = plan_of(v[5]),
                  plan_text = v[5], step = tonumber(v[6]), keep = tonumber(v[7]), batch = v[8] }
  return fenced[job]
end

-- Whether a job that lives still wants an item: the whole job at its present step, or an utterance that is at it.
local function wants(j, step, index)
  if index < 0 then return j.step == step end
  return call('GETRANGE', K('at', j.id), index, index) == string.char(97 + step)
end

-- Puts the job into its ring at a station, if it has waiting items and room in its share.
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

-- Utterances that one call goes through at the most, so that it holds Redis for a few milliseconds. The rest of a
-- long job is gone through in portions: those that wait by `lay`, those of a job that has ended by `tidy`.
local PORTION = 500

-- Lets the next portion of a job's utterances wait for their first step; `laid` in its record says how far this has
-- come. Only where none of them waits there, so whoever takes the last one of a list sees to it by `has_waiting`.
local function lay(job, station, step, from)
  local mark, waiting, states = string.char(97 + step), {}, nil
  repeat
    states = call('GETRANGE', K('at', job), from, from + PORTION - 1)
    local i = string.find(states, mark, 1, true)
    while i do
      waiting[#waiting + 1] = from + i - 1
      i = string.find(states, mark, i + 1, true)
    end
    from = from + #states
  until #waiting > 0 or #states < PORTION
  if #waiting > 0 then call('RPUSH', K('wait', station, job), unpack(waiting)) end
  if #states == PORTION then call('HSET', K('job', job), 'laid', from) else call('HDEL', K('job', job), 'laid') end
  return #waiting > 0
end

-- Whether something of the job waits at a station; the next portion does where there is one.
local function has_waiting(job, station)
  if call('EXISTS', K('wait', station, job)) == 1 then return true end
  local v = call('HMGET', K('job', job), 'laid', 'step', 'plan')
  if not v[1] then return false end
  local step = tonumber(v[2])
  return plan_of(v[3])[step + 1].station == station and lay(job, station, step, tonumber(v[1]))
end

-- Stations at which this call let something wait.
local touched = {}

local function wait_at(j, station, index)
  touched[station] = true
  call('RPUSH', K('wait', station, j.id), index)
  activate(j, station)
end

local function is_batch(job) return string.sub(job, 1, 3) == 'ba_' end

-- What clients know as a job: not what opens a batch or enrols a voice.
local function is_job(job) return string.sub(job, 1, 4) == 'job_' end

-- Where an owner's jobs of this kind are listed.
local function listed(owner, job) return K(is_batch(job) and 'batches' or 'jobs', owner) end

-- Deliveries that may be under way to one destination at once: more to one that answered well the last time.
local AT_ONCE = { live = 8, doubtful = 1 }
-- Deliveries of one destination that its log shows, and seconds that it shows the last one.
local LOGGED, LOG_SECONDS = 10000, 30 * 86400
-- Bytes of a result or error that a delivery keeps by itself; whoever sends it looks into the ledger otherwise.
local DOCUMENT = 8192

local function lane_of(destination)
  return call('HGET', K('receiver', destination), 'live') == '1' and 'live' or 'doubtful'
end

local function has_room(destination)
  return call('ZCARD', K('sending', destination)) < AT_ONCE[lane_of(destination)]
end

-- Puts a destination into the lane that its last answer tells, at the time when something is to be done for it: a
-- delivery is due, or a lease ends. `behind`: not before that time, so that others have their turn.
local function line_up(owner, destination, behind)
  local due = call('ZRANGE', K('due', destination), 0, 0, 'WITHSCORES')[2]
  local held = call('ZRANGE', K('sending', destination), 0, 0, 'WITHSCORES')[2]
  local at
  if due and has_room(destination) then at = math.max(tonumber(due), behind or 0) end
  if held then at = math.min(tonumber(held), at or math.huge) end
  local ours = lane_of(destination)
  for lane in pairs(AT_ONCE) do
    local key = K('lane', lane, owner)
    if at and lane == ours then call('ZADD', key, at, destination) else call('ZREM', key, destination) end
    local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
    if first then call('ZADD', K('lane', lane), first, owner) else call('ZREM', K('lane', lane), owner) end
  end
end

-- Lets an event wait for a destination; once, however often it is told. Answers the delivery's id.
local function deliver(event, owner, destination, kind, now, document, url)
  local id = 'de_' .. string.sub(redis.sha1hex(event .. '/' .. destination), 1, 24)
  local key = K('delivery', id)
  if call('EXISTS', key) == 1 then return id end
  call('HSET', key, 'event', event, 'owner', owner, 'to', destination, 'type', kind, 'at', now,
    'state', 'waiting', 'attempts', 0)
  if document and #document <= DOCUMENT then call('HSET', key, 'document', document) end
  if url then call('HSET', key, 'url', url) end
  call('ZADD', K('due', destination), now, id)
  call('ZADD', K('sent', destination), now, id)
  call('ZREMRANGEBYRANK', K('sent', destination), 0, -LOGGED - 1)
  call('EXPIRE', K('sent', destination), LOG_SECONDS)
  line_up(owner, destination)
  return id
end

-- Lets an event wait for every endpoint that asks for it: the owner's, or the one that the job names (`hook`: an
-- endpoint, or a name for a URL of its own and the event types that are to go there).
-- Part of the change that it tells of, so that none is without the other.
local function publish(job, owner, gen, seq, kind, now, document)
  local hook, url = unpack(call('HMGET', K('job', job), 'hook', 'hook_url'))
  local event = job .. ':' .. gen .. ':' .. seq
  local own = hook and string.match(hook, '^own_%x+')
  if own then
    if string.find(hook, kind .. ' ', 1, true) then deliver(event, owner, owner .. '/' .. own, kind, now, document, url) end
    return
  end
  local endpoints = call('HGETALL', K('hooks', owner))
  for i = 1, #endpoints, 2 do
    if (not hook or hook == endpoints[i]) and string.find(endpoints[i + 1], kind .. ' ', 1, true) then
      deliver(event, owner, endpoints[i], kind, now, document)
    end
  end
end

-- The words of a job's log: its states, and those of its steps ('2+' runs, '2-' done, '2!' failed).
local WORDS = { queued = 'q', running = 'r', succeeded = 's', failed = 'f', canceled = 'c', completed = 'b' }
local MARKS = { running = '+', done = '-', failed = '!' }

-- Adds a word to a job's log; how many there are now, which is the event's sequence number.
local function note(job, word)
  local log = call('HGET', K('job', job), 'log')
  log = log and (log .. ' ' .. word) or word
  call('HSET', K('job', job), 'log', log)
  return select(2, string.gsub(log, '%S+', ''))
end

-- A batch is completed once it is open and all its jobs have ended; told once.
local retain, hold
local function look_at_batch(batch, now)
  local key = K('batch', batch)
  local v = call('HMGET', key, 'open', 'queued', 'running', 'completed')
  if not v[1] or v[4] or tonumber(v[2] or 0) + tonumber(v[3] or 0) > 0 then return end
  local job = call('HMGET', K('job', batch), 'owner', 'gen', 'keep')
  if not job[1] then return end
  call('HSET', key, 'completed', now)
  retain(batch, job[1], now + tonumber(job[3]))
  publish(batch, job[1], job[2], note(batch, WORDS.completed), 'batch.completed', now)
end

-- Sets a job's state, notes it, counts it for its batch and tells whoever asked to be told.
-- `document`: the result or error that it ends with.
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
      if state == 'queued' and call('HDEL', key, 'completed', 'stopped') > 0 then hold(j.batch, j.owner) end
      look_at_batch(j.batch, now)
    end
  end
end

local function step_time(j, step, state, now)
  call('HSET', K('job', j.id), 's' .. step, state, 't' .. step .. (state == 'running' and 'a' or 'b'), now)
  if MARKS[state] then note(j.id, step .. MARKS[state]) end
end

-- Sets how many unfinished utterances the job counts for.
local function set_load(j, load)
  local key = K('job', j.id)
  local delta = load - tonumber(call('HGET', key, 'load') or 0)
  if delta ~= 0 then
    call('HSET', key, 'load', load)
    if call('HINCRBY', 'ch:load', j.owner, delta) <= 0 then call('HDEL', 'ch:load', j.owner) end
    call('HINCRBY', 'ch:load', '*', delta)
  end
end

local function digest_of(work) return string.match(cmsgpack.unpack(work)[4], '([^/]+)%.%w+$') end

-- Notes that an artifact is there and needed until `expires` at least.
local function keep_artifact(owner, work, expires)
  local digest = digest_of(work)
  if digest then call('ZADD', K('artifacts', owner), 'GT', expires, digest) end
end

-- Notes of a portion of utterances that the artifacts of those rendered are needed until `expires` at least.
-- Answers how many utterances it saw.
local function keep_artifacts(owner, works, at, from, expires)
  local states = call('GETRANGE', at, from, from + PORTION - 1)
  local done, scores = {}, {}
  for i = 1, #states do
    if string.sub(states, i, i) == 'Z' then done[#done + 1] = from + i - 1 end
  end
  for _, work in ipairs(#done > 0 and call('HMGET', works, unpack(done)) or {}) do
    local digest = work and digest_of(work)
    if digest then
      scores[#scores + 1] = expires
      scores[#scores + 1] = digest
    end
  end
  if #scores > 0 then call('ZADD', K('artifacts', owner), 'GT', unpack(scores)) end
  return #states
end

-- Lets go of a job's utterances, whose artifacts are needed until `expires`: at once as far as one call may, else they
-- are set aside for `tidy`.
local at_once = PORTION
local function let_go(j, expires)
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

-- Lets what is kept of a job that has ended go by itself after its retention.
retain = function(job, owner, expires)
  call('HSET', K('job', job), 'expires', expires)
  call('ZADD', 'ch:expires', expires, owner .. '/' .. job)
  for _, kind in ipairs({ 'job', 'doc', 'text', 'err', 'end', 'batch' }) do
    call('EXPIREAT', K(kind, job), math.ceil(expires))
  end
end

-- The opposite: what has ended is wanted again.
hold = function(job, owner)
  call('HDEL', K('job', job), 'expires')
  call('ZREM', 'ch:expires', owner .. '/' .. job)
  for _, kind in ipairs({ 'job', 'doc', 'text', 'err', 'end', 'batch' }) do call('PERSIST', K(kind, job)) end
end

-- A batch's items have become jobs as far as they will: those that did not end here, as failed or canceled.
local function open_batch(j, state, now)
  local key = K('batch', j.id)
  local v = call('HMGET', key, 'items', 'jobs')
  local missing = tonumber(v[1] or 0) - tonumber(v[2] or 0)
  call('HINCRBY', key, 'queued', -missing)
  call('HINCRBY', key, state == 'canceled' and 'canceled' or 'failed', missing)
  call('HSET', key, 'open', 1)
  look_at_batch(j.id, now)
end

-- Counts the job among the users of an object that lies under its owner's name; an utterance's artifact needs none,
-- since it is rendered again where it is gone, and what belongs to a voice goes with the voice.
local function use(j, value, by)
  local kind, rest = string.match(value, '^' .. string.gsub(j.owner, '%W', '%%%0') .. '/(%l+)/(%S+)$')
  if kind ~= 'recordings' and kind ~= 'segments' and kind ~= 'embeddings' then return nil end
  local name, key = kind .. '/' .. rest, K('inuse', j.owner)
  if call('HINCRBY', key, name, by) <= 0 then call('HDEL', key, name) end
  return name
end

-- What the job brought (`objects` in its record) and what steps gave it, as far as these are objects.
local function objects_of(j)
  local found = call('HVALS', K('gift', j.id))
  for name in string.gmatch(call('HGET', K('job', j.id), 'objects') or '', '%S+') do found[#found + 1] = name end
  return found
end

-- Ends a job: its result or error is set, everything that only the work needed goes.
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
  call('HDEL', key, 'laid')
  let_go(j, expires)
  for _, value in ipairs(objects_of(j)) do
    local name = use(j, value, -1)
    if name then call('ZADD', K('artifacts', j.owner), 'GT', expires, name) end
  end
  set_load(j, 0)
  call('UNLINK', K('gift', j.id), K('tries', j.id), K('started', j.id))
  call('SET', K('end', j.id), document)
  if state == 'succeeded' then call('DEL', K('text', j.id)) end
  call('ZREM', 'ch:deadlines', j.id)
  -- A batch that is open now is kept until its jobs have ended, and from then on.
  if not (is_batch(j.id) and state == 'succeeded') then retain(j.id, j.owner, expires) end
  set_state(j, state, now, document)
  if is_batch(j.id) then open_batch(j, state, now) end
end

-- All utterances of the present generation have ended: fail, or go on with the step behind them.
local begin
local function utterances_over(j, now)
  local v = call('HMGET', K('job', j.id), 'failed', 'silence')
  local failed, last = tonumber(v[1] or 0) > 0 and v[2] ~= '1', j.step
  for i, step in ipairs(j.plan) do
    if step.each and i > j.step then last = i - 1 end
  end
  for i = j.step, last do
    step_time(j, i, failed and i == last and 'failed' or 'done', now)
  end
  if not failed then return begin(j, last + 1, now, nil) end
  local first = string.find(call('GET', K('at', j.id)), 'X', 1, true) - 1
  return finish(j, 'failed', call('HGET', K('err', j.id), first), now)
end

-- Begins a step (counted from 0): its items wait at its station. Behind the last step the job has succeeded.
begin = function(j, step, now, result)
  local s = j.plan[step + 1]
  if not s then return finish(j, 'succeeded', result or '{}', now) end
  call('HSET', K('job', j.id), 'step', step)
  j.step = step
  if not s.each then return wait_at(j, s.station, -1) end
  local states = call('GET', K('at', j.id)) or ''
  local _, waiting = string.gsub(states, string.char(97 + step), '')
  local _, failed = string.gsub(states, 'X', '')
  call('HSET', K('job', j.id), 'total', #states, 'done', #states - waiting - failed, 'failed', failed)
  set_load(j, waiting)
  if waiting == 0 then return utterances_over(j, now) end
  touched[s.station] = true
  lay(j.id, s.station, step, 0)
  activate(j, s.station)
end

-- An item has left a station for good: the job's share there grows by one, so it doubles with each round.
local function landed(j, station)
  local key = K('job', j.id)
  if call('HINCRBY', key, 'fly:' .. station, -1) < 0 then call('HSET', key, 'fly:' .. station, 0) end
  local share = tonumber(call('HGET', key, 'share:' .. station) or 1)
  if share < 4096 then call('HSET', key, 'share:' .. station, share + 1) end
  activate(j, station)
end

-- Bytes that an owner's uploads hold, but for those whose time is over.
local function held_bytes(owner, now)
  local held, sizes = K('held', owner), K('heldbytes', owner)
  for _, upload in ipairs(call('ZRANGEBYSCORE', held, '-inf', now)) do
    call('HINCRBY', sizes, 'all', -(tonumber(call('HGET', sizes, upload)) or 0))
    call('HDEL', sizes, upload)
    call('ZREM', held, upload)
  end
  return tonumber(call('HGET', sizes, 'all')) or 0
end

-- Has an upload hold `bytes` until `till`, instead of what it held. No upload lives longer than `life` seconds.
local function hold_bytes(owner, upload, bytes, till, life)
  local held, sizes = K('held', owner), K('heldbytes', owner)
  call('HINCRBY', sizes, 'all', bytes - (tonumber(call('HGET', sizes, upload)) or 0))
  if bytes > 0 then
    call('HSET', sizes, upload, bytes)
    call('ZADD', held, till, upload)
  else
    call('HDEL', sizes, upload)
    call('ZREM', held, upload)
  end
  call('EXPIRE', held, life)
  call('EXPIRE', sizes, life)
end
