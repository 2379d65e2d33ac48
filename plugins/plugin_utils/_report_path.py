# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of one packet's path between two pods on two nodes. PRIVATE to the collection.

One line a step: the device on the left, the packet's headers on the right, each header in a column of its own, so that
one sees where the outer ones come and go. Sizes: RFC 7348 section 5 and the headers it stacks.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import plugin_of, pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_svg import Line, Picture, Rect, Shape, Text
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import (
    bare,
    outsider,
    segment,
    underlay,
    underlay_mtu,
    way,
)

Data = dict[str, t.Any]

MARGIN, STEP, BOX, DEVICE = 16.0, 42.0, 32.0, 216.0
NARROWEST = 660.0  # what the caption needs
# Columns of the headers: key to width and kind of box.
COLUMNS = {
    "outer ethernet": (52.0, "wire"),
    "outer ip": (212.0, "wire"),
    "udp": (72.0, "tunnel"),
    "vxlan": (72.0, "tunnel"),
    "inner ethernet": (52.0, "pod"),
    "inner ip": (196.0, "pod"),
    "data": (48.0, "pod"),
}
# The headers of a packet on its way in a node, and between nodes by backend; a TUN or IPIP device carries no Ethernet.
IN_A_NODE = ("inner ethernet", "inner ip", "data")
IN_A_TUN = ("inner ip", "data")
ON_THE_WIRE = {
    "vxlan": tuple(COLUMNS),
    "udp": ("outer ethernet", "outer ip", "udp", "inner ip", "data"),
    "ipip": ("outer ethernet", "outer ip", "inner ip", "data"),
    "host-gw": IN_A_NODE,
    "direct": IN_A_NODE,
    "bgp": IN_A_NODE,
}
NOTHING_AROUND = "nothing around a packet; frames go to the other node"
AROUND = {
    "vxlan": "IP 20 + UDP 8 + VXLAN 8 + Ethernet 14 = {overhead} bytes around each packet",
    "udp": "IP 20 + UDP 8 = {overhead} bytes around each packet",
    "ipip": "one more IP header, {overhead} bytes, around each packet",
    "host-gw": NOTHING_AROUND,
    "direct": NOTHING_AROUND,
    "bgp": NOTHING_AROUND,
}


class Step(t.NamedTuple):
    """One device on the path: where it is, and the headers that the packet has there; what some say there alone."""

    device: str
    where: str
    headers: tuple[str, ...]
    kind: str
    said: t.Mapping[str, str] = {}


def path_picture(topology: Data, endpoints: list[Data]) -> Picture | None:
    """Draw the path between the first two pods on different nodes; None where no network has two such pods.

    In a topology about a load balancer or an ingress controller it is the path of a client outside, by the first worker
    as the one that answers or has the controller.
    """
    ends = _ends(topology, endpoints)
    if ends is None or not pod_network(topology):
        return None
    words, ends, steps = _told(topology, endpoints, ends)
    columns = [key for key in COLUMNS if any(key in step.headers for step in steps)]
    return Picture(
        name="path",
        title=f"{words}: one packet, step by step",
        description=" ".join(f"{n}. {s.device} ({s.where}){_in_what(s)}." for n, s in enumerate(steps, 1)),
        width=max(NARROWEST, 2 * MARGIN + DEVICE + 40 + sum(COLUMNS[key][0] + 4 for key in columns) - 4),
        height=2 * MARGIN + STEP * len(steps) + 40,
        shapes=tuple(_shapes(steps, columns, _headers(topology, *ends), _caption(topology))),
    )


def _told(topology: Data, endpoints: list[Data], ends: tuple[Data, Data]) -> tuple[str, tuple[Data, Data], list[Step]]:
    """What the picture shows in words, both its ends, and its steps."""
    controller = _about(topology, "ingress") and topology["cluster"]["ingress"]["controller"]
    if not (controller or _about(topology, "load-balancer")):
        words = f"From {ends[0]['name']} on {ends[0]['node']} to {ends[1]['name']} on {ends[1]['node']}"
        return words, ends, _steps(topology, *ends)
    first = topology["cluster"]["control_plane"][0]
    pod = next(one for one in endpoints if (one["kind"], one["node"]) == ("pod", first))
    node = ends[0]["node"]
    own = {"name": controller, "address": controller} if controller else {"address": f"address of {node}"}
    by = {**ends[0], **own}
    whom = f"by {controller} on {node}" if controller else "by a service's address"
    words = f"From a machine outside, {whom}, to {pod['name']} on {pod['node']}"
    return words, (by, pod), (_led_steps if controller else _served_steps)(topology, by, pod)


def _in_what(step: Step) -> str:
    if "vxlan" in step.headers:
        return ", in VXLAN"
    if "udp" in step.headers:
        return ", in UDP"
    return ", in IPIP" if {"outer ip", "inner ip"} <= {*step.headers} else ""


def _ends(topology: Data, endpoints: list[Data]) -> tuple[Data, Data] | None:
    """Two pods on different nodes, on workers and in different segments where possible."""
    pods = [pod for pod in endpoints if pod["kind"] == "pod" and pod["node"] in topology["nodes"] and pod["address"]]
    pods.sort(key=lambda pod: topology["nodes"][pod["node"]].get("role") != "worker")
    others = [pod for pod in pods if pod["node"] != pods[0]["node"]]
    others.sort(key=lambda pod: segment(topology, pod["node"]) == segment(topology, pods[0]["node"]))
    return (pods[0], others[0]) if others else None


def _underlay(topology: Data, node: str) -> tuple[str, Data]:
    interfaces = topology["nodes"][node]["interfaces"]
    name = underlay(topology["nodes"][node])
    return name, interfaces[name]


def _steps(topology: Data, origin: Data, to: Data) -> list[Step]:
    backend = way(topology, origin["node"], to["node"])
    device = "" if bare(topology, origin["node"], to["node"]) else pod_network(topology)["cni"]["device"]
    near = plugin_of(pod_network(topology)["cni"]).pods.replace("*", "…")
    (out, first), (into, second) = _underlay(topology, origin["node"]), _underlay(topology, to["node"])
    leaving, arriving = _policies(topology)
    wire, at_device = ON_THE_WIRE[backend], IN_A_TUN if backend in ("udp", "ipip") else IN_A_NODE
    devices = [[Step(device, pod["node"], at_device, "tunnel")] if device else [] for pod in (origin, to)]
    return [
        Step("eth0", origin["name"], IN_A_NODE, "pod"),
        Step(near, origin["node"] + leaving, IN_A_NODE, "cni"),
        *devices[0],
        Step(out, origin["node"], wire, "wire"),
        *_between(topology, first["segment"], second["segment"], wire),
        Step(into, to["node"], wire, "wire"),
        *devices[1],
        Step(near, to["node"] + arriving, IN_A_NODE, "cni"),
        Step("eth0", to["name"], IN_A_NODE, "pod"),
    ]


def _about(topology: Data, mechanism: str) -> bool:
    """Whether the topology is about a mechanism."""
    return any(check.get("mechanism") == mechanism for check in topology.get("checks", {}).values())


def _served_steps(topology: Data, node: Data, to: Data) -> list[Step]:
    """From outside to the node that answers ARP; from there, translated, as from a pod that is not drawn."""
    return _outside_steps(topology, node) + _steps(topology, node, to)[2:]


def _led_steps(topology: Data, controller: Data, to: Data) -> list[Step]:
    """From outside to the controller's pod, whose connection to the other pod is one of its own."""
    near = plugin_of(pod_network(topology)["cni"]).pods.replace("*", "…")
    said = {"inner ip": f"{_client(topology, controller)[2]} → {controller['address']}"}
    inward = [
        Step(device, where, IN_A_NODE, kind, said)
        for device, where, kind in ((near, controller["node"], "cni"), ("eth0", controller["name"], "pod"))
    ]
    return _outside_steps(topology, controller) + inward + _steps(topology, controller, to)


def _outside_steps(topology: Data, node: Data) -> list[Step]:
    device, entry = _underlay(topology, node["node"])
    name, port, source = _client(topology, node)
    address = topology["cluster"]["load_balancer"]["pool"].partition("/")[0]
    said = {"outer ip": f"{source} → {address}"}
    bridge = topology["segments"][entry["segment"]]["bridge"]
    places = ((port, name), (bridge, f"host, {entry['segment']}"), (device, f"{node['node']}, ARP"))
    return [Step(*place, ("outer ethernet", "outer ip", "data"), "wire", said) for place in places]


def _client(topology: Data, node: Data) -> tuple[str, str, str]:
    """The machine outside on a node's segment: its name, interface and address."""
    client = outsider(topology, segment(topology, node["node"]))
    port = underlay(client)
    return client["name"], port, client["interfaces"][port]["address"].partition("/")[0]


def _policies(topology: Data) -> tuple[str, str]:
    """What is said where a packet leaves its pod, and where it comes to one, in a topology that is about policies."""
    about = any(check.get("policy") == "enforced" for check in topology.get("checks", {}).values())
    return (", egress", ", ingress") if about else ("", "")


def _between(topology: Data, first: str, second: str, wire: tuple[str, ...]) -> list[Step]:
    """What the wire between two nodes consists of: a bridge, or two and the router that joins them."""
    if topology["segments"][first]["kind"] == "existing":
        return [Step(first, "network", wire, "wire")]
    steps = [Step(topology["segments"][name]["bridge"], f"host, {name}", wire, "wire") for name in (first, second)]
    if first == second:
        return steps[:1]
    router = topology["namespaces"][topology["segments"][first]["router"]]
    ports = {interface["segment"]: name for name, interface in reversed(router["interfaces"].items())}
    return [steps[0], Step(f"{ports[first]}, {ports[second]}", router["name"], wire, "wire"), steps[1]]


def _headers(topology: Data, origin: Data, to: Data) -> dict[str, str]:
    cni = pod_network(topology)["cni"]
    outer = [topology["nodes"][pod["node"]]["address"] for pod in (origin, to)]
    return {
        "outer ethernet": "Eth",
        "outer ip": f"{outer[0]} → {outer[1]}",
        "udp": f"UDP {cni.get('port')}",
        "vxlan": f"VNI {cni.get('vni')}",
        "inner ethernet": "Eth",
        "inner ip": f"{origin['address']} → {to['address']}",
        "data": "data",
    }


def _caption(topology: Data) -> str:
    cni = pod_network(topology)["cni"]
    outside = underlay_mtu(next(iter(topology["nodes"].values())))
    return f"{AROUND[cni['backend']].format_map(cni)}: MTU {outside} outside, {cni['mtu']} in pods"


def _shapes(steps: list[Step], columns: list[str], headers: dict[str, str], caption: str) -> t.Iterator[Shape]:
    middle = MARGIN + 26 + DEVICE / 2
    first, last = MARGIN + BOX / 2, MARGIN + STEP * (len(steps) - 1) + BOX / 2
    yield Line(((middle, first), (middle, last)), "wire-line")
    for number, step in enumerate(steps):
        y = MARGIN + STEP * number
        yield Text(MARGIN + 16, y + 21, str(number + 1), 20, "strong", "end", 14)
        yield Rect(MARGIN + 26, y, DEVICE - 6, BOX, step.kind, 4)
        yield Text(MARGIN + 34, y + 20, step.device, 100, "strong")
        yield Text(MARGIN + DEVICE + 12, y + 20, step.where, 96, "muted", "end", 11)
        yield from _packet(y, {**headers, **step.said}, step.headers, columns)
    yield Text(MARGIN + 26, MARGIN + STEP * len(steps) + 20, caption, 820, "muted")


def _packet(y: float, headers: dict[str, str], there: tuple[str, ...], columns: list[str]) -> t.Iterator[Shape]:
    """The headers that a packet has, each in its own of the columns."""
    x = MARGIN + DEVICE + 40
    for key in columns:
        width, kind = COLUMNS[key]
        if key in there:
            yield Rect(x, y, width, BOX, kind, 3)
            yield Text(x + width / 2, y + 20, headers[key], width - 4, anchor="middle", size=11)
        x += width + 4
