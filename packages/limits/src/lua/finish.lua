-- Ends requests, or keeps them: settle, cancel, renew, assert. Each may come twice, late, in any order: the first end counts.
--
-- KEYS     as in admit.lua
-- ARGV[1]  lease ms, slice ms, how long an ended request is remembered (ms), how many, then each: what (1 settle, 2 cancel, 3 renew,
--            4 assert), place of its marker, number of owners, then for each owner: place of its record, units counted as open, number
--            of buckets, then for each bucket: id, units taken, units used, size, and: rate: amount, period · calendar: window, bounds
-- Returns  doubles, little-endian: now, then 1 for each that changed something, 0 for each that didn't, or -2 and the time that the
--            calendar's bounds don't hold: nothing was done for it
--
-- assert says that a request is under way and has taken what it names, whatever Redis knows: it was admitted while Redis was away, or
-- Redis has lost it. Nothing is checked. Of a request that Redis knows, nothing is charged again.
local lease, slice, keep = a[1], a[2], a[3]
local SETTLE, CANCEL, RENEW, ASSERT = 1, 2, 3, 4
local out, n = { now }, 1

local function after(q, kind)
  if kind <= RATE_HELD then return q + 6 end
  return kind == SLOTS and q + 4 or q + 9
end

-- Walks to the request's end. Gives back the place after it, and the time that no bounds hold.
local function look(p, owners)
  local q, strange = p, nil
  for _ = 1, owners do
    local rec = record(KEYS[a[q]])
    local buckets = a[q + 2]
    q = q + 3
    for _ = 1, buckets do
      local kind = a[q] % 8
      if (kind == CALENDAR_HELD or kind == CALENDAR_CHARGED) and not window_at(q + 4, rec.time) then strange = rec.time end
      q = after(q, kind)
    end
  end
  return q, strange
end

local function give_back_rate(bucket, units, period, rec, taken, m, at)
  local era, place, missing_then, given_back = taken[m], taken[m + 1], taken[m + 2], taken[m + 3]
  if era ~= bucket[5] then return end
  local is_before = bucket[8] == 0 or place < bucket[8]
  local came_back = is_before and 0 or bucket[7] - given_back
  local risen = (rec.time - at) * bucket[3] + came_back
  local back = units * period
  if missing_then - risen < back then back = missing_then - risen end
  if bucket[2] < back then back = bucket[2] end
  local is_last = place == bucket[6]
  if is_last then bucket[6] = bucket[6] - 1 end
  if back <= 0 then return end
  bucket[2] = bucket[2] - back
  if is_last then return end
  bucket[7] = bucket[7] + back
  if is_before then bucket[8] = place end
  if bucket[7] >= LARGEST then begin_era(bucket) end
end

-- Settles or cancels. `taken` is what the marker remembers; nil: nothing, the leases have long run out.
local function finish(what, p, owners, taken)
  local q, m = p, 1
  for _ = 1, owners do
    local key = KEYS[a[q]]
    local rec = record(key)
    local open, buckets = a[q + 1], a[q + 2]
    q = q + 3
    local is_same, left, at = false, 0, 0
    if taken then
      is_same, left, at = taken[m] == rec.born, taken[m + 1] - rec.time, taken[m + 2]
      m = m + 3
    end
    if is_same then
      if open > 0 and release(rec.open, 1, left, open) then dirty[key] = rec end
    else
      left = 0
    end
    for _ = 1, buckets do
      local id, units, used, size = a[q], a[q + 1], a[q + 2], a[q + 3]
      local kind = id % 8
      local bucket = find(rec, id)
      if kind <= RATE_HELD then
        if bucket and kind == RATE_HELD and units > 0 and release(bucket, RATE_SLICES, left, units) then dirty[key] = rec end
        if kind == RATE_CHARGED and units > 0 and taken then
          if what == CANCEL and bucket and is_same then
            give_back_rate(bucket, units, a[q + 5], rec, taken, m, at)
            dirty[key] = rec
          end
          m = m + 4
        end
        if what == SETTLE and used > 0 and (bucket or size > 0) then
          bucket = bucket or new_rate(rec, id, a[q + 4], size)
          use_rate(bucket, used, a[q + 5])
          dirty[key] = rec
        end
      elseif kind ~= SLOTS then
        local window = window_at(q + 4, rec.time)
        if bucket then advance_calendar(rec, bucket, q + 4, window) end
        if bucket and kind == CALENDAR_HELD and units > 0 and release(bucket, CALENDAR_SLICES, left, units) then dirty[key] = rec end
        if kind == CALENDAR_CHARGED and units > 0 and taken then
          if what == CANCEL and bucket and is_same and taken[m] == bucket[3] then
            bucket[2] = bucket[2] > units and bucket[2] - units or 0
            dirty[key] = rec
          end
          m = m + 1
        end
        if what == SETTLE and used > 0 and (bucket or size > 0) then
          if not bucket then
            bucket = new_calendar(rec, id, window)
            advance_calendar(rec, bucket, q + 4, window)
          end
          use_calendar(bucket, used)
          dirty[key] = rec
        end
      end
      q = after(q, kind)
    end
  end
end

-- Moves live holds to the slice of a lease taken now; with `is_sure` makes again those that were lost.
local function keep_alive(p, owners, taken, is_sure)
  local q, m, last, has_changed = p, 1, 0, false
  local is_new = not taken
  taken = taken or {}
  for _ = 1, owners do
    local key = KEYS[a[q]]
    local rec = record(key)
    local open, buckets = a[q + 1], a[q + 2]
    q = q + 3
    local ends = slice_end(rec.time, lease, slice)
    local left = ends - rec.time
    if left > last then last = left end
    local old, is_same = 0, false
    if not is_new then is_same, old = taken[m] == rec.born, taken[m + 1] - rec.time end
    local moves = is_same and old > 0 and left > old
    local makes = is_sure and not (is_same and old > 0)
    if is_new or makes then taken[m], taken[m + 2] = rec.born, rec.time end
    if moves or makes then
      taken[m + 1] = ends
      has_changed = true
      dirty[key] = rec
      if makes or (open > 0 and release(rec.open, 1, old, open)) then hold(rec.open, 1, left, open) end
    end
    m = m + 3
    for _ = 1, buckets do
      local id, units, size = a[q], a[q + 1], a[q + 3]
      local kind = id % 8
      local bucket = find(rec, id)
      local from = kind == RATE_HELD and RATE_SLICES or CALENDAR_SLICES
      local is_held = kind == RATE_HELD or kind == CALENDAR_HELD
      if units > 0 and moves and bucket and is_held and release(bucket, from, old, units) then hold(bucket, from, left, units) end
      if units > 0 and kind ~= SLOTS then
        if makes and not bucket and size > 0 then
          bucket = kind <= RATE_HELD and new_rate(rec, id, a[q + 4], size) or new_calendar(rec, id, window_at(q + 4, rec.time))
        end
        if makes and bucket and is_held then hold(bucket, from, left, units) end
        if kind == RATE_CHARGED then
          if is_new then
            local era, place, missing, given_back = 0, 0, 0, 0
            if bucket then
              use_rate(bucket, units, a[q + 5])
              bucket[6] = bucket[6] + 1
              era, place, missing, given_back = bucket[5], bucket[6], bucket[2], bucket[7]
            end
            taken[m], taken[m + 1], taken[m + 2], taken[m + 3] = era, place, missing, given_back
          elseif makes and not is_same then
            -- The bucket that was charged is gone, and the charge with it: no era has this number.
            taken[m] = -1
          end
          m = m + 4
        elseif kind == CALENDAR_CHARGED then
          if is_new then
            if bucket then
              advance_calendar(rec, bucket, q + 4, window_at(q + 4, rec.time))
              use_calendar(bucket, units)
            end
            taken[m] = bucket and bucket[3] or -1
          elseif makes and not is_same then
            taken[m] = -1
          end
          m = m + 1
        end
      end
      if bucket and (kind == CALENDAR_HELD or kind == CALENDAR_CHARGED) then
        advance_calendar(rec, bucket, q + 4, window_at(q + 4, rec.time))
      end
      q = after(q, kind)
    end
  end
  if has_changed then return taken, last end
end

local p = 5
for _ = 1, a[4] do
  local what, key, owners = a[p], KEYS[a[p + 1]], a[p + 2]
  p = p + 3
  local q, strange = look(p, owners)
  local known = marker(key)
  n = n + 1
  out[n] = 1
  if known == '' then out[n] = 0
  elseif strange then
    out[n], out[n + 1] = -2, strange
    n = n + 1
  elseif what == SETTLE or what == CANCEL then
    finish(what, p, owners, known and cmsgpack.unpack(known) or nil)
    mark(key, '', keep)
  elseif known or what == ASSERT then
    local taken, last = keep_alive(p, owners, known and cmsgpack.unpack(known) or nil, what == ASSERT)
    if taken then mark(key, cmsgpack.pack(taken), last + keep) else out[n] = 0 end
  else
    out[n] = 0
  end
  p = q
end
save()
return struct.pack('<' .. string.rep('d', n), unpack(out, 1, n))
