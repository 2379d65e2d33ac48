# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a topology: host, segments, machines, pods and the overlay. PRIVATE to the collection.

Up to four nodes stand in one row above the segments' bridges, and what is only a namespace below; without nodes,
machines that join or carry segments stand above those that are on one only. More nodes fill both rows, the lower one
upside down, so that every machine reaches the bridges without crossing another.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import bridge_name, plugin_of, pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_layout import (
    BAR,
    CONTAINER,
    MARGIN,
    NARROWEST,
    ONE_ROW,
    PAD,
    PLUG,
    POD,
    RAIL,
    TAB,
    TITLE,
    Machine,
    Place,
    Row,
    pod_height,
    stack_rows,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_svg import Line, Picture, Rect, Shape, Text
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_pods import subnets

Data = dict[str, t.Any]


def topology_picture(topology: Data, endpoints: list[Data]) -> Picture:
    """Draw a compiled topology with its endpoints (of results.json; only pods are drawn beside the machines)."""
    nodes = [_node(node, topology, endpoints) for node in topology["nodes"].values()]
    others = [_namespace(machine, topology) for machine in topology.get("namespaces", {}).values()]
    rows = _rows(nodes, others)
    bars, height = stack_rows(rows, list(topology["segments"]))
    width = max(NARROWEST, *(row.width for row in rows)) + 4 * MARGIN
    return Picture(
        name="topology",
        title=f"Topology {topology['name']}",
        description=_description(topology, [*nodes, *others]),
        width=width,
        height=height,
        shapes=tuple(_shapes(topology, rows, bars, width, height)),
    )


def _rows(nodes: list[Machine], others: list[Machine]) -> list[Row]:
    """Above the segments the nodes, or where there are none the machines that join several segments or carry one."""
    if nodes or len(others) <= ONE_ROW:
        half = len(nodes) if len(nodes) <= ONE_ROW else (len(nodes) + 1) // 2
        return [Row(nodes[:half], flipped=False), Row(nodes[half:] + others, flipped=True)]
    joining = [one for one in others if len(one.interfaces) > 1 or one.interfaces[0][1].get("kind") == "bridge"]
    return [Row(joining, flipped=False), Row([one for one in others if one not in joining], flipped=True)]


def _node(node: Data, topology: Data, endpoints: list[Data]) -> Machine:
    network = pod_network(topology)
    made = node.get("pods", {})
    pods = [
        {**pod, "containers": ["pause", *made[pod["name"]]] if made else []}
        for pod in endpoints
        if pod["kind"] == "pod" and pod["node"] == node["name"]
    ]
    device = network.get("cni", {}).get("device", "")
    bridge = _bridge(network, pods) if network else _own_bridge(node, topology)
    reflects = node["name"] in network.get("cni", {}).get("route_reflectors", {}).get("nodes", ())
    kind = "reflector" if reflects else node.get("role", "node")
    kind += {"vm": ", VM", "existing": ", host"}.get(node.get("provider", ""), "")
    return Machine(node["name"], kind, [*node["interfaces"].items()], pods, bridge, device)


def _own_bridge(node: Data, topology: Data) -> str:
    """The bridge of a node's own network configuration, with the subnets that its addresses are of."""
    names = [bridge_name(plugin) for plugin in node.get("cni", {}).get("plugins", ()) if plugin["type"] == "bridge"]
    networks = [network for path, network in subnets(topology) if path.startswith(f"nodes.{node['name']}.")]
    return " ".join([*names[:1], *networks]) if names else ""


def _bridge(network: Data, pods: list[Data]) -> str:
    """The bridge that a node's pods hang on, with their subnet; or that each has a link and a route of its own."""
    if not pods or not pods[0]["address"]:
        return ""
    bridge = plugin_of(network["cni"]).bridge
    if not bridge:
        return "routes, one a pod"
    first = ipaddress.ip_interface(f"{pods[0]['address']}/{network['node_prefix']}")
    return f"{bridge} {first.network}"


def _namespace(machine: Data, topology: Data) -> Machine:
    routers = {segment.get("router") for segment in topology["segments"].values()}
    kind = "router" if machine["name"] in routers else "namespace"
    if "host" in machine:
        kind = f"{kind if kind == 'router' else ''} on {machine['host']}".strip()
    return Machine(machine["name"], kind, [*machine["interfaces"].items()])


def _shapes(topology: Data, rows: list[Row], bars: dict[str, float], width: float, height: float) -> t.Iterator[Shape]:
    """Everything in painting order: lines before boxes, so that a line that passes a box goes behind it."""
    yield Rect(MARGIN, MARGIN, width - 2 * MARGIN, height - 2 * MARGIN, "host", 10)
    yield Text(2 * MARGIN, MARGIN + 20, f"host, topology {topology['name']}", width - 4 * MARGIN, "muted")
    bands = [row.band + BAR / 2 for row in rows if row.band is not None]
    if len(bands) == 2:  # one overlay, drawn at both ends
        left, right = width - 2 * MARGIN, width - 1.4 * MARGIN
        yield Line(((left, bands[0]), (right, bands[0]), (right, bands[1]), (left, bands[1])), "tunnel-line")
    places = [Place(machine, x, row) for row in rows for machine, x in row.columns(width)]
    for place in places:
        yield from _links(place, bars)
    for row in rows:
        if row.band is not None:
            yield from _band(row.band, width, "tunnel", _overlay_words(pod_network(topology)))
    for name, segment in topology["segments"].items():
        yield from _band(bars[name], width, "wire", _segment_words(name, segment))
    for place in places:
        yield from _plugs(place, bars)
        yield from _machine(place)


def _band(y: float, width: float, kind: str, words: str) -> t.Iterator[Shape]:
    yield Rect(2 * MARGIN, y, width - 4 * MARGIN, BAR, kind)
    yield Text(width / 2, y + BAR / 2 + 4, words, width - 5 * MARGIN, anchor="middle")


def _overlay_words(network: Data) -> str:
    cni = network["cni"]
    words = [f"{cni['backend'].upper()} overlay{' between segments' if cni.get('direct_routing') else ''}"]
    words += [f"UDP {cni['port']}"] if "port" in cni else []
    words += [f"VNI {cni['vni']}"] if "vni" in cni else []
    return " · ".join([*words, f"MTU {cni['mtu']}", f"pods {network['pod_cidr']}"])


def _segment_words(name: str, segment: Data) -> str:
    return f"segment {name} · {_medium(segment)} · {segment['cidr']} · MTU {segment['mtu']}"


def _medium(segment: Data) -> str:
    if "bridges" in segment:
        return ", ".join(f"bridge {bridge} in {machine}" for machine, bridge in segment["bridges"].items())
    if segment["kind"] == "existing":
        return "existing network"
    if segment["kind"] == "veth":
        return "veth pair"
    words = " ".join(filter(None, ("bridge", segment["bridge"], segment.get("gateway"))))
    if "hosts" in segment:
        words += f" on {', '.join(segment['hosts'])}"
    return f"{words} · VXLAN, UDP {segment['port']}, VNI {segment['vni']}" if "tunnel" in segment else words


def _links(place: Place, bars: dict[str, float]) -> t.Iterator[Shape]:
    overlay, tabs = place.ends
    for left, width, _name, interface in place.interfaces:
        if interface.get("segment") in bars:
            middle = left + width / 2
            yield Line(((middle, tabs + TAB / 2), (middle, bars[interface["segment"]] + BAR / 2)), "wire-line")
    if place.machine.device and place.row.band is not None:
        middle = place.x + place.machine.width / 2
        yield Line(((middle, overlay + TAB / 2), (middle, place.row.band + BAR / 2)), "tunnel-line")


def _plugs(place: Place, bars: dict[str, float]) -> t.Iterator[Shape]:
    """Marks where an interface's line ends on its segment, for it may pass behind others."""
    for left, width, _name, interface in place.interfaces:
        if interface.get("segment") in bars:
            edge = bars[interface["segment"]] + (BAR if place.row.flipped else 0)
            yield Rect(left + (width - PLUG) / 2, edge - PLUG / 2, PLUG, PLUG, "plug", 2)


def _machine(place: Place) -> t.Iterator[Shape]:
    machine, x = place.machine, place.x
    overlay, tabs = place.ends
    yield Rect(x, place.top + TAB / 2, machine.width, place.height - TAB, "node", 8)
    for left, width, name, interface in place.interfaces:
        yield from _box(Rect(left, tabs, width, TAB, "wire", 4), name, interface["address"])
    if machine.device:
        tab = Rect(x + PAD, overlay + (TAB - BAR) / 2, machine.width - 2 * PAD, BAR, "tunnel", 4)
        yield from _box(tab, machine.device)
    yield from _inside(machine, x, place.top + TAB + 4)


def _inside(machine: Machine, x: float, y: float) -> t.Iterator[Shape]:
    """The machine's name, its pods below each other, and the bridge they hang on by a rail."""
    room = machine.width - 2 * PAD
    name = Text(x + PAD, y + 14, machine.name, room * 0.5, "strong", size=14)
    yield name
    yield Text(x + PAD + room, y + 14, machine.kind, x + PAD + room - name.box[2] - 4, "muted", "end")
    y += TITLE - 4
    bridge = y + sum(pod_height(pod) + 6 for pod in machine.pods)
    for pod in machine.pods:
        middle = y + POD / 2
        yield Line(((x + PAD + RAIL, middle), (x + PAD + 4, middle), (x + PAD + 4, bridge)), "pod-line")
        yield Rect(x + PAD + RAIL, y, room - RAIL, pod_height(pod), "pod", 4)
        yield from _words(Rect(x + PAD + RAIL, y, room - RAIL, POD, "pod"), pod["name"], pod["address"] or "")
        yield from _containers(pod.get("containers", []), x + PAD + RAIL, y + POD - 2, room - RAIL)
        y += pod_height(pod) + 6
    if machine.bridge:
        yield from _box(Rect(x + PAD, bridge, room, BAR, "cni", 4), machine.bridge)


def _containers(names: list[str], x: float, y: float, room: float) -> t.Iterator[Shape]:
    """A pod's containers side by side."""
    step = (room - 6) / max(len(names), 1)
    for index, name in enumerate(names):
        rect = Rect(x + 6 + index * step, y, step - 6, CONTAINER - 4, "node", 4)
        yield rect
        yield Text(rect.x + rect.width / 2, y + 14, name, rect.width - 4, anchor="middle", size=11)


def _box(rect: Rect, name: str, address: str = "") -> t.Iterator[Shape]:
    yield rect
    yield from _words(rect, name, address)


def _words(rect: Rect, name: str, address: str) -> t.Iterator[Shape]:
    """A name, and an address below it, in the middle of a box."""
    lines = [line for line in (name, address) if line]
    for index, line in enumerate(lines):
        baseline = rect.y + rect.height / 2 + 4 + (index - (len(lines) - 1) / 2) * 15
        kind = "strong" if index == 0 else ""
        yield Text(rect.x + rect.width / 2, baseline, line, rect.width - 6, kind, "middle", 11.5)


def _pod_words(pod: Data) -> str:
    containers = pod.get("containers")
    return f"{pod['name']} {pod['address']}" + (f" ({', '.join(containers)})" if containers else "")


def _description(topology: Data, machines: list[Machine]) -> str:
    """The picture in words."""
    words = [f"{_segment_words(name, segment)}." for name, segment in topology["segments"].items()]
    for machine in machines:
        at = ", ".join(f"{name} {interface['address']}" for name, interface in machine.interfaces)
        pods = ", ".join(_pod_words(pod) for pod in machine.pods)
        words.append(f"{machine.name} ({machine.kind}): {at}{f'; pods {pods}' if pods else ''}.")
    if any(machine.device for machine in machines):
        words.append(f"{_overlay_words(pod_network(topology))}, between the nodes' {machines[0].device}.")
    return " ".join(words)
