-- Ends requests, then admits others: one call for both. The first message is of the ends, and everything is as in finish.lua; the second,
-- ARGV[6], is of the admissions. They share the keys.
-- Returns  the answers of both, one behind the other
local told = finished()
a = { cmsgpack.unpack(ARGV[6]) }
told = told .. admitted()
save()
return told
