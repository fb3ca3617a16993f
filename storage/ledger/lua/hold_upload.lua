-- Checks that an upload may hold `bytes` and, unless it is a `trial`, reserves them: never fewer than before, because
-- an earlier PUT may still be running. Returns 1; 0 for too many bytes, -1 for no such upload, -2 if it has been used.
-- A: owner, upload, bytes, budget, now, life, trial
if call('GET', K('upload', A.upload)) ~= A.owner then return -1 end
local till = call('ZSCORE', K('uploads', A.owner), A.upload)
if not till then return -2 end
local all = held_bytes(A.owner, A.now)
local before = tonumber(call('HGET', K('heldbytes', A.owner), A.upload)) or 0
if A.bytes <= before then return 1 end
if all - before + A.bytes > A.budget then return 0 end
if not A.trial then hold_bytes(A.owner, A.upload, A.bytes, tonumber(till), A.life) end
return 1
