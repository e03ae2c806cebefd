-- Adds records to the sums of their days and takes them off the stream, each in one step: whoever has taken one off has added it.
--
-- KEYS     the stream, then the days (hashes: row to sums)
-- ARGV     the group, ms that a day is kept, how many rows a day may have, how many numbers a record has, then each record:
--            its id in the stream, place of its day, its row, the row for it where the day has too many, and one for twice too many; its numbers
-- Returns  how many were added
--
-- A row's sums are one text, with a space between them. They are whole numbers below 2^53.
local group, ttl, most, width = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local added, touched = 0, {}
for i = 5, #ARGV, 5 + width do
  local id, day = ARGV[i], KEYS[tonumber(ARGV[i + 1])]
  if redis.call('XACK', KEYS[1], group, id) == 1 then
    redis.call('XDEL', KEYS[1], id)
    local row, sums
    for step = 0, 2 do
      row = ARGV[i + 2 + step]
      sums = redis.call('HGET', day, row)
      if sums or step == 2 or redis.call('HLEN', day) < most * (step + 1) then break end
    end
    local numbers, n = {}, 0
    for number in string.gmatch(sums or '', '%d+') do
      n = n + 1
      numbers[n] = tonumber(number)
    end
    for k = 1, width do
      numbers[k] = string.format('%.0f', (numbers[k] or 0) + tonumber(ARGV[i + 4 + k]))
    end
    redis.call('HSET', day, row, table.concat(numbers, ' '))
    touched[day] = true
    added = added + 1
  end
end
for day in pairs(touched) do redis.call('PEXPIRE', day, ttl) end
return added
