-- The clock of every script: Redis' own, in milliseconds, read once. SLACK_MS is how much longer a key lives than it must, because the
-- expiry counts from the script's start, which is before the clock is read.
local SLACK_MS = 1000
local now
do
  local time = redis.call('TIME')
  local micros = tonumber(time[2])
  now = tonumber(time[1]) * 1000 + (micros - micros % 1000) / 1000
end
