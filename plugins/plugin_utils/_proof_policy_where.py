# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Calico stops what a policy closes: on the node of the pod that is isolated, in the chain of its link. Pure.

This plugin util is PRIVATE to the collection. Sources: Calico, felix/rules/rule_defs.go (cali-tw-LINK has what goes to
a workload, cali-fw-LINK what comes from it) and endpoints.go (at the end of a tier what no policy allowed is dropped).
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_ground import Lane

COMMAND = "iptables-save --counters --table filter && ip -4 route show"
DROPPED = re.compile(r"^\[(\d+):\d+\] -A (cali-[ft]w-\S+) .*End of tier .*-j DROP$", re.MULTILINE)


class Way(t.NamedTuple):
    """A direction: a case that isolates a pod in it, who asks whom meanwhile, and the chain of the pod's link."""

    key: str
    case: str
    isolated: str
    source: str
    target: str
    chain: str
    title: str

    @property
    def ends(self) -> tuple[str, str]:
        """Who asks and who is asked."""
        return self.source, self.target


# In the first lane these two pods are on two nodes, where there are two.
WAYS = (
    Way(
        "where-ingress",
        "deny-ingress",
        "x/a",
        "y/a",
        "x/a",
        "cali-tw-",
        "what ingress rules close is dropped on the node of the pod that is asked, in the chain to its link alone",
    ),
    Way(
        "where-egress",
        "deny-egress",
        "x/a",
        "x/a",
        "y/a",
        "cali-fw-",
        "what egress rules close is dropped on the node of the pod that asks, in the chain from its link alone",
    ),
)


def drops(text: str) -> dict[str, int]:
    """How many packets each chain of a workload has dropped because no policy allowed them."""
    return {chain: int(packets) for packets, chain in DROPPED.findall(text)}


def faults(way: Way, lane: Lane, before: t.Mapping[str, str], after: t.Mapping[str, str]) -> list[str]:
    """Why the packets between two states of the nodes, which COMMAND printed, were not dropped where they must be."""
    node, address = lane.node(way.isolated), lane.addresses[way.isolated]
    link = re.search(rf"^{re.escape(address)} dev (\S+)", after[node], re.MULTILINE)
    if link is None:
        return [f"{node} has no route to {way.isolated}, {address}"]
    wanted = (node, way.chain + link[1])
    rose = [
        (name, chain)
        for name, text in after.items()
        for chain, packets in drops(text).items()
        if packets > drops(before[name]).get(chain, 0)
    ]
    missing = [] if wanted in rose else [f"{wanted[1]} on {node} dropped nothing"]
    return missing + [f"{chain} on {name} dropped packets, too" for name, chain in rose if (name, chain) != wanted]
