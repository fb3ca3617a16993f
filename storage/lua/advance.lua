-- Records how items ended and lets what follows wait at its station, in one step that cannot come apart.
-- Safe to repeat: an item that is recorded already changes nothing.
-- A: now, items = {{job, gen, step, index, station, kind, document, gifts}, ...}
--    kind: 'done' (document: result of a last step, or nil; gifts: flat list) | 'failed' (document: error)
-- Answers how each was taken (1 recorded, 0 not wanted any more), and the stations that got something to do.
local out = {}
for n, it in ipairs(A.items) do
  local job, gen, step, index, station = it[1], it[2], it[3], it[4], it[5]
  local kind, document, gifts = it[6], it[7], it[8]
  call('ZREM', K('out', station), member(job, gen, step, index))
  local j = fence(job, gen)
  out[n] = 0
  if j and index < 0 and j.step == step then
    out[n] = 1
    if gifts and #gifts > 0 then call('HSET', K('gift', job), unpack(gifts)) end
    landed(j, station)
    if kind == 'failed' then
      step_time(j, step, 'failed', A.now)
      finish(j, 'failed', document, A.now)
    else
      step_time(j, step, 'done', A.now)
      begin(j, step + 1, A.now, document)
    end
  elseif j and index >= 0 and call('GETRANGE', K('at', job), index, index) == string.char(97 + step) then
    out[n] = 1
    local key, follows = K('job', job), j.plan[step + 2]
    landed(j, station)
    if kind == 'done' and follows and follows.each then
      call('SETRANGE', K('at', job), index, string.char(97 + step + 1))
      wait_at(j, follows.station, index)
    else
      call('SETRANGE', K('at', job), index, kind == 'done' and 'Z' or 'X')
      if kind == 'done' then
        call('HINCRBY', key, 'done', 1)
      else
        call('HINCRBY', key, 'failed', 1)
        call('HSET', K('err', job), index, document)
      end
      local v = call('HMGET', key, 'done', 'failed', 'total')
      if tonumber(v[1]) + tonumber(v[2]) >= tonumber(v[3]) then utterances_over(j, A.now) end
    end
  end
end
local stations = {}
for station in pairs(touched) do stations[#stations + 1] = station end
return { out, stations }
