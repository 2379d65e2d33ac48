# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight reads of a machine, from recorded output."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _preflight_observe as observe
from ansible_collections.reftopo.lab.plugins.module_utils import _preflight_probe as probe
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import group
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import (
    Link,
    Machine,
    PreflightError,
    Trial,
)

LINKS = [
    {"ifname": "lo", "link_type": "loopback"},
    {},  # ip prints an empty object for what its filter left out
    {"ifname": "rt-00000001", "linkinfo": {"info_kind": "bridge"}, "altnames": ["enp1s0", "reftopo.small.lan"]},
    {"ifname": "rt-00000002", "linkinfo": {"info_kind": "veth"}, "group": str(group("small"))},
    {"ifname": "rt-00000003", "linkinfo": {"info_kind": "veth"}, "group": "7", "altnames": ["reftopo.other.w1.eth0"]},
]
ROUTES = [
    {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0"},
    {"dst": "192.0.2.0/24", "dev": "eth0", "protocol": "kernel"},
    {"type": "local", "dst": "192.0.2.2", "dev": "eth0", "table": "local"},
    {"type": "local", "dst": "127.0.0.0/8", "dev": "lo", "table": "local"},
    {"type": "blackhole", "dst": "10.244.0.0/24"},
    {"type": "multicast", "dst": "ff00::/8", "dev": "eth0", "table": "local"},
    {"dst": "fe80::/64", "dev": "eth0"},
]
CONTAINERS = [
    {"Names": ["reftopo.small.w1"], "Labels": {"reftopo.topology": "small"}, "State": "running"},
    {"Names": ["web"], "Labels": None, "State": "exited"},
]
V2 = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
HYBRID = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
UNIFIED = "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"


def test_links_keep_kind_and_owner():
    assert observe.parse_links("small", LINKS) == {
        "lo": Link(),
        "rt-00000001": Link("bridge", "small"),
        "rt-00000002": Link("veth", "small"),
        "rt-00000003": Link("veth", "other"),
    }


def test_routes_leave_out_what_never_conflicts():
    assert observe.parse_routes(ROUTES) == (
        ("10.244.0.0/24", "blackhole"),
        ("192.0.2.0/24", "eth0"),
        ("192.0.2.2", "eth0"),
        ("fe80::/64", "eth0"),
    )


def test_a_vxlan_link_keeps_its_numbers():
    data = {"info_kind": "vxlan", "info_data": {"id": 42, "port": 4789, "ttl": 0}}
    links = [{"ifname": "vxlan0", "mtu": 1450, "linkinfo": data}]
    assert observe.parse_links("small", links) == {"vxlan0": Link("vxlan", "", 42, 4789, 1450)}


def test_addresses_and_ports():
    links = [{}, {"ifname": "eth0", "addr_info": [{"local": "192.0.2.2", "prefixlen": 24}, {}]}]
    assert observe.parse_addresses(links) == {"192.0.2.2": "eth0"}
    table = (
        "   sl  local_address rem_address   st tx_queue\n"
        "  123: 00000000:0044 00000000:0000 07 00000000\n"
        "  456: 0100007F:F181 00000000:0000 07 00000000\n"
    )
    assert observe.parse_bound(table) == {68, 61825}


def test_containers_keep_label_and_state():
    assert observe.parse_containers(CONTAINERS) == {
        "reftopo.small.w1": Machine("small", True),
        "web": Machine("", False),
    }


@pytest.mark.parametrize(
    ("mounts", "layout"), [(V2, "v2"), (HYBRID + UNIFIED, "hybrid"), (HYBRID, "v1"), ("proc /proc proc rw 0 0", "none")]
)
def test_cgroup_layout(mounts: str, layout: str):
    assert observe.cgroup_layout(mounts) == layout


@pytest.mark.parametrize(
    ("effective", "names"),
    [
        ("000001ffffffffff", {"CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_SYS_RESOURCE"}),
        ("000001fffeffffff", {"CAP_NET_ADMIN", "CAP_SYS_ADMIN"}),
        ("0000000000000000", set()),
    ],
)
def test_capabilities(effective: str, names: set[str]):
    assert observe.parse_capabilities(f"Name:\tx\nCapEff:\t{effective}\nSeccomp:\t0\n") == names


def test_a_command_that_fails_is_an_error_that_names_it():
    with pytest.raises(PreflightError, match=r"^ip -j route show: Cannot open netlink socket$"):
        observe.read_json(lambda command: (1, "", "Cannot open netlink socket\n"), ["ip", "-j", "route", "show"])


OUTPUT = "control fails Error: Unknown device type.\nvxlan works\nipip fails Error: Unknown device type.\n"


def test_trials_are_read_by_feature():
    output = OUTPUT + "nftables missing nft\n"
    assert probe.try_features(lambda command: (0, output, ""), ["vxlan", "ipip", "nftables", "warpdrive"]) == {
        "vxlan": Trial(True),
        "ipip": Trial(False, "Error: Unknown device type."),
        "nftables": Trial(None, missing="nft"),
    }


@pytest.mark.parametrize(
    ("rc", "output"),
    [
        (1, OUTPUT),
        (0, ""),
        (0, "vxlan works\nipip fails x\n"),  # no control
        (0, OUTPUT.replace("control fails", "control works")),
        (0, "control fails x\nvxlan works\n"),  # one of two is missing
    ],
)
def test_trials_that_did_not_run_are_an_error(rc: int, output: str):
    with pytest.raises(PreflightError):
        probe.try_features(lambda command: (rc, output, ""), ["vxlan", "ipip"])


def test_the_script_tries_the_control_first_and_nothing_unasked():
    tries = [line.split()[1] for line in probe.script(["vxlan"]).splitlines() if line.startswith("try ")]
    assert tries == ["control", "vxlan"]
