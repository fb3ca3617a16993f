-- Closes an upload: it was used, or is `gone`. Its form may be posted until it expires, so its bytes are reserved
-- until then. A: owner, upload, now, life, bytes (its size), form (seconds; 0: none), gone
call('ZREM', K('uploads', A.owner), A.upload)
if A.gone then call('DEL', K('upload', A.upload)) end
local till = tonumber(call('ZSCORE', K('held', A.owner), A.upload))
if not till or not (A.gone or A.form > 0) then return end
local before = tonumber(call('HGET', K('heldbytes', A.owner), A.upload)) or 0
local now = math.min(before, A.bytes)
hold_bytes(A.owner, A.upload, now, till, A.life)
local lapses = till - A.life + A.form
if lapses > A.now then hold_bytes(A.owner, A.upload .. ':form', before - now, lapses, A.life) end
