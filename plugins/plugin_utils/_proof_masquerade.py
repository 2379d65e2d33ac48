# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose address a node gives to what it masquerades. Pure. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import plugin_of
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import bare


def masquerade(topology: Data, snapshots: t.Mapping[str, Snapshot], node: str, pod: Endpoint) -> str:
    """The address that a node gives to what it masquerades towards a pod: of the device that it leaves by."""
    cni = topology["cluster"]["cni"]
    through = "" if bare(topology, node, str(pod.node)) else cni["device"]
    device = plugin_of(cni).bridge if pod.node == node else through
    found = [one for one in snapshots[node].link(device).get("addr_info", ()) if one["family"] == "inet"]
    return str(found[0]["local"] if found else topology["nodes"][node]["address"])
