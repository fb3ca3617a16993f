-- Stores an API key by the digest of its secret: a new one, or the successor of another.
-- A: digest; either fields and lifetime (seconds, or nil), or replaces (the digest of another key) and overlap (seconds),
--    lifetime and successor (id of the new key)
-- A successor has everything of the key before it, which ends after the overlap; without a lifetime it has that of the
-- key before it. Returns 'saved', 'unknown', 'ended' or 'replaced'.
local KEPT = 30 * 86400  -- seconds that a key is listed after its end

local time = call('TIME')
local now = tonumber(time[1])

local function end_at(key, moment)
  call('HSET', key, 'expires', whole(moment))
  call('EXPIREAT', key, moment + KEPT)
end

local fields, lifetime = A.fields, A.lifetime
if A.replaces then
  local old = K('key', A.replaces)
  local flat = call('HGETALL', old)
  if not flat[1] then return 'unknown' end
  fields = {}
  for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
  local expires = tonumber(fields.expires)
  if expires and now >= expires then return 'ended' end
  if fields.replaced_by then return 'replaced' end
  lifetime = lifetime or (expires and math.ceil(expires - tonumber(fields.created)))
  local moment = now + A.overlap
  end_at(old, expires and math.min(expires, moment) or moment)
  call('HSET', old, 'replaced_by', A.successor)
end

local key = K('key', A.digest)
fields.created, fields.expires, fields.last_used = time[1] .. '.' .. string.format('%06d', time[2]), nil, nil
for name, value in pairs(fields) do call('HSET', key, name, value) end
if lifetime then end_at(key, now + lifetime) end
call('SADD', 'ch:keys', A.digest)
return 'saved'
