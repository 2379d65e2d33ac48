# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of one packet's path between two pods on two nodes. PRIVATE to the collection.

One line a step: the device on the left, the packet's headers on the right, each header in a column of its own, so that
one sees where the outer ones come and go. Sizes: RFC 7348 section 5 and the headers it stacks.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._report_svg import Line, Picture, Rect, Shape, Text

Data = dict[str, t.Any]

MARGIN, STEP, BOX, DEVICE = 16.0, 42.0, 32.0, 216.0
# Columns of the headers: key, width, kind of box.
COLUMNS = (
    ("outer ethernet", 52.0, "wire"),
    ("outer ip", 212.0, "wire"),
    ("udp", 72.0, "tunnel"),
    ("vxlan", 72.0, "tunnel"),
    ("inner ethernet", 52.0, "pod"),
    ("inner ip", 196.0, "pod"),
    ("data", 48.0, "pod"),
)


class Step(t.NamedTuple):
    """One device on the path: where it is, and whether the packet is inside another there."""

    device: str
    where: str
    outer: bool
    kind: str


def path_picture(topology: Data, endpoints: list[Data]) -> Picture | None:
    """Draw the path between the first two pods on different nodes; None where no VXLAN joins two such pods."""
    ends = _ends(topology, endpoints)
    cni = topology.get("cluster", {}).get("cni", {})
    if ends is None or cni.get("backend") != "vxlan":
        return None
    steps = _steps(topology, *ends)
    words = f"From {ends[0]['name']} on {ends[0]['node']} to {ends[1]['name']} on {ends[1]['node']}"
    return Picture(
        name="path",
        title=f"{words}: one packet, step by step",
        description=" ".join(
            f"{n}. {s.device} ({s.where}){', in VXLAN' if s.outer else ''}." for n, s in enumerate(steps, 1)
        ),
        width=2 * MARGIN + DEVICE + 40 + sum(width for _key, width, _kind in COLUMNS) + 4 * (len(COLUMNS) - 1),
        height=2 * MARGIN + STEP * len(steps) + 40,
        shapes=tuple(_shapes(steps, _headers(topology, *ends), _caption(topology))),
    )


def _ends(topology: Data, endpoints: list[Data]) -> tuple[Data, Data] | None:
    """Two pods on different nodes, on workers where possible."""
    pods = [pod for pod in endpoints if pod["kind"] == "pod" and pod["node"] in topology["nodes"] and pod["address"]]
    pods.sort(key=lambda pod: topology["nodes"][pod["node"]].get("role") != "worker")
    others = [pod for pod in pods if pod["node"] != pods[0]["node"]]
    return (pods[0], others[0]) if others else None


def _underlay(topology: Data, node: str) -> tuple[str, Data]:
    return next(iter(topology["nodes"][node]["interfaces"].items()))


def _steps(topology: Data, origin: Data, to: Data) -> list[Step]:
    device = topology["cluster"]["cni"]["device"]
    (out, first), (into, _second) = _underlay(topology, origin["node"]), _underlay(topology, to["node"])
    bridge = topology["segments"][first["segment"]]["bridge"]
    return [
        Step("eth0", origin["name"], False, "pod"),
        Step("cni0", origin["node"], False, "cni"),
        Step(device, origin["node"], False, "tunnel"),
        Step(out, origin["node"], True, "wire"),
        Step(bridge, f"host, {first['segment']}", True, "wire"),
        Step(into, to["node"], True, "wire"),
        Step(device, to["node"], False, "tunnel"),
        Step("cni0", to["node"], False, "cni"),
        Step("eth0", to["name"], False, "pod"),
    ]


def _headers(topology: Data, origin: Data, to: Data) -> dict[str, str]:
    cni = topology["cluster"]["cni"]
    outer = [topology["nodes"][pod["node"]]["address"] for pod in (origin, to)]
    return {
        "outer ethernet": "Eth",
        "outer ip": f"{outer[0]} → {outer[1]}",
        "udp": f"UDP {cni['port']}",
        "vxlan": f"VNI {cni['vni']}",
        "inner ethernet": "Eth",
        "inner ip": f"{origin['address']} → {to['address']}",
        "data": "data",
    }


def _caption(topology: Data) -> str:
    cni = topology["cluster"]["cni"]
    around = f"IP 20 + UDP 8 + VXLAN 8 + Ethernet 14 = {cni['overhead']} bytes around each packet"
    return f"{around}: MTU {cni['mtu'] + cni['overhead']} outside, {cni['mtu']} in pods"


def _shapes(steps: list[Step], headers: dict[str, str], caption: str) -> t.Iterator[Shape]:
    middle = MARGIN + 26 + DEVICE / 2
    first, last = MARGIN + BOX / 2, MARGIN + STEP * (len(steps) - 1) + BOX / 2
    yield Line(((middle, first), (middle, last)), "wire-line")
    for number, step in enumerate(steps):
        y = MARGIN + STEP * number
        yield Text(MARGIN + 16, y + 21, str(number + 1), 20, "strong", "end", 14)
        yield Rect(MARGIN + 26, y, DEVICE - 6, BOX, step.kind, 4)
        yield Text(MARGIN + 34, y + 20, step.device, 100, "strong")
        yield Text(MARGIN + DEVICE + 12, y + 20, step.where, 96, "muted", "end", 11)
        yield from _packet(y, headers, step.outer)
    yield Text(MARGIN + 26, MARGIN + STEP * len(steps) + 20, caption, 820, "muted")


def _packet(y: float, headers: dict[str, str], outer: bool) -> t.Iterator[Shape]:
    x = MARGIN + DEVICE + 40
    for index, (key, width, kind) in enumerate(COLUMNS):
        if outer or index >= 4:
            yield Rect(x, y, width, BOX, kind, 3)
            yield Text(x + width / 2, y + 20, headers[key], width - 4, anchor="middle", size=11)
        x += width + 4
