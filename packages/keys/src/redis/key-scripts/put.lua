-- Writes a record and the audit record of the change: both or neither.
--
-- KEYS     records (hash: id → JSON), changes (sorted set: id by version), state (hash: epoch, version), audit (list, latest first)
-- ARGV     id, revision, record, audit record, an epoch if there is none yet, most records, most audit records,
--          instant (ms) before which audit records are dropped
-- Returns  'done', 'stale' or 'full'
local kept = redis.call('HGET', KEYS[1], ARGV[1])
local revision = kept and cjson.decode(kept).revision or 0
if revision + 1 ~= tonumber(ARGV[2]) then return 'stale' end
if not kept and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[6]) then return 'full' end

redis.call('HSETNX', KEYS[3], 'epoch', ARGV[5])
local version = redis.call('HINCRBY', KEYS[3], 'version', 1)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('ZADD', KEYS[2], version, ARGV[1])

redis.call('LPUSH', KEYS[4], ARGV[4])
redis.call('LTRIM', KEYS[4], 0, ARGV[7] - 1)
-- One comes, so a few go: the list shrinks to its age whatever it holds.
for _ = 1, 8 do
  local oldest = redis.call('LINDEX', KEYS[4], -1)
  if not oldest or cjson.decode(oldest).atMs >= tonumber(ARGV[8]) then break end
  redis.call('RPOP', KEYS[4])
end
return 'done'
