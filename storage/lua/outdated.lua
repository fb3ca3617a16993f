-- Takes artifacts that nobody needs any more off the owner's index; their digests. A: owner, now, limit
local key = K('artifacts', A.owner)
local digests = call('ZRANGEBYSCORE', key, '-inf', A.now, 'LIMIT', 0, A.limit)
if #digests > 0 then call('ZREM', key, unpack(digests)) end
return digests
