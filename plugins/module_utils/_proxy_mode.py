# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the choice of kube-proxy's mode brings with it.

This module util is PRIVATE to the collection. Sources: kubernetes, pkg/proxy/ipvs/README.md and supported.go.
"""

from __future__ import annotations

import typing as t

IPVS = "ipvs"
# The kernel features that a mode needs, by the names that preflight tries. IPVS balances; what is masqueraded or
# refused is said by rules of iptables beside it.
FEATURES = {"nftables": ("nftables",), "iptables": ("iptables",), IPVS: ("iptables", "ipvs")}
DEFAULT_SCHEDULER = "rr"  # kube-proxy's own, pkg/proxy/ipvs/proxier.go
# Schedulers that lead the same addresses to the same endpoint, and those that lead one client to every endpoint however
# many others connect. Source: Linux, net/netfilter/ipvs/ip_vs_{dh,sh,rr,lc}.c.
HASHING = ("dh", "sh")
SPREADING = ("rr", "lc")


def scheduler(topology: t.Mapping[str, t.Any], node: str) -> str:
    """That of a node in mode ipvs; the other modes leave it to chance, and have none."""
    return str(topology["cluster"]["proxy_scheduler"]) if topology["nodes"][node]["proxy_mode"] == IPVS else ""


def spreads(topology: t.Mapping[str, t.Any], node: str) -> bool:
    """Whether a client on a node meets all endpoints of a service by and by."""
    return scheduler(topology, node) in ("", *SPREADING)


def hashes(topology: t.Mapping[str, t.Any], node: str) -> bool:
    """Whether a client on a node meets one endpoint of a service every time."""
    return scheduler(topology, node) in HASHING
