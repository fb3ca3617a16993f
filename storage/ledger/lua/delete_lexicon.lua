-- Deletes a lexicon; the objects of its versions are deleted after `expires`, once no job needs them.
-- A: lexicon, owner, kept, expires
local key = K('lexicon', A.lexicon)
local newest = tonumber(call('HGET', key, 'version') or 0)
for n = math.max(1, newest - A.kept + 1), newest do drop_version(A.lexicon, A.owner, n, A.expires) end
call('DEL', key)
call('ZREM', K('lexicons', A.owner), A.lexicon)
