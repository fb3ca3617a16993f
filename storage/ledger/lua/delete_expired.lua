-- Deletes what is left of a job past its retention. A: owner, job, now. Returns 0 if it must be kept.
local entry = A.owner .. '/' .. A.job
local expires = call('ZSCORE', 'ch:expires', entry)
if not expires or tonumber(expires) > A.now then return 0 end
call('ZREM', 'ch:expires', entry)
call('ZREM', list_key(A.owner, A.job), A.job)
each_record_key('UNLINK', A.job)
return 1
