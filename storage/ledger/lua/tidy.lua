-- Processes a portion of the utterances of a job that has ended: the artifacts of those rendered are kept as long as
-- the job. Returns how many such jobs remain; safe to repeat. A: nothing
local entry, from = unpack(call('ZRANGE', 'ch:pasts', 0, 0, 'WITHSCORES'))
if not entry then return 0 end
local n, expires, owner = string.match(entry, '^(%d+) (%S+) (.*)$')
local seen = keep_artifacts(owner, K('past', n), K('pastat', n), tonumber(from), tonumber(expires))
if seen == PORTION then
  call('ZINCRBY', 'ch:pasts', seen, entry)
else
  call('UNLINK', K('past', n), K('pastat', n))
  call('ZREM', 'ch:pasts', entry)
end
return call('ZCARD', 'ch:pasts')
