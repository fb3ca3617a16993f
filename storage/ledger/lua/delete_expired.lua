-- Takes what is left of a job past its retention out of the ledger. A: owner, job, now. Answers 0 where it is kept.
local entry = A.owner .. '/' .. A.job
local expires = call('ZSCORE', 'ch:expires', entry)
if not expires or tonumber(expires) > A.now then return 0 end
call('ZREM', 'ch:expires', entry)
call('ZREM', list_key(A.owner, A.job), A.job)
each_record_key('UNLINK', A.job)
return 1
