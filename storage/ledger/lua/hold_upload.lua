-- Sees that an upload may hold `bytes`, and, but for a `trial`, has it hold them: never fewer than before, since an
-- earlier PUT may end later. Answers 1; 0 too many bytes, -1 no such upload, -2 it has been used. A: owner, upload,
-- bytes, budget, now, life, trial
if call('GET', K('upload', A.upload)) ~= A.owner then return -1 end
local till = call('ZSCORE', K('uploads', A.owner), A.upload)
if not till then return -2 end
local all = held_bytes(A.owner, A.now)
local before = tonumber(call('HGET', K('heldbytes', A.owner), A.upload)) or 0
if A.bytes <= before then return 1 end
if all - before + A.bytes > A.budget then return 0 end
if not A.trial then hold_bytes(A.owner, A.upload, A.bytes, tonumber(till), A.life) end
return 1
