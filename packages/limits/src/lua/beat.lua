-- An instance says that it is there, and learns who else is.
--
-- KEYS     the instances (a sorted set: name by last beat), the epoch (a string)
-- ARGV     the instance's name, a fresh epoch, ms after which one is gone, ms without any beat that mean an outage, 1: it leaves
-- Returns  how many there are, this one's place among them by name (from 0), and the epoch. Another epoch than before: Redis was emptied.
local month = 2592000000
if ARGV[5] == '1' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  -- While none could beat, none can be found gone: the first that is back must not take the others' parts.
  local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
  local silence = last[2] and now - last[2] or 0
  if silence > ARGV[4] + 0 then
    for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZINCRBY', KEYS[1], silence, name) end
  end
  redis.call('ZADD', KEYS[1], now, ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
redis.call('PEXPIRE', KEYS[1], month)
local epoch = redis.call('GET', KEYS[2])
if not epoch then epoch = ARGV[2] end
-- For a month without a beat: every key has its time to live.
redis.call('SET', KEYS[2], epoch, 'PX', month)
local names = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(names)
local place = 0
for i = 1, #names do
  if names[i] == ARGV[1] then place = i - 1 end
end
return { #names, place, epoch }
