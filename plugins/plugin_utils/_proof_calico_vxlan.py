# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Calico promises of each node with VXLAN: what any VXLAN backend does, and that nothing comes by BGP. Pure.

This plugin util is PRIVATE to the collection. Source of the promises: Calico, node/filesystem/etc/rc.local, which
starts neither BIRD nor confd with this backend, and felix/dataplane/linux: route_mgr.go (isRemoteTunnelRoute).
"""

from __future__ import annotations

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_vxlan
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Peer, differences
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot

OWN = (
    *_proof_vxlan.OWN,
    ("no-bgp", "no BIRD runs, so there is no session of BGP, and no route is BIRD's", "pgrep --exact bird; ip route"),
)
PEER = _proof_vxlan.PEER
LAST = _proof_vxlan.LAST
# Felix lets the device know all nodes, those of the own segment too (vxlan_mgr.go), to which it makes other routes.
DIRECT_LAST = ("{device} knows nobody else, and no other route leads to pods", "ip route show root {pods}")
KNOWS_ALL = True
stranger_faults = _proof_vxlan.stranger_faults


def bgp_faults(snapshot: Snapshot, _topology: Data, _own: Peer) -> list[str]:
    """BIRD, where there is one to ask, says a line of its version at least."""
    told = snapshot.text("bgp").strip().partition("\n")[0]
    routes = [f"route to {row['dst']} is BIRD's" for row in snapshot.rows("routes", protocol="bird")]
    return ([f"BIRD runs: {told}"] if told else []) + routes


def route_faults(snapshot: Snapshot, topology: Data, peer: Peer) -> list[str]:
    """Blocks are reached through the address of the peer's device; to that itself a route must be a direct one.

    Felix makes that route when it hears of the address before it hears whose block it is of, and not otherwise.
    """
    wanted = {"dev": pod_network(topology)["cni"]["device"], "scope": "link", "gateway": None}
    rows = snapshot.rows("routes", dst=peer.address)
    direct = [fault for row in rows for fault in differences(f"route to {peer.address}", row, wanted)]
    return _proof_vxlan.route_faults(snapshot, topology, peer) + direct


FAULTS = {**_proof_vxlan.FAULTS, "route": route_faults, "no-bgp": bgp_faults}
