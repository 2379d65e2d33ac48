-- SPDX-License-Identifier: GPL-3.0-or-later
-- Smooth weighted round robin over a map  id -> weight.
local RR = {}
RR.__index = RR

local function load_nodes(self, nodes)
  self.nodes, self.ring, self.sum = nodes, {}, 0
  local ids = {}
  for id in pairs(nodes) do ids[#ids + 1] = id end
  table.sort(ids)
  for i, id in ipairs(ids) do
    self.ring[i] = { id = id, weight = nodes[id], score = 0 }
    self.sum = self.sum + nodes[id]
  end
  -- start each worker at its own place
  for _ = 1, math.random(0, math.max(#ids - 1, 0)) do self:find() end
end

function RR.new(_, nodes)
  local self = setmetatable({}, RR)
  load_nodes(self, nodes)
  return self
end

function RR:reinit(nodes) load_nodes(self, nodes) end

function RR:find()
  local best
  for _, e in ipairs(self.ring) do
    e.score = e.score + e.weight
    if not best or e.score > best.score then best = e end
  end
  if not best then return nil end
  best.score = best.score - self.sum
  return best.id
end

return RR
