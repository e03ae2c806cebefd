-- What every script shares: records, their buckets, their leases. The arithmetic is that of ../rate-bucket.ts and its neighbours.
--
-- A record is one string for each owner, a msgpack array of integers below 2^53:
--   { born, touched - born, open, bucket, bucket, … }
--   born     when the record was made (ms); with an era it names an era of a bucket for ever
--   touched  its last touch (ms): a record's time never goes back, even if the clock does
--   open     leases of the requests under way, as slices; slots are counted here, and charges that may yet be cancelled
-- Slices are { left, units, left, units, … }: milliseconds until the slice ends, counted from `touched`, and the units in it.
-- A bucket begins with its id, whose remainder by 8 is its kind. A bucket or a record that isn't there is full.
--   0 rate, charged   { id, missing, amount, burst, era, charges, given back, given back from }
--   1 rate, held      { id, missing, amount, burst, slices … }
--   2 calendar, held  { id, used, window, slices … }
--   3 slots           not stored: `open` counts them
--   4 calendar, charged { id, used, window }
-- `missing` is in grains (units · period): what the bucket lacks to be full, debt included.
local LARGEST = 4503599627370496 -- 2^52
local RATE_CHARGED, RATE_HELD, CALENDAR_HELD, SLOTS, CALENDAR_CHARGED = 0, 1, 2, 3, 4
local RATE_SLICES, CALENDAR_SLICES = 5, 4

local a = cmsgpack.unpack(ARGV[1])
local records, dirty = {}, {}
local markers, changed_markers = {}, {}

local function held_units(list, from)
  local units = 0
  for i = from + 1, #list, 2 do units = units + list[i] end
  return units
end

local function hold(list, from, left, units)
  if units == 0 then return end
  for i = from, #list, 2 do
    if list[i] == left then
      list[i + 1] = list[i + 1] + units
      return
    end
  end
  local n = #list
  list[n + 1], list[n + 2] = left, units
end

local function remove_slice(list, i)
  local n = #list
  list[i], list[i + 1] = list[n - 1], list[n]
  list[n], list[n - 1] = nil, nil
end

-- Frees what is held in the slice that ends then; false: it has passed, and all in it is free already.
local function release(list, from, left, units)
  if left <= 0 then return false end
  for i = from, #list, 2 do
    if list[i] == left then
      if list[i + 1] > units then list[i + 1] = list[i + 1] - units else remove_slice(list, i) end
      return true
    end
  end
  return false
end

local function pass_time(list, from, elapsed)
  for i = #list - 1, from, -2 do
    local left = list[i] - elapsed
    if left > 0 then list[i] = left else remove_slice(list, i) end
  end
end

local function begin_era(bucket)
  bucket[5], bucket[6], bucket[7], bucket[8] = bucket[5] + 1, 0, 0, 0
end

-- The record as it is now. Bringing it to the present changes nothing that anybody could tell, so it is written only with a change.
local function record(key)
  local known = records[key]
  if known then return known end
  local raw = redis.call('GET', key)
  local made
  if not raw then
    made = { born = now, time = now, open = {}, exists = false }
  else
    local stored = cmsgpack.unpack(raw)
    local touched = stored[1] + stored[2]
    local time = touched > now and touched or now
    local elapsed = time - touched
    made = { born = stored[1], time = time, open = stored[3], exists = true }
    if elapsed > 0 then pass_time(made.open, 1, elapsed) end
    for i = 4, #stored do
      local bucket = stored[i]
      local kind = bucket[1] % 8
      if kind <= RATE_HELD then
        -- A product above 2^53 is rounded, but rounding keeps order: it is only compared then.
        local refill = elapsed * bucket[3]
        bucket[2] = refill >= bucket[2] and 0 or bucket[2] - refill
        if kind == RATE_HELD then
          if elapsed > 0 then pass_time(bucket, RATE_SLICES, elapsed) end
        elseif bucket[2] == 0 and bucket[6] > 0 then
          begin_era(bucket)
        end
      elseif kind == CALENDAR_HELD and elapsed > 0 then
        pass_time(bucket, CALENDAR_SLICES, elapsed)
      end
      made[i - 3] = bucket
    end
  end
  records[key] = made
  return made
end

local function find(rec, id)
  for i = 1, #rec do
    if rec[i][1] == id then return rec[i] end
  end
end

-- The calendar window at a time: the message has the number of a window and four bounds, of it and the two after it.
-- nil: the time is outside of them.
local function window_at(q, time)
  if time < a[q + 1] or time >= a[q + 4] then return nil end
  if time < a[q + 2] then return a[q] end
  if time < a[q + 3] then return a[q] + 1 end
  return a[q] + 2
end

-- Brings a calendar bucket to its owner's present, and remembers until when it must be kept.
local function advance_calendar(rec, bucket, q, window)
  if window > bucket[3] then bucket[2], bucket[3] = 0, window end
  local index = bucket[3] - a[q]
  -- A bucket that is ahead of the bounds (a zone was changed) is kept for the longest that is known.
  local ends = a[q + 2 + (index > 2 and 2 or index)]
  rec.ends = rec.ends or {}
  rec.ends[bucket[1]] = ends
end

local function level_missing(bucket, burst, period)
  if bucket[4] == burst then return bucket[2] end
  local missing = (burst - bucket[4]) * period + bucket[2]
  return missing > 0 and missing or 0
end

-- Goes on under a limit that may have changed: never with more than the smaller burst, never afresh.
local function adopt_rate(bucket, amount, burst, period)
  if bucket[3] == amount and bucket[4] == burst then return end
  bucket[2] = level_missing(bucket, burst, period)
  bucket[3], bucket[4] = amount, burst
  if bucket[1] % 8 == RATE_CHARGED then begin_era(bucket) end
end

local function new_rate(rec, id, amount, burst)
  local bucket = id % 8 == RATE_CHARGED and { id, 0, amount, burst, 0, 0, 0, 0 } or { id, 0, amount, burst }
  rec[#rec + 1] = bucket
  return bucket
end

local function new_calendar(rec, id, window)
  local bucket = { id, 0, window }
  rec[#rec + 1] = bucket
  return bucket
end

-- What was used, admitted or not; what isn't there becomes debt, of at most 2^52 grains.
local function use_rate(bucket, units, period)
  local missing, most = bucket[2] + units * period, bucket[4] * period + LARGEST
  bucket[2] = missing < most and missing or most
end

local function use_calendar(bucket, units)
  local used = bucket[2] + units
  bucket[2] = used < LARGEST and used or LARGEST
end

local function slice_end(time, lease, slice)
  local ends = time + lease
  return ends - ends % slice + slice
end

-- false: none; '': the request has ended; else what it took.
local function marker(key)
  local known = markers[key]
  if known == nil then
    known = redis.call('GET', key)
    markers[key] = known
  end
  return known
end

local function mark(key, value, ttl)
  markers[key] = value
  changed_markers[key] = ttl
end

local function longest(list, from, ttl)
  for i = from, #list, 2 do
    if list[i] > ttl then ttl = list[i] end
  end
  return ttl
end

-- How long the record says anything; -1: as long as now, at least.
local function time_to_live(rec)
  local ttl, has_unknown = longest(rec.open, 1, 0), false
  for i = 1, #rec do
    local bucket = rec[i]
    local kind = bucket[1] % 8
    if kind <= RATE_HELD then
      -- The only quotient: rounded up, and a millisecond of too much does no harm.
      local full = math.ceil(bucket[2] / bucket[3])
      if full > ttl then ttl = full end
      if kind == RATE_HELD then ttl = longest(bucket, RATE_SLICES, ttl) end
    else
      local ends = rec.ends and rec.ends[bucket[1]]
      if bucket[2] > 0 then
        if not ends then has_unknown = true
        elseif ends - rec.time > ttl then ttl = ends - rec.time end
      end
      if kind == CALENDAR_HELD then ttl = longest(bucket, CALENDAR_SLICES, ttl) end
    end
  end
  return ttl, has_unknown
end

-- Writes every changed record and marker, each with its time to live.
local function save()
  for key, rec in pairs(dirty) do
    local ttl, has_unknown = time_to_live(rec)
    if has_unknown then
      local left = redis.call('PTTL', key) - SLACK_MS
      if left > ttl then ttl = left end
    end
    if ttl <= 0 then
      if rec.exists then redis.call('DEL', key) end
    else
      local stored = { rec.born, rec.time - rec.born, rec.open }
      for i = 1, #rec do stored[i + 3] = rec[i] end
      redis.call('SET', key, cmsgpack.pack(stored), 'PX', ttl + (rec.time - now) + SLACK_MS)
    end
  end
  for key, ttl in pairs(changed_markers) do redis.call('SET', key, markers[key], 'PX', ttl + SLACK_MS) end
end
