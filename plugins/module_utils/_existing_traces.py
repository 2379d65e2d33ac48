# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a network plugin leaves in a host's kernel beside rules: links, routes, sets of addresses. Pure.

This module util is PRIVATE to the collection. Links, and routes by them, go with the pods that they lead to, or are
removed; what has no link, and what BIRD put there, outlives who made it.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
import typing as t

# Routes of BIRD, and of Felix: felix/dataplane/linux/dataplanedefs (DefaultRouteProto).
PROTOCOLS = ("bird", "80")
# Names that Felix gives, IPv4 or IPv6, in use or being filled: felix/ipsets/ipset_defs.go.
IPSETS = re.compile(r"cali[46][0t]")
# The link that the kernel's module ipip makes, with which it goes and no sooner; Felix gives it an address.
TUNNEL = "tunl0"

Route = t.Mapping[str, t.Any]


def made_by_plugin(link: str, patterns: t.Iterable[str]) -> bool:
    """Whether a link is one of those that the network plugin makes."""
    return any(fnmatch.fnmatchcase(link, pattern) for pattern in patterns)


def left_routes(routes: t.Iterable[Route], networks: t.Collection[str], links: t.Collection[str]) -> list[str]:
    """The routes to pods and services that stay when the plugin's links have gone, each as ip-route(8) deletes it.

    Args:
        routes: as ``ip -j -4 route`` lists them. The host had none to these networks, or was refused.
        networks: of pods and services.
        links: names or patterns of the plugin's.
    """
    within = [ipaddress.IPv4Network(network) for network in networks]
    return [
        f"{route.get('type', 'unicast')} {route['dst']} proto {route['protocol']}"
        for route in routes
        if route.get("protocol") in PROTOCOLS
        and route["dst"] != "default"
        and any(ipaddress.IPv4Network(route["dst"]).subnet_of(network) for network in within)
        and not made_by_plugin(route.get("dev", ""), links)
    ]


def taken_by_calico(routes: t.Iterable[Route]) -> tuple[str, ...]:
    """Destinations of routes that BIRD and Felix take for what they left themselves, and remove when they start."""
    # ip-route(8) names the table of a route only where that is not the main one.
    return tuple(str(one["dst"]) for one in routes if one.get("protocol") in PROTOCOLS and "table" not in one)


def left_ipsets(now: t.Iterable[str], before: t.Collection[str]) -> list[str]:
    """Felix's sets that were not there before."""
    return [name for name in now if IPSETS.match(name) and name not in before]


def tunnel_addresses(listed: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[str, ...]:
    """The IPv4 addresses of TUNNEL with prefix lengths, of what ``ip -j address`` lists."""
    entries = [entry for one in listed if one.get("ifname") == TUNNEL for entry in one.get("addr_info", ())]
    return tuple(f"{entry['local']}/{entry['prefixlen']}" for entry in entries if entry["family"] == "inet")


def tunnel_settings(listed: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    """TUNNEL's as ip-link(8) sets them, ``mtu 1480 down``, of what ``ip -j address`` lists; empty without that link."""
    own = [one for one in listed if one.get("ifname") == TUNNEL]
    return f"mtu {own[0]['mtu']} {'up' if 'UP' in own[0]['flags'] else 'down'}" if own else ""
