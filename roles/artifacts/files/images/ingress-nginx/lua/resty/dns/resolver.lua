-- SPDX-License-Identifier: GPL-3.0-or-later
-- Debian ships the OpenResty DNS client under another name (package lua-nginx-dns).
return require("nginx.dns.resolver")
