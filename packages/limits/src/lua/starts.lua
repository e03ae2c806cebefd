-- Requests that are to begin later: ../planned-starts.ts says how they are planned. A list of them is flat: instant, grains, instant, grains, …
-- the next first, no two at one instant. To make these functions takes longer than most calls may cost: they are made when they are needed.
local plans
local function planning()
  if plans then return plans end
  plans = {}
  local CROWDED, MOST_STARTS, COARSENESS = 64, 256, 16

  local function refilled(level, full, amount, elapsed)
    if level >= full then return full end
    if elapsed <= 0 then return level end
    local refill = elapsed * amount
    return refill < full - level and level + refill or full
  end

  local function still_required(later, amount, within)
    local required = later - amount * within
    return required > 0 and required or 0
  end

  -- The first instant from `from` on at which so many grains can be taken; nil: they are more than the bucket holds.
  function plans.earliest(level, full, amount, list, now, needed, from)
    local n, required = #list, {}
    for i = n - 1, 1, -2 do
      required[i] = list[i + 1] + (i + 2 < n and still_required(required[i + 2], amount, list[i + 2] - list[i]) or 0)
    end
    local at = now
    for i = 1, n + 1, 2 do
      local stop = list[i]
      local begin = at > from and at or from
      if not stop or begin < stop then
        local there = refilled(level, full, amount, begin - at)
        if there - (stop and still_required(required[i], amount, stop - begin) or 0) >= needed then return begin end
        if there < needed and needed <= full then
          local later = begin + math.ceil((needed - there) / amount)
          if not stop then return later end
          local spare = refilled(level, full, amount, later - at) - still_required(required[i], amount, stop - later)
          if later < stop and spare >= needed then return later end
        end
      end
      if stop then level, at = refilled(level, full, amount, stop - at) - list[i + 1], stop end
    end
  end

  -- The level that the plan leaves right after the starts of an instant.
  function plans.level_planned(level, full, amount, list, now, at)
    local last = now
    for i = 1, #list, 2 do
      if list[i] > at then break end
      level, last = refilled(level, full, amount, list[i] - last) - list[i + 1], list[i]
    end
    return refilled(level, full, amount, at - last)
  end

  -- An instant from `at` on that the plan can remember; nil: it can remember no more.
  function plans.memorable(list, full, amount, now, needed, at)
    local n = #list
    if n < 2 * CROWDED then return at end
    for i = 1, n, 2 do
      if list[i] == at then return at end
    end
    if n >= 2 * MOST_STARTS then return nil end
    local most, grid = math.min((at - now) / COARSENESS, (full - needed) / amount), 1
    while 2 * grid <= most do grid = 2 * grid end
    return at % grid == 0 and at or at - at % grid + grid
  end

  function plans.plan(list, at, grains)
    local i = #list - 1
    while i > 0 and list[i] > at do i = i - 2 end
    if i > 0 and list[i] == at then
      list[i + 1] = list[i + 1] + grains
    else
      table.insert(list, i + 2, at)
      table.insert(list, i + 3, grains)
    end
  end

  -- Whether there was something to forget.
  function plans.unplan(list, at, grains)
    for i = 1, #list, 2 do
      if list[i] == at then
        list[i + 1] = list[i + 1] - grains
        if list[i + 1] <= 0 then
          table.remove(list, i)
          table.remove(list, i)
        end
        return true
      end
    end
    return false
  end

  function plans.planned(list)
    local grains = 0
    for i = 2, #list, 2 do grains = grains + list[i] end
    return grains
  end

  -- Takes what begins until now out of the list. Gives back what is missing then.
  function plans.begin(list, missing, amount, last, now)
    while list[1] and list[1] <= now do
      local refill = (list[1] - last) * amount
      missing, last = (refill < missing and missing - refill or 0) + list[2], list[1]
      table.remove(list, 1)
      table.remove(list, 1)
    end
    local refill = (now - last) * amount
    return refill < missing and missing - refill or 0
  end

  -- Takes the starts from the end of a record.
  function plans.take_off(r)
    local lists, n = {}, #r
    local first = n - 3 * r[n]
    for i = first, n - 1, 3 do
      local list = lists[r[i]]
      if not list then
        list = {}
        lists[r[i]] = list
      end
      list[#list + 1], list[#list + 2] = r[i + 1] + r[2], r[i + 2]
    end
    for i = n, first, -1 do r[i] = nil end
    return lists
  end

  -- Puts them there again.
  function plans.put_on(r, lists)
    local n = #r
    local last = n
    for id, list in pairs(lists) do
      for i = 1, #list, 2 do
        r[last + 1], r[last + 2], r[last + 3] = id, list[i] - r[2], list[i + 1]
        last = last + 3
      end
    end
    if last > n then r[1], r[last + 1] = 2, (last - n) / 3 end
  end

  return plans
end
