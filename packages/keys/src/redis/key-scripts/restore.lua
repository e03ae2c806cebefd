-- Writes back the records that Redis lacks or has in an earlier revision.
--
-- KEYS     records (hash: id → JSON), changes (sorted set: id by version), state (hash: epoch, version)
-- ARGV     an epoch if there is none yet, then id, revision and record of each
-- Returns  how many were written
redis.call('HSETNX', KEYS[3], 'epoch', ARGV[1])
local written = 0
for i = 2, #ARGV, 3 do
  local kept = redis.call('HGET', KEYS[1], ARGV[i])
  local revision = kept and cjson.decode(kept).revision or 0
  if revision < tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    redis.call('ZADD', KEYS[2], redis.call('HINCRBY', KEYS[3], 'version', 1), ARGV[i])
    written = written + 1
  end
end
return written
