#!lua flags=allow-oom
-- Moves messages from queues to the unacknowledged ones atomically: a consumer that dies loses nothing.
--
-- KEYS  unacked (hash: tag -> JSON [message, exchange, queue]), unacked_index (zset: tag -> time of delivery, s),
--       then each queue and its wake list
-- ARGV  the prefix of the new delivery tags, then how many messages may be taken from each queue
-- Returns a list of messages per queue; their tags are the prefix and a number of four hexadecimal digits, counted
--       from 1 (all leases of one call expire at once: the tags keep the order).
--
-- No message is decoded: its tag is generated, not read from it. The entries have kombu's format. The script may run
-- when the server's memory is full, because it only moves data.

local clock = redis.call('TIME')
local now = string.format('%.6f', clock[1] + clock[2] / 1000000)
local given, number = {}, 0

for i = 3, #KEYS, 2 do
  local queue, wake = KEYS[i], KEYS[i + 1]
  local want = tonumber(ARGV[(i + 1) / 2])
  local messages = redis.call('RPOP', queue, want) or {}
  if #messages > 0 then
    local tail = ',"",' .. cjson.encode(queue) .. ']'
    local entries, scores = {}, {}
    for k, message in ipairs(messages) do
      number = number + 1
      local tag = ARGV[1] .. string.format('%04x', number)
      entries[2 * k - 1], entries[2 * k] = tag, '[' .. message .. tail
      scores[2 * k - 1], scores[2 * k] = now, tag
    end
    redis.call('HSET', KEYS[1], unpack(entries))
    redis.call('ZADD', KEYS[2], unpack(scores))
  end
  if #messages < want then
    redis.call('DEL', wake)
  elseif redis.call('EXISTS', queue) == 1 and redis.call('EXISTS', wake) == 0 then
    -- More is there than this consumer may take: another one's turn.
    redis.call('LPUSH', wake, 1)
    redis.call('EXPIRE', wake, 60)
  end
  given[#given + 1] = messages
end
return given
