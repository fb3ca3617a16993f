-- Bytes reserved by uploads.

-- The bytes of an owner's uploads, without expired ones.
local function held_bytes(owner, now)
  local held, sizes = K('held', owner), K('heldbytes', owner)
  for _, upload in ipairs(call('ZRANGEBYSCORE', held, '-inf', now)) do
    call('HINCRBY', sizes, 'all', -(tonumber(call('HGET', sizes, upload)) or 0))
    call('HDEL', sizes, upload)
    call('ZREM', held, upload)
  end
  return tonumber(call('HGET', sizes, 'all')) or 0
end

-- Sets the bytes of an upload to `bytes` until `till`. No upload lives longer than `life` seconds.
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
