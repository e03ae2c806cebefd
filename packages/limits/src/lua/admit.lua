-- Admits requests, in their order, each over all its owners' buckets or not at all. A refusal writes nothing.
--
-- KEYS     records and markers, in any order; the message names them by their place
-- ARGV[1]  a msgpack array of numbers: lease ms, slice ms, how long an ended request is remembered (ms), how many requests, then each:
--            place of its marker (0: only look), number of owners, then for each owner:
--              place of its record, units to count as open, number of buckets, then for each bucket:
--                id, units asked, size, and: rate: amount, period · calendar: window, four bounds (see window_at)
-- Returns  doubles, little-endian: now, then for each request a status and:
--            1 admitted, 2 admitted before, or only looked at: for each owner its time; for each bucket the grains free, for a calendar
--              its window too
--            0 refused: the same, and after each bucket's grains those that would be free if all that is held or open came back
--            -1 it has ended before · -2 the calendar's bounds don't hold the time that follows
local lease, slice, keep = a[1], a[2], a[3]
local out, n = { now }, 1
local recs, states, windows = {}, {}, {}

-- Skips a bucket's numbers.
local function after(q, kind)
  if kind <= RATE_HELD then return q + 5 end
  return kind == SLOTS and q + 3 or q + 8
end

-- Grains free, and free if all came back.
local function room(rec, bucket, kind, q, window)
  local size = a[q + 2]
  if kind <= RATE_HELD then
    if size == 0 then return 0, 0 end
    local period = a[q + 4]
    local level = size * period
    if bucket then level = level - level_missing(bucket, size, period) end
    if kind == RATE_HELD then return level - (bucket and held_units(bucket, RATE_SLICES) or 0) * period, level end
    return level, level + held_units(rec.open, 1) * period
  end
  if kind == SLOTS then return size - held_units(rec.open, 1), size end
  local used = bucket and bucket[3] >= window and bucket[2] or 0
  if kind == CALENDAR_CHARGED then return size - used, size - used + held_units(rec.open, 1) end
  return size - used - (bucket and held_units(bucket, CALENDAR_SLICES) or 0), size - used
end

-- Looks at every bucket and fills recs, states and windows. Gives back the place after the request, whether all have room, and the
-- time that no bounds hold.
local function look(p, owners)
  local q, k, has_room, strange = p, 0, true, nil
  for o = 1, owners do
    local rec = record(KEYS[a[q]])
    recs[o] = rec
    local buckets = a[q + 2]
    q = q + 3
    for _ = 1, buckets do
      k = k + 1
      local id, units = a[q], a[q + 1]
      local kind = id % 8
      local bucket = find(rec, id)
      states[k] = bucket or false
      if kind == CALENDAR_HELD or kind == CALENDAR_CHARGED then
        local window = window_at(q + 3, rec.time)
        if not window then strange = rec.time end
        windows[k] = window or 0
      end
      if units > 0 and has_room then
        local free = room(rec, bucket, kind, q, windows[k])
        local grain = kind <= RATE_HELD and a[q + 4] or 1
        if units > a[q + 2] or units * grain > free then has_room = false end
      end
      q = after(q, kind)
    end
  end
  return q, has_room, strange
end

local function show(p, owners, with_back)
  local q, k = p, 0
  for o = 1, owners do
    local rec = recs[o]
    n = n + 1
    out[n] = rec.time
    local buckets = a[q + 2]
    q = q + 3
    for _ = 1, buckets do
      k = k + 1
      local kind = a[q] % 8
      local bucket = states[k]
      local free, back = room(rec, bucket, kind, q, windows[k])
      n = n + 1
      out[n] = free
      if with_back then
        n = n + 1
        out[n] = back
      end
      if kind == CALENDAR_HELD or kind == CALENDAR_CHARGED then
        n = n + 1
        out[n] = bucket and bucket[3] > windows[k] and bucket[3] or windows[k]
      end
      q = after(q, kind)
    end
  end
end

local function take(p, owners, key)
  local q, k = p, 0
  local taken, m, last = {}, 0, 0
  for o = 1, owners do
    local rec = recs[o]
    local ends = slice_end(rec.time, lease, slice)
    local left = ends - rec.time
    if left > last then last = left end
    taken[m + 1], taken[m + 2], taken[m + 3] = rec.born, ends, rec.time
    m = m + 3
    local open, buckets = a[q + 1], a[q + 2]
    local has_taken = open > 0
    hold(rec.open, 1, left, open)
    local record_key = KEYS[a[q]]
    q = q + 3
    for _ = 1, buckets do
      k = k + 1
      local id, units = a[q], a[q + 1]
      local kind = id % 8
      if units > 0 then
        has_taken = true
        local bucket = states[k]
        if kind <= RATE_HELD then
          local size, amount, period = a[q + 2], a[q + 3], a[q + 4]
          if bucket then adopt_rate(bucket, amount, size, period)
          else
            bucket = new_rate(rec, id, amount, size)
            states[k] = bucket
          end
          if kind == RATE_HELD then hold(bucket, RATE_SLICES, left, units)
          else
            bucket[2] = bucket[2] + units * period
            bucket[6] = bucket[6] + 1
            taken[m + 1], taken[m + 2], taken[m + 3], taken[m + 4] = bucket[5], bucket[6], bucket[2], bucket[7]
            m = m + 4
          end
        elseif kind ~= SLOTS then
          if not bucket then
            bucket = new_calendar(rec, id, windows[k])
            states[k] = bucket
          end
          advance_calendar(rec, bucket, q + 3, windows[k])
          if kind == CALENDAR_HELD then hold(bucket, CALENDAR_SLICES, left, units)
          else
            use_calendar(bucket, units)
            m = m + 1
            taken[m] = bucket[3]
          end
        end
      elseif states[k] and (kind == CALENDAR_HELD or kind == CALENDAR_CHARGED) then
        advance_calendar(rec, states[k], q + 3, windows[k])
      end
      q = after(q, kind)
    end
    if has_taken then dirty[record_key] = rec end
  end
  mark(key, cmsgpack.pack(taken), last + keep)
end

local p = 5
for _ = 1, a[4] do
  local marker_place, owners = a[p], a[p + 1]
  p = p + 2
  local key = marker_place > 0 and KEYS[marker_place]
  local known = key and marker(key)
  local q, has_room, strange = look(p, owners)
  n = n + 1
  if known == '' then out[n] = -1
  elseif strange then
    out[n], out[n + 1] = -2, strange
    n = n + 1
  elseif known or not key then
    out[n] = 2
    show(p, owners, false)
  elseif has_room then
    out[n] = 1
    take(p, owners, key)
    show(p, owners, false)
  else
    out[n] = 0
    show(p, owners, true)
  end
  p = q
end
save()
return struct.pack('<' .. string.rep('d', n), unpack(out, 1, n))
