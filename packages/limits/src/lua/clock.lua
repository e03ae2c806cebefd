-- The clock of every script: Redis' own, in milliseconds, read once.
local time = redis.call('TIME')
local now = time[1] * 1000 + (time[2] - time[2] % 1000) / 1000
