-- Forgets readers that hold no record: those that have long been silent, and the one that leaves.
--
-- KEYS     the stream
-- ARGV     the group, ms of silence, the name of the one that leaves or ''
-- Returns  how many were forgotten
local forgotten = 0
for _, found in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #found, 2 do consumer[found[i]] = found[i + 1] end
  if consumer.pending == 0 and (consumer.idle > tonumber(ARGV[2]) or consumer.name == ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    forgotten = forgotten + 1
  end
end
return forgotten
