# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where kube-proxy's rules of a node lead, compared with the endpoints that the API says. Pure.

This plugin util is PRIVATE to the collection. The rules themselves are followed, packet by packet, from the kernel's
hooks to the last address translation, so what is compared is not their text but what they do.
"""

from __future__ import annotations

import typing as t
from fractions import Fraction

from ansible_collections.reftopo.lab.plugins.plugin_utils import (
    _proof_iptables,
    _proof_ipvs,
    _proof_nftables,
    _proof_proxy_servers,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_flow import (
    End,
    Ends,
    Packet,
    Rules,
    UnclearError,
    ends,
    through,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_plan import SERVICE
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_proxy import nftables_entries
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_services import NOBODY, STICKY, Front, Service
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot

COMMANDS = {
    "nftables": "nft list table ip kube-proxy",
    "iptables": "iptables-save",
    "ipvs": "cat /proc/net/ip_vs; ipset save; iptables-save",
}
OUTSIDE = "192.0.2.1"  # nobody's address (RFC 5737), for packets that come from outside
REFUSED = {End("refused"): Fraction(1)}
CLAIMS = {
    "rules": f"rules lead from {SERVICE}'s address to each of its endpoints alike, and to nothing else",
    "rules-node": f"rules lead this node itself from {SERVICE}'s address to the same, masqueraded",
    "rules-port": f"rules lead from {SERVICE}'s node port to the same, masqueraded",
    "rules-affinity": f"rules of {STICKY} lead a client that is known to its endpoint again, and others to all alike",
    "rules-nobody": f"rules refuse what goes to {NOBODY}, at its address and at its node port",
}


class View(t.NamedTuple):
    """What a claim is judged by: a node's rules as read, the services then, and the pods of the node.

    services are those of the test workload, fronts the ports of all services of the cluster.
    """

    topology: Data
    snapshot: Snapshot
    services: dict[str, Service]
    pods: list[Endpoint]
    fronts: list[Front]

    @property
    def mode(self) -> str:
        """kube-proxy's mode on the node."""
        return str(self.topology["nodes"][self.snapshot.machine]["proxy_mode"])

    @property
    def rules(self) -> Rules:
        """The rules of the node's mode."""
        text = self.snapshot.text
        if self.mode == "nftables":
            return _proof_nftables.parse(text("nft"))
        if self.mode == "iptables":
            return _proof_iptables.parse(text("iptables"))
        return _proof_ipvs.parse(text("ipvs"), text("ipset"), text("iptables"), text("links"))

    @property
    def address(self) -> str:
        """The address of the node."""
        return str(self.topology["nodes"][self.snapshot.machine]["address"])


def claims(topology: Data) -> list[Claim]:
    """What is claimed of the rules of each node."""
    return [
        Claim(name, key, title, COMMANDS[node["proxy_mode"]])
        for name, node in topology["nodes"].items()
        for key, title in {**CLAIMS, **(_proof_proxy_servers.CLAIMS if node["proxy_mode"] == "ipvs" else {})}.items()
    ]


def faults(key: str, view: View) -> list[str]:
    """What speaks against a claim; rules that cannot be followed do."""
    return _clear(lambda: FAULTS[key](view))


def service_faults(view: View, service: str) -> list[str]:
    """What speaks against the same of another service's address."""
    return _clear(lambda: _address_faults(view, service))


def refusal_faults(view: View, service: str) -> list[str]:
    """Where a service's address does not refuse, though it must, for it has no endpoints."""
    return _clear(
        lambda: [fault for packet in _from_pods(view, service) for fault in _differences(view, packet, REFUSED)]
    )


def _from_pods(view: View, service: str) -> list[Packet]:
    """A packet from each pod of the node to each port of a service's address."""
    known = view.services[service]
    return [packet for pod in view.pods for packet, _wanted in _to_address(known, pod.address)]


def _clear(found: t.Callable[[], list[str]]) -> list[str]:
    try:
        return found()
    except UnclearError as problem:
        return [f"the rules cannot be followed: {problem}"]


def _address_faults(view: View, service: str = SERVICE) -> list[str]:
    """From every pod of the node. Only what a pod sends to itself is masqueraded: it would answer itself directly."""
    return [
        fault
        for pod in view.pods
        for packet, wanted in _to_address(view.services[service], pod.address)
        for fault in _differences(view, packet, wanted)
    ]


def _node_faults(view: View) -> list[str]:
    """From the node: its own address is not a pod's, so the service's pods must answer to the node."""
    return [
        fault
        for packet, wanted in _to_address(view.services[SERVICE], view.address)
        for fault in _differences(view, packet._replace(from_node=True), _masqueraded(wanted))
    ]


def _port_faults(view: View) -> list[str]:
    """From outside to the node's port: the answer must come back by this node, so it is masqueraded."""
    service = view.services[SERVICE]
    return [
        fault
        for protocol, port in service.node_ports.items()
        for fault in _differences(
            view,
            Packet(OUTSIDE, view.address, protocol, port, to_node=True),
            _masqueraded(_alike(service.ends[protocol], OUTSIDE)),
        )
    ]


def _affinity_faults(view: View) -> list[str]:
    """Each way of a new client, and then the way of a client that is on the list which that way put it on."""
    found = _address_faults(view, STICKY)
    for pod in view.pods:
        for packet, wanted in _to_address(view.services[STICKY], pod.address):
            for end in wanted:
                lists = _lists(view.rules, packet, end)
                found += [] if lists else [f"{packet.protocol}: nothing remembers who was led to {end.where}"]
                found += _differences(view, packet._replace(known=lists), {end: Fraction(1)}) if lists else []
    return found


def _lists(rules: Rules, packet: Packet, end: End) -> frozenset[str]:
    """The lists that a packet's source is put on by the rules that lead it to an end."""
    branches = through(rules, packet)
    led = [one.packet for one in branches if f"{one.packet.destination}:{one.packet.port}" == end.where]
    return frozenset(name for one in led for name in one.noted)


def _nobody_faults(view: View) -> list[str]:
    """To a service without endpoints, from each pod by its address, and from outside by its node port."""
    service = view.services[NOBODY]
    packets = _from_pods(view, NOBODY)
    for protocol, port in service.node_ports.items():
        packets.append(Packet(OUTSIDE, view.address, protocol, port, to_node=True))
    return [fault for packet in packets for fault in _differences(view, packet, REFUSED)] + _unlisted(view, service)


def _unlisted(view: View, service: Service) -> list[str]:
    """Ports that nftables mode does not list as without endpoints; it refuses them all the same, as it does others."""
    if view.mode != "nftables":
        return []
    wanted = {(service.address, protocol, port) for protocol, port in service.ports.items()}
    missing = wanted - nftables_entries(view.snapshot, "no-endpoint-services")
    return [f"{entry} is not in the map no-endpoint-services" for entry in sorted(missing)]


def _to_address(service: Service, source: str) -> list[tuple[Packet, Ends]]:
    """A packet to each port of a service's address, and where it must end."""
    return [
        (Packet(source, service.address, protocol, port), _alike(service.ends[protocol], source))
        for protocol, port in service.ports.items()
    ]


def _alike(endpoints: tuple[str, ...], source: str) -> Ends:
    """Every endpoint with the same chance; masqueraded where it is the source itself."""
    return {End(one, one.partition(":")[0] == source): Fraction(1, len(endpoints)) for one in endpoints}


def _masqueraded(wanted: Ends) -> Ends:
    return {End(end.where, True): share for end, share in wanted.items()}


def _differences(view: View, packet: Packet, wanted: Ends) -> list[str]:
    """Each end that a packet has with another chance than it must."""
    found = ends(view.rules, packet)
    way = f"{packet.protocol} from {packet.source} to {packet.destination}:{packet.port}"
    if not wanted:
        return [f"{way}: the API has no endpoint"]
    return [
        f"{way}: to {end} with chance {found.get(end, 0)}, must be {wanted.get(end, 0)}"
        for end in sorted({*found, *wanted})
        if found.get(end) != wanted.get(end)
    ]


FAULTS: dict[str, t.Callable[[View], list[str]]] = {
    "rules": _address_faults,
    "rules-node": _node_faults,
    "rules-port": _port_faults,
    "rules-affinity": _affinity_faults,
    "rules-nobody": _nobody_faults,
    "ipvs-addresses": lambda view: _proof_proxy_servers.address_faults(view.snapshot, view.fronts),
    "ipvs-servers": lambda view: _proof_proxy_servers.server_faults(
        view.snapshot, view.fronts, view.address, view.topology["cluster"]["proxy_scheduler"]
    ),
}
