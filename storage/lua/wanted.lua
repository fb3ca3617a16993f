-- Of items about to run, which are still wanted: 1 or 0 each. A: items = {{job, gen, step, index}, ...}
local out = {}
for n, it in ipairs(A.items) do
  local j = fence(it[1], it[2])
  out[n] = 0
  if j and it[4] >= 0 then
    if call('GETRANGE', K('at', it[1]), it[4], it[4]) == string.char(97 + it[3]) then out[n] = 1 end
  elseif j and j.step == it[3] then
    out[n] = 1
  end
end
return out
