-- An instance says that it is there, and learns who else is.
--
-- KEYS     the instances (a sorted set: name by last beat), the epoch (a string)
-- ARGV[1]  the instance's name; ARGV[2] the time if a test sets it; ARGV[3] a fresh epoch; ARGV[4] ms after which one is gone;
--          ARGV[5] 1: it leaves
-- Returns  how many there are, this one's place among them by name (from 0), and the epoch. Another epoch than before: Redis was emptied.
if ARGV[5] == '1' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], now, ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[4] * 2)
local epoch = redis.call('GET', KEYS[2])
if not epoch then epoch = ARGV[3] end
-- For a month without a beat: every key has its time to live.
redis.call('SET', KEYS[2], epoch, 'PX', 2592000000)
local names = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(names)
local place = 0
for i = 1, #names do
  if names[i] == ARGV[1] then place = i - 1 end
end
return { #names, place, epoch }
