-- Names of keys. Laid before every script, as are items.lua, deliveries.lua, jobs.lua and uploads.lua, in this order.
--
-- A job is also what opens a batch (ba_...) or enrols a voice (vo_...): one record, one way through the stations.
--
-- ch:job:{job}                   hash: owner, state, gen, prio, plan, step, total, done, failed, s{k}, log ...
-- ch:doc:{job}                   string: the job's document (JSON), never changed
-- ch:text:{job}                  string: the job's text, gone once the job has succeeded
-- ch:utt:{job}                   hash: utterance index -> its work (MessagePack, opaque here)
-- ch:at:{job}                    string: one byte per utterance: where it stands, see AT_DONE in items.lua
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
-- ch:metrics                     hash: counter and its label values, '|' between -> how many: see storage/metrics.py
-- ch:generation                  string: the last generation that began, of any job

local A = cmsgpack.unpack(ARGV[1])
local call = redis.call

local function K(kind, a, b, c)
  local key = 'ch:' .. kind .. ':' .. a
  if b then key = key .. ':' .. b end
  if c then key = key .. ':' .. c end
  return key
end

-- The keys of a job's record, which outlast its work.
local RECORD_KEYS = { 'job', 'doc', 'text', 'err', 'end', 'batch' }

-- Calls a command on every key of a job's record, with what follows the key.
local function each_record_key(command, job, ...)
  for _, kind in ipairs(RECORD_KEYS) do call(command, K(kind, job), ...) end
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
