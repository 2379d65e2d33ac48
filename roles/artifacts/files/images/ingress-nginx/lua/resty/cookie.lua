-- SPDX-License-Identifier: GPL-3.0-or-later
-- Reads request cookies through nginx's own $cookie_ variables, adds Set-Cookie headers.
local Cookie = {}
Cookie.__index = Cookie

function Cookie.new() return setmetatable({}, Cookie) end

function Cookie:get(name)
  local v = ngx.var["cookie_" .. name]
  if v == nil or v == "" then return nil, "no cookie " .. name end
  return v
end

function Cookie:set(c)
  if not (c and c.key and c.value) then return nil, "missing key or value" end
  local out = { c.key .. "=" .. c.value }
  local function attr(name, v) if v and v ~= "" then out[#out + 1] = name .. "=" .. v end end
  attr("Expires", c.expires); attr("Max-Age", c.max_age)
  attr("Domain", c.domain); attr("Path", c.path)
  if c.secure then out[#out + 1] = "Secure" end
  if c.httponly then out[#out + 1] = "HttpOnly" end
  attr("SameSite", c.samesite)
  local line = table.concat(out, "; ")
  local old = ngx.header["Set-Cookie"]
  if old == nil then ngx.header["Set-Cookie"] = line
  elseif type(old) == "table" then old[#old + 1] = line; ngx.header["Set-Cookie"] = old
  else ngx.header["Set-Cookie"] = { old, line } end
  return true
end

return Cookie
