-- Ends requests, or keeps them: settle, cancel, renew, assert. Each may come twice, late, in any order: the first end counts. What has changed
-- is left to be saved.
--
-- KEYS     as in admit.lua
-- ARGV[1]  numbers as msgpack: lease ms, slice ms, slack ms, how many, then each: what (1 settle,
--            2 cancel, 3 renew, 4 assert), place of its marker, 0 or where its ledger's record stands in ARGV (then: place of the ledger's
--            stream, of the count of records lost, the most that the stream may hold), number of owners, then for each owner: place of its record, units counted
--            as open, number of buckets, then for each bucket: id, units taken, units used, size, and: rate: amount, period ·
--            calendar: window, bounds
-- ARGV[2…4] how long (ms) a record lives that holds something, the marker of a request under way, and that of an ended one
-- ARGV[7…] what goes into the ledger's stream
-- Returns  doubles: now, then 1 for each that changed something, 0 for each that didn't, or -2 and the time that the
--            calendar's bounds don't hold: nothing was done for it
--
-- assert says that a request is under way and has taken what it names, whatever Redis knows: it was admitted while Redis was away, or
-- Redis has lost it. Nothing is checked. Of a request that Redis knows, nothing is charged again.
local SETTLE, CANCEL, RENEW, ASSERT = 1, 2, 3, 4
local out, n = { now }, 1

local function after(q, kind)
  if kind <= 1 then return q + 6 end
  return kind == 3 and q + 4 or q + 9
end

-- Walks to the request's end. Gives back the place after it, and the time that no bounds hold.
local function look(q, owners)
  local strange = nil
  for _ = 1, owners do
    local place, buckets = a[q], a[q + 2]
    record(place)
    q = q + 3
    for _ = 1, buckets do
      local kind = a[q] % 8
      if (kind == 2 or kind == 4) and not window_at(q + 4, times[place]) then strange = times[place] end
      q = after(q, kind)
    end
  end
  return q, strange
end

-- Frees what is held in a slice; false: it has passed, and all in it is free already.
local function release(r, slots, base, number, units)
  local slot = slots + number % 6
  if number <= base or r[slot] == 0 then return false end
  r[slot] = r[slot] > units and r[slot] - units or 0
  return true
end

-- What was used, admitted or not; what isn't there becomes debt, of at most 2^52 grains.
local function use_rate(r, b, units, period)
  local missing, most = r[b + 1] + units * period, r[b + 3] * period + LARGEST
  r[b + 1] = missing < most and missing or most
end

local function use_calendar(r, b, units)
  local used = r[b + 1] + units
  r[b + 1] = used < LARGEST and used or LARGEST
end

-- As rate-bucket.ts gives a charge back: so that the bucket is as if it had never been made, and never fuller.
local function give_back_rate(place, b, grains, taken, m, since)
  local r, time = records[place], times[place]
  local era, charge, missing_then, given_back, at = taken[m], taken[m + 1], taken[m + 2], taken[m + 3], since + taken[m + 4]
  local is_to_come, is_of_era = at > time, era == r[b + 4]
  local back = grains
  local is_before = is_of_era and (r[b + 7] == 0 or charge < r[b + 7])
  if is_to_come then
    local lists = starts[place]
    local list = lists and lists[r[b]]
    if not list or not plans.unplan(list, at, grains) then return end
    if #list == 0 then lists[r[b]] = nil end
  elseif not is_of_era then return
  else
    local risen = (time - at) * r[b + 2] + (is_before and 0 or r[b + 6] - given_back)
    if missing_then - risen < back then back = missing_then - risen end
    if r[b + 1] < back then back = r[b + 1] end
  end
  local is_last = is_of_era and charge == r[b + 5]
  if is_last then r[b + 5] = r[b + 5] - 1 end
  if back <= 0 then return end
  if not is_to_come then r[b + 1] = r[b + 1] - back end
  if is_last then return end
  r[b + 6] = r[b + 6] + back
  if not is_of_era then r[b + 7] = 1 elseif is_before then r[b + 7] = charge end
  if r[b + 6] >= LARGEST then r[b + 4], r[b + 5], r[b + 6], r[b + 7] = r[b + 4] + 1, 0, 0, 0 end
end

-- Settles or cancels. `taken` is what the marker remembers; nil: nothing, the leases have long run out.
local function finish(what, q, owners, taken)
  local m = 1
  for _ = 1, owners do
    local place, open, buckets = a[q], a[q + 1], a[q + 2]
    local r, time, base = records[place], times[place], bases[place]
    -- Slices of a record that is gone ran out with it.
    local is_same, number, since = false, 0, 0
    if taken then
      is_same, since = taken[m] == r[2], taken[m + 2]
      if is_same then number = taken[m + 1] end
      m = m + 3
    end
    if open > 0 and release(r, OPEN, base, number, open) then dirty[place] = true end
    q = q + 3
    for _ = 1, buckets do
      local id, units, used, size = a[q], a[q + 1], a[q + 2], a[q + 3]
      local kind = id % 8
      local b = kind ~= 3 and find(r, id)
      if kind <= 1 then
        local period = a[q + 5]
        if units > 0 and kind == 1 and b and release(r, b + 4, base, number, units) then dirty[place] = true end
        if units > 0 and kind == 0 and taken then
          if what == CANCEL and b and is_same then
            give_back_rate(place, b, units * period, taken, m, since)
            dirty[place] = true
          end
          m = m + 5
        end
        if what == SETTLE and used > 0 and (b or size > 0) then
          use_rate(r, b or add(r, id, 0, a[q + 4], size), used, period)
          dirty[place] = true
        end
      elseif kind ~= 3 then
        local window = window_at(q + 4, time)
        if b then advance_calendar(r, b, place, q + 4, window) end
        if units > 0 and kind == 2 and b and release(r, b + 3, base, number, units) then dirty[place] = true end
        if units > 0 and kind == 4 and taken then
          if what == CANCEL and b and is_same and taken[m] == r[b + 2] then
            r[b + 1] = r[b + 1] > units and r[b + 1] - units or 0
            dirty[place] = true
          end
          m = m + 1
        end
        if what == SETTLE and used > 0 and (b or size > 0) then
          if not b then
            b = add(r, id, 0, window)
            advance_calendar(r, b, place, q + 4, window)
          end
          use_calendar(r, b, used)
          dirty[place] = true
        end
      end
      q = after(q, kind)
    end
  end
end

-- Moves live holds to the slice of a lease taken now; with `is_sure` makes again those that were lost.
local function keep_alive(q, owners, taken, is_sure)
  local m, has_changed, is_new = 1, false, not taken
  taken = taken or {}
  for _ = 1, owners do
    local place, open, buckets = a[q], a[q + 1], a[q + 2]
    local r, time, base = records[place], times[place], bases[place]
    local last = time + lease
    local number = (last - last % slice) / slice + 1
    local is_same = not is_new and taken[m] == r[2]
    local old = is_same and taken[m + 1] or 0
    local is_alive = is_same and old > base
    local moves, makes = is_alive and number > old, is_sure and not is_alive
    if is_new or makes then taken[m], taken[m + 2] = r[2], time end
    if moves or makes then
      taken[m + 1] = number
      has_changed = true
      dirty[place] = true
      if makes or release(r, OPEN, base, old, open) then r[OPEN + number % 6] = r[OPEN + number % 6] + open end
    end
    m = m + 3
    q = q + 3
    for _ = 1, buckets do
      local id, units, size = a[q], a[q + 1], a[q + 3]
      local kind = id % 8
      local b = kind ~= 3 and find(r, id)
      local window = (kind == 2 or kind == 4) and window_at(q + 4, time)
      if units > 0 and kind ~= 3 then
        if makes and not b and size > 0 then
          b = window and add(r, id, 0, window) or add(r, id, 0, a[q + 4], size)
        end
        if b and window then advance_calendar(r, b, place, q + 4, window) end
        if b and (kind == 1 or kind == 2) then
          local slots = b + (kind == 1 and 4 or 3)
          if makes or (moves and release(r, slots, base, old, units)) then
            r[slots + number % 6] = r[slots + number % 6] + units
          end
        elseif kind == 0 then
          if is_new and b then
            use_rate(r, b, units, a[q + 5])
            r[b + 5] = r[b + 5] + 1
            taken[m], taken[m + 1], taken[m + 2], taken[m + 3], taken[m + 4] = r[b + 4], r[b + 5], r[b + 1], r[b + 6], 0
          elseif is_new then
            taken[m], taken[m + 1], taken[m + 2], taken[m + 3], taken[m + 4] = -1, 0, 0, 0, 0
          elseif makes and not is_same then
            -- The bucket that was charged is gone, and the charge with it: no era has this number.
            taken[m] = -1
          end
          m = m + 5
        elseif kind == 4 then
          if is_new and b then
            use_calendar(r, b, units)
            taken[m] = r[b + 2]
          elseif is_new or (makes and not is_same) then
            taken[m] = -1
          end
          m = m + 1
        end
      elseif b and window then
        advance_calendar(r, b, place, q + 4, window)
      end
      q = after(q, kind)
    end
  end
  if is_new then taken[m] = now end
  return has_changed and taken
end

-- Puts what the ledger is to know of a request into its stream. The ledger's failures are its own: the request has ended all the same.
local function tell_ledger(p)
  local length, kept = redis.pcall('XLEN', KEYS[a[p + 1]]), nil
  if type(length) == 'number' and length < a[p + 3] then kept = redis.pcall('XADD', KEYS[a[p + 1]], '*', 'e', ARGV[a[p]]) end
  if type(kept) ~= 'string' then
    redis.pcall('INCR', KEYS[a[p + 2]])
    redis.pcall('PEXPIRE', KEYS[a[p + 2]], 2592000000)
  end
end

local p = 5
for _ = 1, a[4] do
  local what, marker, told = a[p], a[p + 1], p + 2
  p = a[told] > 0 and p + 6 or p + 3
  local owners = a[p]
  local q, strange = look(p + 1, owners)
  local known = raws[marker]
  local taken = known and known ~= '' and taken_by(known) or nil
  n = n + 1
  out[n] = 1
  if known == '' then
    out[n] = 0
  elseif strange then
    out[n], out[n + 1], n = -2, strange, n + 1
  elseif what == SETTLE or what == CANCEL then
    finish(what, p + 1, owners, taken)
    mark(marker, '', ENDED_TTL)
    if a[told] > 0 then tell_ledger(told) end
  elseif taken or what == ASSERT then
    taken = keep_alive(p + 1, owners, taken, what == ASSERT)
    if taken then mark(marker, packed(taken, #taken), MARKER_TTL) else out[n] = 0 end
  else
    out[n] = 0
  end
  p = q
end
return packed(out, n)
