-- Names of keys. Prepended to every script, as are items.lua, deliveries.lua, usage.lua, jobs.lua and uploads.lua, in
-- this order.
--
-- A batch (ba_...), the enrolment of a voice (vo_...) and the preview of a text (pv_...) are jobs too: the same records,
-- the same stations.
--
-- ch:job:{job}                   hash: owner, state, gen, prio, plan, step, total, done, failed, s{k}, log ...
--                                laid: utterances laid down; opening: the step that goes on laying them down
--                                key: id of the API key that it counts for; open: open jobs that it counts for;
--                                audio: milliseconds of its recordings that are charged; limits: on those
-- ch:doc:{job}                   string: the job's document (JSON), never changed
-- ch:text:{job}                  string: the job's text, gone once the job has succeeded
-- ch:utt:{job}                   hash: utterance index -> its work (MessagePack, opaque here)
-- ch:at:{job}                    string: one byte per utterance: where it stands, see AT_DONE in items.lua
-- ch:err:{job}                   hash: utterance index -> error (JSON)
-- ch:outputs:{job}                  hash: outputs of steps (opaque here)
-- ch:end:{job}                   string: result or error (JSON)
-- ch:wait:{station}:{job}        list: indices that wait there; at the first step of utterances one portion at a time
-- ch:past:{n}, ch:pastat:{n}     ch:utt and ch:at of a generation that has ended, until `tidy` has processed them
-- ch:pasts                       zset: '{n} {when its artifacts expire} {owner}' -> utterances processed so far
-- ch:pastn                       number of the last one
-- ch:ring:{station}:{prio}:{owner}  list: jobs that may release an item, in turns
-- ch:owners:{station}:{prio}     list: owners with such jobs, in turns
-- ch:out:{station}               zset: released items -> when released
-- ch:deadlines                   zset: job -> when (seconds)
-- ch:expires                     zset: owner/job -> when (seconds)
-- ch:everyone                    set: owners that ever had a job
-- ch:jobs:{owner}                zset: job -> created
-- ch:batches:{owner}             zset: batch -> created
-- ch:batch:{batch}               hash: items, jobs made of them, how many are in each state; open, completed, stopped;
--                                charged: characters that it was charged, `by` a key on `day`; characters: those of its jobs
-- ch:webhook:{endpoint}          hash: owner, url, events, secrets, enabled ... (its id is we_...)
-- ch:hooks:{owner}               hash: enabled endpoint -> its event types, each followed by a space
-- ch:delivery:{delivery}         hash: one event on its way to one destination: an endpoint, or {owner}/own_{receiver}
-- ch:due:{destination}           zset: waiting delivery -> when it is due
-- ch:sending:{destination}       zset: delivery that is being sent -> when its lease expires
-- ch:sent:{destination}          zset: delivery -> when its event was
-- ch:receiver:{destination}      hash: live (whether its last response was a success), failing (since when it fails)
-- ch:lane:{lane}:{owner}         zset: destination -> time of its next delivery or lease expiry
-- ch:lane:{lane}                 zset: owner -> the earliest such time of its destinations
-- ch:lexicon:{lexicon}           hash: owner, created, version (the latest), v{n} (a version, JSON), o{n} (its object)
-- ch:lexicons:{owner}            zset: lexicon -> created
-- ch:artifacts:{owner}           zset: digest of an utterance's artifact, or another object's name without its owner
--                                -> until when it is needed
-- ch:inuse:{owner}               hash: such an object -> number of unfinished jobs, and of lexicons, that need it
-- ch:upload:{upload}             string: its owner
-- ch:uploads:{owner}             zset: unused upload -> when it expires
-- ch:held:{owner}                zset: upload (:form: bytes that may still be posted) -> until when it holds bytes
-- ch:heldbytes:{owner}           hash: such an upload -> bytes; all: their sum
-- ch:key:{digest}                hash: an API key, by the SHA-256 of its secret: see storage/access/keys.py
-- ch:keys                        set: such digests
-- ch:limits:{owner}              hash: the limits of one owner, in place of those of the settings
-- ch:requests:key:{digest}, ch:requests:owner:{owner}  zset: counted request -> when (microseconds), for two minutes
-- ch:tries:{job}                 hash: index -> number of retries
-- ch:started:{job}               hash: step.index -> runs started and not recorded: 1 each, 1000 each when alone;
--                                .by: the process of the last one, .at: when it started
-- ch:delayed                     zset: item to be retried -> when
-- ch:load                        hash: owner, and '*' for all -> unfinished utterances
-- ch:open                        hash: '{owner}|{key}', and '{owner}|*' for all keys of an owner -> open jobs
-- ch:usage:{owner}:{day}         hash: '{key}|{what}', and '*|{what}' for all keys of an owner -> amount; key '-': none;
--                                what: requests, jobs, characters, audio_in, audio_out (milliseconds), succeeded, failed;
--                                day: since 1970-01-01, in UTC; kept for 400 days
-- ch:metrics                     hash: counter and its label values, separated by '|' -> count: see storage/metrics.py
-- ch:generation                  string: the last generation that was started, of any job

local A = cmsgpack.unpack(ARGV[1])
local call = redis.call

local function K(kind, a, b, c)
  local key = 'ch:' .. kind .. ':' .. a
  if b then key = key .. ':' .. b end
  if c then key = key .. ':' .. c end
  return key
end

-- The keys of a job's record, which are kept after its work.
local RECORD_KEYS = { 'job', 'doc', 'text', 'err', 'end', 'batch' }

-- Calls a command on every key of a job's record, with the given arguments after the key.
local function each_record_key(command, job, ...)
  for _, kind in ipairs(RECORD_KEYS) do call(command, K(kind, job), ...) end
end

-- A whole number as text: by default Lua writes 14 digits of a number, and a generation has 16.
local function whole(number)
  return type(number) == 'number' and string.format('%.0f', number) or number
end

local function member(job, gen, step, index)
  return job .. '/' .. whole(gen) .. '/' .. step .. '/' .. index
end

-- A new generation: the time in microseconds, but greater than `before` and than all earlier ones. So none is used
-- twice, even if a job reuses the id of one that was deleted or has expired, or if the ledger was lost.
local function new_generation(before)
  local now, last = call('TIME'), tonumber(call('GET', 'ch:generation') or 0)
  local gen = whole(math.max(now[1] * 1000000 + now[2], last + 1, tonumber(before or 0) + 1))
  call('SET', 'ch:generation', gen)
  return gen
end
