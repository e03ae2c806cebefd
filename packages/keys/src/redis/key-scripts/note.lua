-- Writes an audit record.
--
-- KEYS     audit (list, latest first)
-- ARGV     audit record, most audit records, instant (ms) before which they are dropped
-- Returns  nothing
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
-- One comes, so a few go: the list shrinks to its age whatever it holds.
for _ = 1, 8 do
  local oldest = redis.call('LINDEX', KEYS[1], -1)
  if not oldest or cjson.decode(oldest).atMs >= tonumber(ARGV[3]) then break end
  redis.call('RPOP', KEYS[1])
end
