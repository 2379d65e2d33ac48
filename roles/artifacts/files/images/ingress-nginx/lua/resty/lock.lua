-- SPDX-License-Identifier: GPL-3.0-or-later
-- Mutual exclusion between workers through the atomic add() of a shared dict.
local Lock = {}
Lock.__index = Lock

function Lock.new(_, dict_name, opts)
  local dict = ngx.shared[dict_name]
  if not dict then return nil, "dictionary not found" end
  opts = opts or {}
  return setmetatable({ dict = dict, timeout = opts.timeout or 5,
                        exptime = opts.exptime or 30 }, Lock)
end

function Lock:lock(key)
  if self.held then return nil, "locked" end
  local waited, step = 0, 0.001
  while true do
    local ok, err = self.dict:add(key, true, self.exptime)
    if ok then self.held = key; return waited end
    if err ~= "exists" then return nil, err end
    if waited >= self.timeout then return nil, "timeout" end
    ngx.sleep(step)
    waited = waited + step
    step = math.min(step * 2, 0.5)
  end
end

function Lock:unlock()
  local key = self.held
  if not key then return nil, "unlocked" end
  self.held = nil
  return self.dict:delete(key)
end

return Lock
