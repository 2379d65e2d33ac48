# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the choice of kube-proxy's mode brings with it.

This module util is PRIVATE to the collection. Sources: kubernetes, pkg/proxy/ipvs/README.md and supported.go.
"""

from __future__ import annotations

IPVS = "ipvs"
# The kernel features that a mode needs, by the names that preflight tries. IPVS balances; what is masqueraded or
# refused is said by rules of iptables beside it.
FEATURES = {"nftables": ("nftables",), "iptables": ("iptables",), IPVS: ("iptables", "ipvs")}
DEFAULT_SCHEDULER = "rr"  # kube-proxy's own, pkg/proxy/ipvs/proxier.go
# Schedulers that lead the same addresses to the same endpoint; the others lead to all endpoints in turn.
HASHING = ("dh", "sh")
