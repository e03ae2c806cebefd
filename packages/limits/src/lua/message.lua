-- What admit.lua and finish.lua are given. How the numbers that follow these three are laid out, their heads say.
local a = { cmsgpack.unpack(ARGV[1]) }
-- `slack`: how much longer a key lives than it must, because its expiry counts from the script's start, before the clock is read.
local lease, slice, slack = a[1], a[2], a[3]
-- A number that goes to a command is printed first, which takes as long as a small command: what is always the same comes as text.
local HELD_TTL, MARKER_TTL, ENDED_TTL = ARGV[2], ARGV[3], ARGV[4]
-- What the keys hold, by their place; false: nothing.
local raws = #KEYS > 0 and redis.call('MGET', unpack(KEYS)) or {}

-- Answers and markers are doubles, little end first.
local DOUBLES, MOST_DOUBLES = '<dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd', 88
