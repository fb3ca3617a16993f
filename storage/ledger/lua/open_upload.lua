-- Creates an upload. Returns 0 if the owner has too many open ones, or too many bytes. A: owner, upload, now, life
-- (seconds), limit (open at once), bytes (reserved from the start), budget (bytes of all)
local open = K('uploads', A.owner)
call('ZREMRANGEBYSCORE', open, '-inf', A.now)
if call('ZCARD', open) >= A.limit or held_bytes(A.owner, A.now) + A.bytes > A.budget then return 0 end
call('SET', K('upload', A.upload), A.owner, 'EX', A.life)
call('ZADD', open, A.now + A.life, A.upload)
call('EXPIRE', open, A.life)
hold_bytes(A.owner, A.upload, A.bytes, A.now + A.life, A.life)
return 1
