-- An instance says that it is there, and learns who else is.
--
-- KEYS     the instances (a sorted set: name by last beat), the epoch (a string)
-- ARGV     the instance's name, a fresh epoch, ms after which one is gone, 1: it leaves
-- Returns  how many there are, this one's place among them by name (from 0), and the epoch. Another epoch than before: Redis was emptied.
if ARGV[4] == '1' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], now, ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[3] * 2)
local epoch = redis.call('GET', KEYS[2])
if not epoch then epoch = ARGV[2] end
-- For a month without a beat: every key has its time to live.
redis.call('SET', KEYS[2], epoch, 'PX', 2592000000)
local names = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(names)
local place = 0
for i = 1, #names do
  if names[i] == ARGV[1] then place = i - 1 end
end
return { #names, place, epoch }
