-- Reads the records that changed since a version, a page of them.
--
-- KEYS     records (hash: id → JSON), changes (sorted set: id by version), state (hash: epoch, version)
-- ARGV     version that the reader knows, most records
-- Returns  epoch (or false), version, then for each record its version and its JSON, in the order of versions
local state = redis.call('HMGET', KEYS[3], 'epoch', 'version')
local answer = { state[1], state[2] or '0' }
if state[2] == ARGV[1] then return answer end
local changed = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for i = 1, #changed, 2 do
  answer[#answer + 1] = changed[i + 1]
  answer[#answer + 1] = redis.call('HGET', KEYS[1], changed[i]) or ''
end
return answer
