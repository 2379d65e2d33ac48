-- SPDX-License-Identifier: GPL-3.0-or-later
-- Consistent hashing: every node owns 160 x weight points on a 32-bit ring.
local CH = {}
CH.__index = CH
local POINTS = 160
local crc = ngx.crc32_long

local function load_nodes(self, nodes)
  local ring = {}
  for id, weight in pairs(nodes) do
    for i = 1, POINTS * (weight or 1) do
      ring[#ring + 1] = { crc(id .. "\0" .. i), id }
    end
  end
  table.sort(ring, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[2] < b[2]
  end)
  self.nodes, self.ring = nodes, ring
end

function CH.new(_, nodes)
  local self = setmetatable({}, CH)
  load_nodes(self, nodes)
  return self
end

function CH:reinit(nodes) load_nodes(self, nodes) end

function CH:find(key)
  local ring = self.ring
  local n = #ring
  if n == 0 then return nil end
  local h = crc(tostring(key))
  local lo, hi = 1, n + 1
  while lo < hi do
    local mid = math.floor((lo + hi) / 2)
    if ring[mid][1] < h then lo = mid + 1 else hi = mid end
  end
  if lo > n then lo = 1 end
  return ring[lo][2], lo
end

return CH
