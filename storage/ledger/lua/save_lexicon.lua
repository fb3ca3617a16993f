-- Adds a version to a lexicon, or creates it; its oldest versions beyond `kept` are dropped. Returns the new version's
-- number; -1 if the lexicon does not exist, -2 if its owner has too many, -3 if its version is not the expected one.
-- A: lexicon, owner, expected (0: create; none: any version), document, object, now, most, kept, expires
local key = K('lexicon', A.lexicon)
local owner, version = unpack(call('HMGET', key, 'owner', 'version'))
if A.expected == 0 then
  if call('ZCARD', K('lexicons', A.owner)) >= A.most then return -2 end
  call('HSET', key, 'owner', A.owner, 'created', A.now)
  call('ZADD', K('lexicons', A.owner), A.now, A.lexicon)
  call('SADD', 'ch:everyone', A.owner)
elseif owner ~= A.owner then
  return -1
elseif A.expected and tonumber(version) ~= A.expected then
  return -3
end
local new = tonumber(version or 0) + 1
call('HSET', key, 'version', new, 'v' .. new, A.document, 'o' .. new, A.object)
use({ owner = A.owner }, A.object, 1)
if new > A.kept then drop_version(A.lexicon, A.owner, new - A.kept, A.expires) end
return new
