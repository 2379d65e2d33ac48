-- SPDX-License-Identifier: GPL-3.0-or-later
-- Not provided here: callers get an error and let the request pass.
return { new = function() return nil, "global throttle is not available in this build" end }
