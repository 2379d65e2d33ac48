# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the choice of a network plugin's backend brings with it. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

# Bytes that a backend puts around a pod's packet. VXLAN over IPv4: IP 20, UDP 8, VXLAN 8, inner Ethernet 14 (RFC 7348
# section 5).
OVERHEAD = {"vxlan": 50}
# The bridge of a node's pods: the default of the CNI plugin bridge, which flannel's delegates to.
CNI_BRIDGE = "cni0"


def device_name(cni: dict[str, t.Any]) -> str:
    """The device that flannel makes on each node (flannel, pkg/backend/vxlan/vxlan.go)."""
    return f"flannel.{cni['vni']}"
