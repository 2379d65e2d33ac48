-- SPDX-License-Identifier: GPL-3.0-or-later
-- Only used for OCSP stapling (enable-ocsp, off by default): reports an error.
local H = {}
H.__index = H
function H.new() return setmetatable({}, H) end
function H:set_timeout() end
function H:set_timeouts() end
function H:parse_uri() return nil, "no HTTP client in this build" end
function H:request_uri() return nil, "no HTTP client in this build" end
return H
