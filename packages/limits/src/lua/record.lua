-- What admit.lua and finish.lua share: records, their buckets, their leases. The arithmetic is that of ../rate-bucket.ts and its neighbours.
--
-- A record is one string for each owner, a flat msgpack array of integers below 2^53:
--   1, born, touched - born, six slots of `open`, bucket, bucket, …
--   2, the same, start, start, …, how many starts
--   3 and 4, as 1 and 2, and behind all that: kept - born
--   born     when the record was made (ms); with an era it names an era of a bucket for ever
--   touched  its last touch (ms): a record's time never goes back, even if the clock does
--   open     the requests under way: they hold slots, or have been charged and may yet be cancelled
--   kept     until when it is kept though all its buckets are full: one of them was lowered, and would not be full yet under its old burst.
--            Forgotten before that, and raised again, it would begin afresh
-- What is held lives in slices of time. A slice is numbered (end / slice ms) and kept in slot number % 6: a lease is at most four slices
-- long, so no two live slices share one. What is left in a slice that has passed is dropped with the next touch.
-- A bucket begins with its id, whose remainder by 8 is its kind. A bucket or a record that isn't there is full.
--   0 rate, charged     id, missing, amount, burst, era, charges, given back, given back from
--   1 rate, held        id, missing, amount, burst, six slots
--   2 calendar, held    id, used, window, six slots
--   3 slots             not stored: `open` counts them
--   4 calendar, charged id, used, window
-- A start is the id of a charged bucket, an instant - born, and the grains that will be charged then. Those of a bucket stand in their order.
-- `missing` is in grains (units · period): what the bucket lacks to be full, debt included.
local LARGEST = 4503599627370496 -- 2^52
local OPEN, FIRST = 4, 10
-- There is no other: whatever else were read, no loop over a record may go on for ever.
local WIDTH = { [0] = 8, 10, 9, [4] = 3 }

-- All by the key's place. `bases`: the number of the last slice that has passed.
local records, times, bases, dirty = {}, {}, {}, {}
-- What is to begin, by the record's place and the bucket's id: see starts.lua. A list is never empty.
local starts = {}
-- When calendar windows end, by place and id.
local ends = {}
-- Until when a record is kept in any case, by its place; nil: for no longer than its buckets ask.
local kept = {}

local function clear_slots(r, slots, base, count)
  for number = base + 1, base + (count < 6 and count or 6) do r[slots + number % 6] = 0 end
end

-- The record as it is now. Bringing it to the present changes nothing that anybody could tell, so it is written only with a change.
local function record(place)
  local r = records[place]
  if r then return r end
  local raw, time = raws[place], now
  if raw then
    -- Past the array's head and its first number, in whose place comes another, so that all values come at once.
    local first = string.byte(raw) == 220 and 4 or 2
    r = { cmsgpack.unpack_limit(raw, 4000, first) }
    local touched = r[2] + r[3]
    if touched > now then time = touched end
    local elapsed, old_base = time - touched, (touched - touched % slice) / slice
    local passed = (time - time % slice) / slice - old_base
    if passed > 0 then clear_slots(r, OPEN, old_base, passed) end
    local version = string.byte(raw, first)
    if version > 2 then
      kept[place] = r[2] + r[#r]
      r[#r] = nil
      version = version - 2
    end
    if version == 2 then starts[place] = planning().take_off(r) end
    local b, n, lists = FIRST, #r, starts[place]
    while b <= n do
      local kind = r[b] % 8
      local list = lists and lists[r[b]]
      if list then
        r[b + 1] = plans.begin(list, r[b + 1], r[b + 2], touched, time)
        if #list == 0 then lists[r[b]] = nil end
        if r[b + 1] == 0 and #list == 0 then r[b + 4], r[b + 5], r[b + 6], r[b + 7] = r[b + 4] + 1, 0, 0, 0 end
      elseif kind <= 1 then
        -- A product above 2^53 is rounded, but rounding keeps order: it is only compared then.
        local missing, refill = r[b + 1], elapsed * r[b + 2]
        if refill < missing then
          r[b + 1] = missing - refill
        else
          r[b + 1] = 0
          -- A charge can be taken back in its own era alone: one ends when the bucket is full, or its limit changes.
          if kind == 0 and r[b + 5] > 0 then r[b + 4], r[b + 5], r[b + 6], r[b + 7] = r[b + 4] + 1, 0, 0, 0 end
        end
        if passed > 0 and kind == 1 then clear_slots(r, b + 4, old_base, passed) end
      elseif passed > 0 and kind == 2 then
        clear_slots(r, b + 3, old_base, passed)
      end
      b = b + WIDTH[kind]
    end
  else
    r = { 1, now, 0, 0, 0, 0, 0, 0, 0 }
  end
  records[place], times[place], bases[place] = r, time, (time - time % slice) / slice
  return r
end

-- Where the bucket begins in its record; nil: there is none.
local function find(r, id)
  local b, n = FIRST, #r
  while b <= n do
    local other = r[b]
    if other == id then return b end
    b = b + WIDTH[other % 8]
  end
end

local function held(r, slots)
  return r[slots] + r[slots + 1] + r[slots + 2] + r[slots + 3] + r[slots + 4] + r[slots + 5]
end

local function add(r, id, second, third, fourth)
  local b, kind = #r + 1, id % 8
  r[b], r[b + 1], r[b + 2] = id, second, third
  if kind <= 1 then r[b + 3] = fourth end
  for i = b + (kind <= 1 and 4 or 3), b + WIDTH[kind] - 1 do r[i] = 0 end
  return b
end

-- What is missing under a burst that may have changed: never more than the smaller burst is there.
local function missing_under(r, b, burst, period)
  if r[b + 3] == burst then return r[b + 1] end
  local missing = (burst - r[b + 3]) * period + r[b + 1]
  return missing > 0 and missing or 0
end

-- Keeps the record of a bucket whose burst is lowered until it would have been full under the old one.
local function keep_lowered(r, b, place, burst)
  if burst >= r[b + 3] or r[b + 1] == 0 then return end
  local until_ms = times[place] + math.ceil(r[b + 1] / r[b + 2])
  if until_ms > (kept[place] or 0) then kept[place] = until_ms end
end

-- The calendar window at a time: the message has at q the number of a window and four bounds, of it and the two after it. nil: the time is
-- outside of them.
local function window_at(q, time)
  if time < a[q + 1] or time >= a[q + 4] then return nil end
  if time < a[q + 2] then return a[q] end
  if time < a[q + 3] then return a[q] + 1 end
  return a[q] + 2
end

-- Brings a calendar bucket to its owner's present, and remembers until when it must be kept.
local function advance_calendar(r, b, place, q, window)
  if window > r[b + 2] then r[b + 1], r[b + 2] = 0, window end
  -- A bucket that is ahead of the bounds (its zone was changed) is kept for the longest that is known.
  local index = r[b + 2] - a[q]
  ends[place * 4294967296 + r[b]] = a[q + 2 + (index > 2 and 2 or index < 0 and 0 or index)]
end

-- Writes every changed record with its time to live: until all its buckets are full and its last lease has run out.
local function save()
  for place in pairs(dirty) do
    local r, time = records[place], times[place]
    local ttl, holds, lists, kept_ms = 0, held(r, OPEN), starts[place], (kept[place] or 0) - time
    local b, n = FIRST, #r
    while b <= n do
      local kind = r[b] % 8
      if kind <= 1 then
        -- The only quotient: rounded up, and a millisecond too much does no harm.
        local full, list = math.ceil(r[b + 1] / r[b + 2]), lists and lists[r[b]]
        if list then full = math.ceil((r[b + 1] + plans.planned(list)) / r[b + 2]) + list[#list - 1] - time end
        if full > ttl then ttl = full end
        if kind == 1 then holds = holds + held(r, b + 4) end
      else
        if r[b + 1] > 0 then
          -- The end of a limit's window that no request named is unknown: it is kept for as long as it was to be.
          local until_ms = ends[place * 4294967296 + r[b]] or (redis.call('PTTL', KEYS[place]) - slack + time)
          if until_ms - time > ttl then ttl = until_ms - time end
        end
        if kind == 2 then holds = holds + held(r, b + 3) end
      end
      b = b + WIDTH[kind]
    end
    if kept_ms > ttl then ttl = kept_ms end
    if holds > 0 and lease + slice >= ttl then ttl = lease + slice end
    if ttl > 0 then
      r[1], r[3] = 1, time - r[2]
      if lists then plans.put_on(r, lists) end
      if kept_ms > 0 then r[1], r[#r + 1] = r[1] + 2, kept[place] - r[2] end
      local is_usual = ttl == lease + slice and time == now
      redis.call('PSETEX', KEYS[place], is_usual and HELD_TTL or ttl + (time - now) + slack, cmsgpack.pack(r))
    elseif raws[place] then
      redis.call('DEL', KEYS[place])
    end
  end
end

-- The first n numbers as doubles.
local function packed(list, n)
  local parts = {}
  for i = 1, n, MOST_DOUBLES do
    local last = i + MOST_DOUBLES - 1 < n and i + MOST_DOUBLES - 1 or n
    parts[#parts + 1] = struct.pack(string.sub(DOUBLES, 1, last - i + 2), unpack(list, i, last))
  end
  return table.concat(parts)
end

-- What a marker remembers that a request took, and at last when it begins.
local function taken_by(marker)
  local n = #marker / 8
  local taken = { struct.unpack('<' .. string.rep('d', n), marker) }
  -- Behind the numbers comes where they end.
  taken[n + 1] = nil
  return taken
end

-- Remembers a request: what it took, or '' that it has ended.
local function mark(place, value, ttl)
  raws[place] = value
  redis.call('PSETEX', KEYS[place], ttl, value)
end
