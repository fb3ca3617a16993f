-- Removes artifacts that are no longer needed from the owner's index, and returns their digests or names. Artifacts
-- that an unfinished job uses are checked again later. A: owner, now, limit
local key, gone = K('artifacts', A.owner), {}
for _, name in ipairs(call('ZRANGEBYSCORE', key, '-inf', A.now, 'LIMIT', 0, A.limit)) do
  if call('HEXISTS', K('inuse', A.owner), name) == 1 then
    call('ZADD', key, A.now + 60, name)
  else
    call('ZREM', key, name)
    gone[#gone + 1] = name
  end
end
return gone
