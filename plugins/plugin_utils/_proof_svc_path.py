# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How what was asked of Services went: which rules of which node led it to who answered, and whose source that one saw.

This plugin util is PRIVATE to the collection. Pure. The rules are those that were read from the node; who answered and
the source address are what the server told. Where rules lead elsewhere than to who answered, they are not what carried
the packet, or were not read as they are: that is a fault.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_flow import (
    Branch,
    Packet,
    UnclearError,
    end_of,
    through,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import NAMES, Data, Endpoint, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy import by_port
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_proxy_rules import COMMANDS, View
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import target
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome

TITLE = "the node's own rules, followed, lead each of it to who answered, and to nobody what nobody answered"
# Where rules must lead what was not answered. What no rule leads on goes by the routes, to nobody.
UNANSWERED = {
    "refused": ("refused", "nobody"),
    "timeout": ("dropped", "nobody"),
    "unreachable": ("dropped", "nobody"),
}


class Ways:
    """The nodes' rules, and who may answer, by name."""

    def __init__(self, topology: Data, snapshots: t.Mapping[str, Snapshot], servers: t.Iterable[Endpoint]) -> None:
        self.topology = topology
        self.views = {node: View(topology, snapshot, {}, [], []) for node, snapshot in snapshots.items()}
        self.servers = {answer: server for server in servers for answer in server.answers}

    def paths(self, outcomes: t.Iterable[Outcome], announcer: t.Mapping[str, str] | None = None) -> list[Data]:
        """Of each cell the way of its first answer; announcer says which node has taken an address for its own."""
        found: dict[tuple[str, ...], Data] = {}
        for one in outcomes:
            probe = one.probe
            key = (str(probe.control), probe.source.name, probe.target.name, by_port(one))
            node = self._node(probe, announcer or {})
            if key in found or probe.protocol in (*NAMES, "icmp") or not node or one.record["observed"] == "error":
                continue
            found[key] = self._path(one, node)
        return list(found.values())

    def _node(self, probe: Probe, announcer: t.Mapping[str, str]) -> str | None:
        """The node that translates: the one whose address it is, else that of the client; None if nobody does."""
        own = {entry["address"]: name for name, entry in self.topology["nodes"].items()}
        node = announcer.get(probe.target.address) or own.get(probe.target.address) or probe.source.node
        return node if node in self.views else None

    def _path(self, one: Outcome, node: str) -> Data:
        probe, view, answer = one.probe, self.views[node], one.result.get("server")
        server = self.servers.get(answer or "")
        told = {
            "check": probe.check,
            "control": probe.control,
            "from": probe.source.name,
            "to": probe.target.name,
            "protocol": by_port(one),
            "target": target(probe),
            "observed": one.record["observed"],
            "source": probe.source.address,
            "seen": one.result.get("source"),
            "server": server.name if server else answer,
            "node": node,
            "mode": view.mode,
            "command": COMMANDS[view.mode],
        }
        return {**told, **_led(view, self._packet(probe, node), one, server)}

    def _packet(self, probe: Probe, node: str) -> Packet:
        """The first packet as it comes to the node: what a pod sends to another node has its own node's address."""
        source = probe.source
        leaves = source.kind == "pods" and source.node != node
        address = str(self.topology["nodes"][source.node]["address"]) if leaves else source.address
        return Packet(
            address,
            probe.target.address,
            probe.protocol,
            probe.target.ports[probe.protocol],
            from_node=source.kind == "nodes" and source.node == node,
            to_node=probe.target.address == self.views[node].address,
        )


def _led(view: View, packet: Packet, one: Outcome, server: Endpoint | None) -> Data:
    """Where the rules lead a packet, of all that can happen what agrees with what was observed."""
    nothing = {"rules": [], "end": "", "chance": "0", "masqueraded": False, "ok": False}
    try:
        branches = through(view.rules, packet)
    except UnclearError as problem:
        return {**nothing, "detail": f"the rules cannot be followed: {problem}"}
    right = [branch for branch in branches if _agrees(branch, one.record["observed"], server)]
    branch = (right or branches)[0]
    end = end_of(branch)
    found = {
        "rules": list(branch.packet.passed),
        "end": end.where,
        "chance": str(branch.share),
        "masqueraded": end.masqueraded,
    }
    return {**found, "ok": bool(right), "detail": "" if right else f"rules lead to {end.where}"}


def _agrees(branch: Branch, observed: str, server: Endpoint | None) -> bool:
    where = end_of(branch).where
    if observed == "ok":
        return server is not None and where.partition(":")[0] == server.address
    return where in UNANSWERED.get(observed, ())


def faults(paths: list[Data]) -> list[str]:
    """Where rules do not lead to who answered; that there is no path says nothing."""
    if not paths:
        return ["no way was followed"]
    return [
        f"{path['protocol']} from {path['from']} to {path['to']} ({path['target']}) on {path['node']}: "
        f"{path['server'] or path['observed']}, but {path['detail']}"
        for path in paths
        if not path["ok"]
    ]
