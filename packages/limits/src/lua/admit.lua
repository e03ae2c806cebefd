-- Admits requests, in their order, each over all its owners' buckets or not at all. A refusal writes nothing.
--
-- KEYS     records and markers, in any order; the message names them by their place
-- ARGV[1]  numbers as msgpack: lease ms, slice ms, slack ms, how many requests, then each:
--            place of its marker (0: only look), how long it may wait (ms), number of owners, then for each owner:
--              place of its record, units to count as open, number of buckets, then for each bucket:
--                id, units asked, size, and: rate: amount, period · calendar: window, four bounds (see window_at)
-- ARGV[2…4] how long (ms) a record lives that holds something, the marker of a request under way, and that of an ended one
-- Returns  doubles: now, then for each request a status and:
--            1 admitted, 2 admitted before, or only looked at, 0 refused: a wait; for each owner its time; for each bucket the grains that
--              were free before it, those that would be if all that was held or open before came back, and for a calendar its window. The
--              wait (ms) is until the request begins; of one refused, where others are to begin, until it would be let in; else 0
--            -1 it has ended before · -2 the calendar's bounds don't hold the time that follows
local out, n = { now }, 1
-- Of the request that is looked at, for each bucket: where it begins, and where its free grains stand in `out`.
local at_of, shown = {}, {}

-- Looks at every bucket and shows it. Gives back the place after the request, whether all have room, and the time that no bounds hold.
local function look(q, owners)
  local k, has_room, strange, has_starts = 0, true, nil, false
  for _ = 1, owners do
    local place, buckets = a[q], a[q + 2]
    local r = record(place)
    local time, lists = times[place], starts[place]
    local open = held(r, OPEN)
    n = n + 1
    out[n] = time
    q = q + 3
    for _ = 1, buckets do
      k = k + 1
      local id, units, size = a[q], a[q + 1], a[q + 2]
      local kind = id % 8
      local free, back, grain, window = 0, 0, 1, nil
      if kind == 3 then
        free, back = size - open, size
        q = q + 3
      else
        local b = find(r, id)
        at_of[k] = b or 0
        if kind <= 1 then
          grain = a[q + 4]
          if size > 0 then
            back = size * grain
            if b then back = back - missing_under(r, b, size, grain) end
            free = back
            if kind == 0 then
              local list = lists and lists[id]
              if list then
                has_starts = true
                if units > 0 and plans.earliest(back, size * grain, a[q + 3], list, time, units * grain, time) ~= time then has_room = false end
                local later = plans.planned(list)
                free, back = free - later, back - later
              end
              back = back + open * grain
            elseif b then free = free - held(r, b + 4) * grain end
          end
          q = q + 5
        else
          window = window_at(q + 3, time)
          if not window then
            strange, window = time, 0
          end
          free, back = size, size
          if b then
            if r[b + 2] >= window then
              window = r[b + 2]
              free = size - r[b + 1]
              back = free
            end
            if kind == 2 then free = free - held(r, b + 3) end
          end
          if kind == 4 then back = back + open end
          q = q + 8
        end
      end
      if units > 0 and (units > size or units * grain > free and not (lists and lists[id])) then has_room = false end
      out[n + 1], out[n + 2] = free, back
      shown[k] = n + 1
      n = n + 2
      if window then
        n = n + 1
        out[n] = window
      end
    end
  end
  return q, has_room, strange, has_starts
end

-- The first instant that suits every bucket, if it is not more than `longest` from now.
local function agree(first, owners, longest, is_sure)
  -- The first instant from `from` on that suits a bucket; nil: none is sure to. `is_sure`: whatever ends or doesn't, and one that can be
  -- remembered; else the one to expect. `free` is of now.
  local function suits(q, kind, place, b, free, from, is_sure)
    local units, size, time, r = a[q + 1], a[q + 2], times[place], records[place]
    if units == 0 then return from end
    if units > size then return nil end
    if kind > 1 then
      if units <= free then return from end
      if is_sure then return nil end
      local again = time + 1000
      if kind ~= 3 then
        local index = (b > 0 and r[b + 2] > a[q + 3] and r[b + 2] or window_at(q + 3, time)) - a[q + 3]
        again = a[q + 5 + (index > 2 and 2 or index)]
      end
      return again > from and again or from
    end
    local amount, grain = a[q + 3], a[q + 4]
    local list, needed = kind == 0 and starts[place] and starts[place][a[q]], units * grain
    if list then
      local level = size * grain - missing_under(r, b, size, grain)
      local at = plans.earliest(level, size * grain, amount, list, time, needed, from)
      if not is_sure or at <= time then return at end
      return plans.memorable(list, size * grain, amount, time, needed, at)
    end
    if is_sure and kind == 1 and b > 0 and units + held(r, b + 4) > size then return nil end
    local at = needed <= free and time or time + math.ceil((needed - free) / amount)
    return at > from and at or from
  end

  local at, before = now, nil
  while at ~= before do
    before = at
    local q, k = first, 0
    for _ = 1, owners do
      local place, buckets = a[q], a[q + 2]
      q = q + 3
      for _ = 1, buckets do
        k = k + 1
        local kind = a[q] % 8
        local from = at > times[place] and at or times[place]
        local suited = suits(q, kind, place, at_of[k], out[shown[k]], from, is_sure)
        if not suited then return nil end
        if suited > from then at = suited end
        q = q + (kind == 3 and 3 or kind <= 1 and 5 or 8)
      end
    end
    if at - now > longest then return nil end
  end
  return at
end

local function take(q, owners, marker, start)
  local k, m, taken = 0, 0, {}
  for _ = 1, owners do
    local place, open, buckets = a[q], a[q + 1], a[q + 2]
    local r, time = records[place], times[place]
    local last = time + lease
    local number = (last - last % slice) / slice + 1
    local slot = number % 6
    taken[m + 1], taken[m + 2], taken[m + 3] = r[2], number, time
    m = m + 3
    if open > 0 then
      r[OPEN + slot] = r[OPEN + slot] + open
      dirty[place] = true
    end
    q = q + 3
    for _ = 1, buckets do
      k = k + 1
      local id, units, size = a[q], a[q + 1], a[q + 2]
      local kind, b = id % 8, at_of[k]
      if kind == 3 then
        q = q + 3
      elseif kind <= 1 then
        if units > 0 then
          dirty[place] = true
          local amount, period = a[q + 3], a[q + 4]
          if b == 0 then b = add(r, id, 0, amount, size)
          elseif r[b + 2] ~= amount or r[b + 3] ~= size then
            -- Goes on under the changed limit, never afresh.
            keep_lowered(r, b, place, size)
            r[b + 1], r[b + 2], r[b + 3] = missing_under(r, b, size, period), amount, size
            if kind == 0 then r[b + 4], r[b + 5], r[b + 6], r[b + 7] = r[b + 4] + 1, 0, 0, 0 end
          end
          if kind == 1 then r[b + 4 + slot] = r[b + 4 + slot] + units
          else
            local missing, delay = r[b + 1] + units * period, 0
            r[b + 5] = r[b + 5] + 1
            if start > time then
              local lists, full = starts[place] or {}, size * period
              local list = lists[id] or {}
              starts[place], lists[id], delay = lists, list, start - time
              planning().plan(list, start, units * period)
              missing = full - plans.level_planned(full - r[b + 1], full, amount, list, time, start)
            else r[b + 1] = missing end
            taken[m + 1], taken[m + 2], taken[m + 3], taken[m + 4], taken[m + 5] = r[b + 4], r[b + 5], missing, r[b + 6], delay
            m = m + 5
          end
        end
        q = q + 5
      else
        if units > 0 or b > 0 then
          local window = window_at(q + 3, time)
          if b == 0 then b = add(r, id, 0, window) end
          advance_calendar(r, b, place, q + 3, window)
          if units > 0 then
            dirty[place] = true
            if kind == 2 then r[b + 3 + slot] = r[b + 3 + slot] + units
            else
              r[b + 1] = r[b + 1] + units
              m = m + 1
              taken[m] = r[b + 2]
            end
          end
        end
        q = q + 8
      end
    end
  end
  -- The last: when it begins, for one that asks again.
  taken[m + 1] = start
  -- Longer than its leases: a late end must find what was taken.
  mark(marker, packed(taken, m + 1), MARKER_TTL)
end

local p = 5
for _ = 1, a[4] do
  local marker, longest, owners = a[p], a[p + 1], a[p + 2]
  local first = p + 3
  local known = marker > 0 and raws[marker]
  local status = n + 1
  n = n + 2
  local q, has_room, strange, has_starts = look(first, owners)
  local wait = 0
  if known == '' then
    out[status], n = -1, status
  elseif strange then
    out[status], out[status + 1], n = -2, strange, status + 1
  elseif known or marker == 0 then
    out[status] = 2
    if known then
      local taken = taken_by(known)
      local start = taken[#taken]
      if start > now then wait = start - now end
    end
  else
    local start = has_room and now or longest > 0 and agree(first, owners, longest, true) or nil
    if start then
      out[status], wait = 1, start - now
      take(first, owners, marker, start)
    else
      out[status] = 0
      if has_starts then wait = (agree(first, owners, math.huge, false) or now) - now end
    end
  end
  if out[status] >= 0 then out[status + 1] = wait end
  p = q
end
return packed(out, n)
