-- Open jobs, use by day, and the limits on both. See `storage.access.charge` and `storage.access.usage`.

local DAY, USAGE_KEPT = 86400, 401 * 86400

-- A request without an API key, and all keys of an owner together, among the fields of ch:usage and ch:open.
local NO_KEY, ALL_KEYS = '-', '*'

-- Unix seconds by Redis' clock, so that all processes agree on the day. Tests pass a clock of their own.
local function clock() return A.clock or tonumber(call('TIME')[1]) end

local function today() return math.floor(clock() / DAY) end

-- Adds to what a key and its owner have used on a day.
local function add_use(owner, key, what, amount, day)
  if amount == 0 then return end
  local name = K('usage', owner, day or today())
  if call('HINCRBY', name, ALL_KEYS .. '|' .. what, amount) == amount then call('EXPIRE', name, USAGE_KEPT) end
  call('HINCRBY', name, (key or NO_KEY) .. '|' .. what, amount)
end

-- What an owner (key: ALL_KEYS) or a key uses now: open jobs, or what counts on this day.
local function in_use(owner, key, what)
  if what == 'open_jobs' then return tonumber(call('HGET', 'ch:open', owner .. '|' .. key) or 0) end
  return tonumber(call('HGET', K('usage', owner, today()), key .. '|' .. what) or 0)
end

-- The limit that `amount` more of `what` would exceed: {what, 'key' or 'owner', limit, used, amount, seconds until the
-- day ends}; nil if there is none. `limits`: {key = {what = limit}, owner = {...}}.
local function refusal_of(owner, key, limits, what, amount)
  if amount <= 0 then return nil end
  for _, whose in ipairs({ 'key', 'owner' }) do
    local limit = limits[whose][what]
    if limit then
      local used = in_use(owner, whose == 'key' and (key or NO_KEY) or ALL_KEYS, what)
      if used + amount > limit then return { what, whose, limit, used, amount, math.ceil(DAY - clock() % DAY) } end
    end
  end
end

-- Sets the number of open jobs that a job counts for: 1, or those of a batch that are still to be created.
local function set_open(j, open)
  local key = K('job', j.id)
  local delta = open - tonumber(call('HGET', key, 'open') or 0)
  if delta == 0 then return end
  if open == 0 then call('HDEL', key, 'open') else call('HSET', key, 'open', open) end
  for _, holder in ipairs({ ALL_KEYS, j.key or NO_KEY }) do
    local field = j.owner .. '|' .. holder
    if call('HINCRBY', 'ch:open', field, delta) <= 0 then call('HDEL', 'ch:open', field) end
  end
end

-- The limits that hold for what is charged later, as text: the key's and the owner's milliseconds of audio.
local function later_limits(limits)
  return whole(limits.key.audio_in or '-') .. ' ' .. whole(limits.owner.audio_in or '-')
end

local function read_later_limits(text)
  local key, owner = string.match(text, '^(%S+) (%S+)$')
  return { key = { audio_in = tonumber(key) }, owner = { audio_in = tonumber(owner) } }
end

-- Charges a job or batch that was created just now; nothing that it brings was refused.
-- A.charge: {key, limits, characters, audio (milliseconds)}; A.hears: whether recordings come with it.
local function charge_new(j)
  local key, charge = K('job', j.id), A.charge or {}
  local batch, limits = A.batch and K('batch', A.batch), nil
  if batch then
    local v = call('HMGET', K('job', A.batch), 'key', 'limits', 'open')
    j.key, limits = v[1], v[2]
    set_open(fence(A.batch, A.batch_gen), math.max(0, tonumber(v[3] or 0) - 1))
    call('HINCRBY', batch, 'characters', A.characters)
  else
    j.key, limits = charge.key, charge.limits and later_limits(charge.limits)
    add_use(j.owner, j.key, 'characters', charge.characters or 0)
    add_use(j.owner, j.key, 'audio_in', charge.audio or 0)
  end
  if j.key then call('HSET', key, 'key', j.key) end
  -- The length of some recordings becomes known later: see charge_audio.lua.
  if A.hears and (batch or A.charge) then call('HSET', key, 'audio', charge.audio or 0) end
  if limits and (A.hears or A.items) then call('HSET', key, 'limits', limits) end
  if is_job(j.id) then
    add_use(j.owner, j.key, 'jobs', 1)
    set_open(j, 1)
  elseif A.items then
    call('HSET', K('batch', j.id), 'charged', charge.characters or 0, 'day', today(), 'by', j.key or NO_KEY)
    set_open(j, A.items)
  end
end

-- A batch was charged by the length of its texts, markup and invalid items included. Once all its jobs are created, it
-- is charged by theirs.
local function settle_batch(j)
  local v = call('HMGET', K('batch', j.id), 'charged', 'characters', 'day', 'by')
  if v[1] then add_use(j.owner, v[4], 'characters', tonumber(v[2] or 0) - tonumber(v[1]), tonumber(v[3])) end
end

-- Counts a job that has ended. j.generated: milliseconds of audio in its result.
local function count_end(j, state)
  set_open(j, 0)
  if is_batch(j.id) and state == 'succeeded' then settle_batch(j) end
  if not is_job(j.id) then return end
  if state == 'succeeded' or state == 'failed' then add_use(j.owner, j.key, state, 1) end
  if state == 'succeeded' then add_use(j.owner, j.key, 'audio_out', j.generated or 0) end
end
