-- What an owner and a key use now, and the seconds until the day ends: {{what, of the key, of the owner}, ...}, seconds.
-- A: owner, key
local found = {}
for i, what in ipairs({ 'open_jobs', 'characters', 'audio_in' }) do
  found[i] = { what, in_use(A.owner, A.key or NO_KEY, what), in_use(A.owner, ALL_KEYS, what) }
end
return { found, math.ceil(DAY - clock() % DAY) }
