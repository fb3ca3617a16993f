-- Creates a job and enqueues its first step. Returns 0 if the job already exists, -1 if its owner and -2 if all owners
-- together have too much unfinished work, -3 if its batch has been canceled or deleted; or the limit that is exceeded:
-- see `refusal_of`. It is charged in the same call that creates it.
-- An owner without unfinished work is never rejected because of the owner's limit.
-- A: job, owner, prio, plan, doc, text, now, deadline (seconds), keep, silence, load, owner_bound, bound,
--    listed (whether it appears in its owner's list), hook (endpoint, or a name for a URL of its own and event types),
--    hook_url (that URL),
--    batch and batch_gen (the batch of the job), items (of a new batch),
--    objects (names of objects that it needs, separated by spaces),
--    charge, hears, characters (see `charge_new`)
local key = K('job', A.job)
if call('EXISTS', key) == 1 then return 0 end
if A.batch and not fence(A.batch, A.batch_gen) then return -3 end
-- The limits were checked for the whole batch; its job takes its share of the batch's load.
if not A.batch then
  local load = call('HMGET', 'ch:load', A.owner, '*')
  local own, all = tonumber(load[1] or 0), tonumber(load[2] or 0)
  if own > 0 and own + A.load > A.owner_bound then return -1 end
  if all > 0 and all + A.load > A.bound then
    -- An owner counts at most with the owner's limit: work above it does not reduce the capacity of others.
    local counted, loads = 0, call('HGETALL', 'ch:load')
    for i = 1, #loads, 2 do
      if loads[i] ~= '*' then counted = counted + math.min(tonumber(loads[i + 1]), A.owner_bound) end
    end
    if counted > 0 and counted + A.load > A.bound then return -2 end
  end
end
if A.charge then
  local c = A.charge
  local wanted = { open_jobs = A.items or (is_job(A.job) and 1 or 0), characters = c.characters, audio_in = c.audio }
  for _, what in ipairs({ 'open_jobs', 'characters', 'audio_in' }) do
    local refused = refusal_of(A.owner, c.key, c.limits, what, wanted[what])
    if refused then return refused end
  end
end
local gen = new_generation()
call('HSET', key, 'owner', A.owner, 'state', 'queued', 'gen', gen, 'origin', gen, 'prio', A.prio, 'plan', A.plan, 'step', 0,
  'created', A.now, 'deadline', A.now + A.deadline, 'span', A.deadline, 'keep', A.keep)
if A.silence then call('HSET', key, 'silence', '1') end
if A.hook then call('HSET', key, 'hook', A.hook) end
if A.hook_url then call('HSET', key, 'hook_url', A.hook_url) end
if A.batch then
  call('HSET', key, 'batch', A.batch)
  call('HINCRBY', K('batch', A.batch), 'jobs', 1)
  local left = tonumber(call('HGET', K('job', A.batch), 'load') or 0) - A.load
  set_load(fence(A.batch, A.batch_gen), math.max(0, left))
end
if A.items then call('HSET', K('batch', A.job), 'items', A.items, 'jobs', 0, 'queued', A.items) end
call('SET', K('doc', A.job), A.doc)
if A.text then call('SET', K('text', A.job), A.text) end
call('ZADD', 'ch:deadlines', A.now + A.deadline, A.job)
if A.listed then call('ZADD', list_key(A.owner, A.job), A.now, A.job) end
call('SADD', 'ch:everyone', A.owner)
-- An earlier job with this id may still be in the list of expiries: the reaper must not confuse the two.
call('ZREM', 'ch:expires', A.owner .. '/' .. A.job)
local j = fence(A.job, gen)
if A.objects then
  call('HSET', key, 'objects', A.objects)
  for _, name in ipairs(objects_of(j)) do use(j, name, 1) end
end
charge_new(j)
set_load(j, A.load)
set_state(j, 'queued', A.now)
begin(j, 0, A.now)
return 1
