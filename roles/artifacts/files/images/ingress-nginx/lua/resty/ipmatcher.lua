-- SPDX-License-Identifier: GPL-3.0-or-later
-- IPv4 CIDR list matching; IPv6 entries only by equality.
local bit = require("bit")
local IPM = {}
IPM.__index = IPM

local function v4(s)
  local a, b, c, d = s:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if not a then return nil end
  return bit.tobit(((a * 256 + b) * 256 + c) * 256 + d)
end

function IPM.new(list)
  local rules, exact = {}, {}
  for _, e in ipairs(list) do
    local addr, len = e:match("^([^/]+)/?(%d*)$")
    local n = addr and v4(addr)
    if n then
      len = len == "" and 32 or tonumber(len)
      local mask = len == 0 and 0 or bit.lshift(-1, 32 - len)
      rules[#rules + 1] = { bit.band(n, mask), mask }
    elseif addr then exact[addr] = true
    else return nil, "bad address: " .. tostring(e) end
  end
  return setmetatable({ rules = rules, exact = exact }, IPM)
end

function IPM:match(ip)
  local n = v4(ip)
  if not n then return self.exact[ip] or false end
  for _, r in ipairs(self.rules) do
    if bit.band(n, r[2]) == r[1] then return true end
  end
  return false
end

return IPM
