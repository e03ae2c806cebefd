-- Takes records off the stream that are kept elsewhere: in one step, so that none stays in it that nobody is given any more.
--
-- KEYS     the stream
-- ARGV     the group, then the records' ids in the stream
-- Returns  how many were taken off
redis.call('XACK', KEYS[1], unpack(ARGV))
return redis.call('XDEL', KEYS[1], unpack(ARGV, 2))
