-- The clock of every script: Redis' own, in milliseconds, read once.
local time = redis.call('TIME')
local micros = time[2] + 0
local now = time[1] * 1000 + (micros - micros % 1000) / 1000
