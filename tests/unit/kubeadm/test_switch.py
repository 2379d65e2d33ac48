# SPDX-License-Identifier: GPL-3.0-or-later
"""Another backend of flannel: what is not there yet, and what is left, on a node like those of real clusters."""

from __future__ import annotations

import json
import time

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _cni_switch as cni_switch
from ansible_collections.reftopo.lab.plugins.module_utils._cni_switch import State, lacking, leftovers
from ansible_collections.reftopo.lab.plugins.module_utils._kubeadm_plan import KubeadmError

CNI = {
    "vxlan": {"name": "flannel", "backend": "vxlan", "device": "flannel.1", "port": 8472, "mtu": 1450},
    "vxlan of another port": {"name": "flannel", "backend": "vxlan", "device": "flannel.1", "port": 4789, "mtu": 1450},
    "vxlan of another VNI": {"name": "flannel", "backend": "vxlan", "device": "flannel.7", "port": 8472, "mtu": 1450},
    "host-gw": {"name": "flannel", "backend": "host-gw", "device": "", "mtu": 1500},
    "udp": {"name": "flannel", "backend": "udp", "device": "flannel0", "port": 8285, "mtu": 1472},
}
DEFAULT = {"dst": "default", "dev": "eth0", "protocol": "152", "scope": "link", "flags": []}
UNDERLAY = {"dst": "172.30.91.0/24", "dev": "eth0", "protocol": "kernel", "scope": "link", "prefsrc": "172.30.91.11"}
OWN = {"dst": "10.91.0.0/24", "dev": "cni0", "protocol": "kernel", "scope": "link", "prefsrc": "10.91.0.1"}
MINE = [DEFAULT, UNDERLAY, OWN]
VXLAN = [
    {"dst": f"10.91.{number}.0/24", "gateway": f"10.91.{number}.0", "dev": "flannel.1", "flags": ["onlink"]}
    for number in (1, 2)
]
HOST_GW = [
    {"dst": f"10.91.{number}.0/24", "gateway": f"172.30.91.1{number + 1}", "dev": "eth0", "flags": []}
    for number in (1, 2)
]
UDP = [{"dst": "10.91.0.0/16", "dev": "flannel0", "flags": []}]
ETH0 = {"ifname": "eth0", "mtu": 1500}
FLANNEL_1 = {"ifname": "flannel.1", "mtu": 1450, "linkinfo": {"info_data": {"port": 8472}}}
FLANNEL0 = {"ifname": "flannel0", "mtu": 1472, "linkinfo": {"info_kind": "tun"}}


def cluster(backend: str, workers: int = 2) -> dict:
    names = [f"w{number + 1}" for number in range(workers)]
    return {"pod_cidr": "10.91.0.0/16", "control_plane": ["cp1"], "workers": names, "cni": CNI[backend]}


def state(mtu: int, links: list[dict], routes: list[dict]) -> State:
    bridge = [{"ifname": "cni0", "mtu": mtu}, {"ifname": "veth1", "mtu": mtu, "master": "cni0"}]
    return State([ETH0, *bridge, *links], [*MINE, *routes], {"cni-a": mtu})


NODES = {
    "vxlan": state(1450, [FLANNEL_1], VXLAN),
    "host-gw": state(1500, [], HOST_GW),
    "udp": state(1472, [FLANNEL0], UDP),
}


@pytest.mark.parametrize("backend", NODES)
def test_a_node_that_has_its_backend_lacks_nothing_and_has_nothing_left(backend: str):
    assert lacking(NODES[backend], cluster(backend)) == ""
    assert leftovers(NODES[backend], cluster(backend)) == []


LACKING = {
    ("vxlan", "host-gw"): "routes to the pods of 0 of 2 nodes",
    ("vxlan", "udp"): "there is no flannel0",
    ("vxlan", "vxlan of another VNI"): "there is no flannel.7",
    ("vxlan", "vxlan of another port"): "flannel.1 does not have the port 4789",
    ("host-gw", "vxlan"): "there is no flannel.1",
    ("host-gw", "udp"): "there is no flannel0",
    ("udp", "vxlan"): "there is no flannel.1",
    ("udp", "host-gw"): "routes to the pods of 0 of 2 nodes",
}


@pytest.mark.parametrize("case", LACKING, ids=" to ".join)
def test_before_the_switch_the_new_one_is_not_there(case: tuple[str, str]):
    assert lacking(NODES[case[0]], cluster(case[1])) == LACKING[case]


HALF = {
    "host-gw, one node yet": (
        "host-gw",
        state(1450, [FLANNEL_1], [HOST_GW[0], VXLAN[1]]),
        "routes to the pods of 1 of 2 nodes",
    ),
    "vxlan, one node yet": (
        "vxlan",
        state(1500, [FLANNEL_1], [HOST_GW[0], VXLAN[1]]),
        "routes to the pods of 1 of 2 nodes",
    ),
    "udp, a device without its route": ("udp", state(1450, [FLANNEL_1, FLANNEL0], VXLAN), "no route to 10.91.0.0/16"),
}


@pytest.mark.parametrize("case", HALF)
def test_half_of_it_is_not_enough(case: str):
    backend, node, problem = HALF[case]
    assert lacking(node, cluster(backend)) == problem


def test_a_cluster_of_one_node_has_no_routes_to_wait_for():
    assert lacking(State([ETH0], MINE, {}), cluster("host-gw", workers=0)) == ""


def mtu(value: int) -> list[str]:
    names = ("ip link set dev cni0", "ip link set dev veth1", "ip -n cni-a link set dev eth0")
    return [f"{name} mtu {value}" for name in names]


LEFT = {
    "vxlan to host-gw, whose routes replaced the old": (
        "host-gw",
        state(1450, [FLANNEL_1], HOST_GW),
        ["ip link delete dev flannel.1", *mtu(1500)],
    ),
    "vxlan to udp, the routes go with the device": (
        "udp",
        state(1450, [FLANNEL_1, FLANNEL0], [*VXLAN, *UDP]),
        ["ip link delete dev flannel.1", *mtu(1472)],
    ),
    "host-gw to udp": (
        "udp",
        state(1500, [FLANNEL0], [*HOST_GW, *UDP]),
        [
            "ip route delete 10.91.1.0/24 via 172.30.91.12 dev eth0",
            "ip route delete 10.91.2.0/24 via 172.30.91.13 dev eth0",
            *mtu(1472),
        ],
    ),
    "host-gw to vxlan, whose routes replaced the old": ("vxlan", state(1500, [FLANNEL_1], VXLAN), mtu(1450)),
    "udp to vxlan, the device ended with its process": ("vxlan", state(1472, [FLANNEL_1], VXLAN), mtu(1450)),
    "a killed switch, all but one pod done": (
        "host-gw",
        NODES["host-gw"]._replace(pods={"cni-a": 1500, "cni-b": 1450}),
        ["ip -n cni-b link set dev eth0 mtu 1500"],
    ),
    "nothing of what is not flannel's": (
        "udp",
        state(1472, [FLANNEL0, {"ifname": "vxlan7", "mtu": 1000}], [*UDP, {"dst": "10.91.7.0/24", "dev": "eth0"}]),
        [],
    ),
}


@pytest.mark.parametrize("case", LEFT)
def test_what_is_left_is_removed(case: str):
    backend, node, commands = LEFT[case]
    assert [" ".join(command) for command in leftovers(node, cluster(backend))] == commands


def node_that_prints(links: list[dict], routes: list[dict]) -> cni_switch.Run:
    def run(argv: list[str], **_options: object) -> tuple[int, str, str]:
        answers = {
            "ip netns list": "cni-a (id: 3)\nother\ncni-gone\n",
            "ip -n cni-a -j link show dev eth0": json.dumps([{"ifname": "eth0", "mtu": 1450}]),
            " ".join(cni_switch.LINKS): json.dumps([{}, *links]),
            " ".join(cni_switch.ROUTES): json.dumps(routes),
        }
        text = answers.get(" ".join(argv))
        return (0, text, "") if text is not None else (1, "", "Cannot find device")

    return run


def test_settle_waits_and_then_says_why_it_does_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cni_switch, "POLL_INTERVAL", 0)
    changed: list[list[str]] = []
    cni_switch.settle(node_that_prints([ETH0], HOST_GW), changed.append, cluster("host-gw"), time.monotonic() + 5)
    assert [" ".join(command) for command in changed] == ["ip -n cni-a link set dev eth0 mtu 1500"]
    with pytest.raises(
        KubeadmError, match="backend udp is not there in time: there is no flannel0\nLook at `kubectl logs"
    ):
        cni_switch.settle(node_that_prints([ETH0], HOST_GW), changed.append, cluster("udp"), time.monotonic())
