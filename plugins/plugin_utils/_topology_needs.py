# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel features that a topology takes, by the names that preflight tries. PRIVATE to the collection. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import (
    backend_of,
    plugin_of,
    pod_network,
    tables_of,
)
from ansible_collections.reftopo.lab.plugins.module_utils._proxy_mode import FEATURES

Data = dict[str, t.Any]


def needs(compiled: Data) -> list[str]:
    """The kernel features that preflight must try on a host; what runs in virtual machines needs their kernel."""
    state = compiled["link_state"]
    features = {"netns", "veth"} if state["namespaces"] else set()
    # A tap is tun's other mode.
    features |= {link["kind"] for link in state["links"].values()} - {"tap"}
    features |= {"tun" for node in compiled["nodes"].values() if node["provider"] == "vm"}
    links = [link for body in state["namespaces"].values() for link in body["links"].values()]
    # What is not valid comes by here as well: link_state itself tells what is wrong with it.
    features |= {link["kind"] for link in links if isinstance(link, dict) and "kind" in link}
    if any("nat" in body for body in state["namespaces"].values()):
        features.add("nftables")
    here = [node for node in compiled["nodes"].values() if node["provider"] == "container"]
    return sorted(features.union(*(node_needs(compiled, node) for node in here)))


def existing_needs(compiled: Data, node: Data) -> list[str]:
    """What must be tried on a host that is there already: its pods' links and networks are made there."""
    return sorted({"bridge", "netns", "veth"} | node_needs(compiled, node))


def node_needs(topology: Data, node: Data) -> set[str]:
    """What the pods, tunnels and services of a node take of the kernel it runs on; of any valid topology."""
    plugins = node.get("cni", {}).get("plugins", ())
    # The CNI plugin bridge masquerades by iptables unless it is told otherwise.
    features = {str(plugin.get("ipMasqBackend", "iptables")) for plugin in plugins if plugin.get("ipMasq")}
    if network := pod_network(topology):
        cni, mode = network["cni"], network.get("proxy_mode", "")
        # Without kube-proxy it is the network plugin alone that has rules.
        features |= {tables_of(cni, mode or "nftables"), backend_of(cni).feature, plugin_of(cni).feature}
        features.update(FEATURES.get(node.get("proxy_mode", mode), ()))
    return features - {""}
