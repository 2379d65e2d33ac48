# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnels carry packets where their forwarding entries lead, and what the kernel lacks is said first."""

from __future__ import annotations

import subprocess
import time
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._link_apply import converge
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import LinkStateError
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_probe import FEATURES, try_features

# Two namespaces on a bridge, and over it a tunnel that knows the other end by its flood list alone.
TUNNEL: dict[str, t.Any] = {
    "owner": "t-link",
    "links": {
        "t-lan": {"kind": "bridge"},
        **{
            f"t-{name}": {"kind": "veth", "master": "t-lan", "peer": {"name": "eth0", "namespace": name}}
            for name in ("a", "b")
        },
    },
    "namespaces": {
        name: {
            "links": {
                "eth0": {"addresses": [f"10.9.2.{own}/24"]},
                "vx": {
                    "kind": "vxlan",
                    "id": 42,
                    "dev": "eth0",
                    "local": f"10.9.2.{own}",
                    "master": "br0",
                    "fdb": [{"mac": "00:00:00:00:00:00", "dst": f"10.9.2.{other}"}],
                },
                "br0": {"kind": "bridge", "addresses": [f"10.9.3.{own}/24"]},
            }
        }
        for name, own, other in (("a", 1, 2), ("b", 2, 1))
    },
}
PROBE = (
    "ip netns exec reftopo.t-link.a python3 -c "
    "'import socket; socket.create_connection((\"10.9.3.2\", 7000), 2)' 2>&1 || echo failed"
)
SERVER = "import socket; s = socket.create_server(('', 7000)); print('ready', flush=True); s.listen(); input()"
# What was learned would hide that an entry is missing.
FORGET = [
    f"ip -n reftopo.t-link.{name} {command}"
    for name in ("a", "b")
    for command in ("link set vx down", "link set vx up", "neigh flush all")
]


def test_a_tunnel_carries_packets_by_its_flood_list(machine: t.Any):
    """TCP through the tunnel; not without the entry, and again once that is repaired. Learned entries are no drift."""
    machine.converge(TUNNEL)
    command = ["ip", "netns", "exec", "reftopo.t-link.b", "python3", "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "ready\n"
        assert machine.sh(PROBE) == ""
        learned = machine.sh("bridge -n reftopo.t-link.a fdb show dev vx", "bridge -n reftopo.t-link.a fdb show br br0")
        assert "dst 10.9.2.2 self" in learned.replace("00:00:00:00:00:00 dst 10.9.2.2 self", "")
        assert machine.converge(TUNNEL).commands == []

        machine.sh("bridge -n reftopo.t-link.a fdb del 00:00:00:00:00:00 dev vx dst 10.9.2.2", *FORGET)
        assert "failed" in machine.sh(PROBE)
        entry = "bridge -n reftopo.t-link.a fdb append 00:00:00:00:00:00 dev vx dst 10.9.2.2"
        assert machine.converge(TUNNEL).commands == [entry]
        assert machine.sh(PROBE) == ""
        process.communicate("\n")
    machine.converge({"owner": "t-link", "state": "deleted"})


def test_what_the_kernel_lacks_is_said_before_anything_is_changed(machine: t.Any):
    """Also in check mode; the lab without it is the control."""
    makeable = {
        "bond": {"kind": "bond"},
        "dummy": {"kind": "dummy"},
        "ipip": {"kind": "ipip", "local": "192.0.2.1", "remote": "192.0.2.2"},
        "vlan": {"kind": "vlan", "id": 5, "dev": "eth0"},
        "vlan_filtering": {"kind": "bridge", "vlan_filtering": True},
    }
    trials = try_features(machine.run, makeable)
    lacking = {name: makeable[name] for name in makeable if not trials[name].works}
    if not lacking:
        pytest.skip("this kernel has every kind")
    pristine = machine.snapshot()
    links = {"t-a": {"kind": "macvlan", "dev": "eth0"}, **{f"t-{name[:9]}": link for name, link in lacking.items()}}
    for check_mode in (True, False):
        with pytest.raises(LinkStateError) as raised:
            machine.converge({"owner": "t-link", "links": links}, check_mode)
        options = {name: "vlan_filtering" if name == "vlan_filtering" else "kind" for name in lacking}
        assert [p.path for p in raised.value.problems] == [f"links.t-{name[:9]}.{options[name]}" for name in lacking]
        assert machine.snapshot() == pristine
    machine.converge({"owner": "t-link", "links": {"t-a": links["t-a"]}})


def test_kinds_that_this_kernel_has_are_tried_alike(machine: t.Any):
    """What a trial says of a kind is what happens to a link of it."""
    kinds = {"macvlan": {"dev": "eth0"}, "tap": {}, "tun": {}, "vxlan": {"id": 1}}
    trials = try_features(machine.run, {"tun", *kinds} & set(FEATURES))
    for name, options in kinds.items():
        assert trials["tun" if name == "tap" else name].works
        machine.converge({"owner": "t-link", "links": {"t-x": {"kind": name, **options}}})


def test_nothing_is_tried_of_usual_kinds(machine: t.Any):
    """The common path costs no further process, nor does a kind that is there."""
    asked: list[list[str]] = []

    def run(command: list[str], data: str = "") -> tuple[int, str, str]:
        asked.append(command)
        return machine.run(command, data)

    plain = {"owner": "t-link", "links": {"t-b": {"kind": "bridge"}, "t-v": {"kind": "veth", "peer": {"name": "t-w"}}}}
    vxlan = {**plain, "links": {**plain["links"], "t-x": {"kind": "vxlan", "id": 1}}}
    for wanted, trials in ((plain, 0), (vxlan, 1), (vxlan, 0)):
        asked.clear()
        converge(run, machine.desired(wanted), check_mode=False)
        assert [command[0] for command in asked].count("unshare") == trials


def test_dev_that_is_not_there(machine: t.Any):
    """Of the machine's own links any may be below; that one is missing is the kernel's error, with the place."""
    with pytest.raises(LinkStateError, match=r"links\.t-x: 'ip link add name t-x .*': .*gone"):
        machine.converge({"owner": "t-link", "links": {"t-x": {"kind": "macvlan", "dev": "gone"}}})


SPANNING = {
    "owner": "t-link",
    "links": {
        "t-stp": {"kind": "bridge", "stp": True, "ageing": 60},
        "t-port": {"kind": "veth", "master": "t-stp", "peer": {"name": "eth0", "namespace": "a"}},
    },
    "namespaces": {"a": {"links": {"eth0": {}}}},
}


def test_an_ageing_time_that_a_change_of_the_spanning_tree_hides(machine: t.Any):
    """It is no drift, and shown again when the change is over; one that is set meanwhile shows at once."""
    machine.converge(SPANNING)
    shortest = "ip link set t-stp type bridge forward_delay 200 max_age 600"  # IEEE 802.1D, table 8-3: 2 s and 6 s
    machine.sh(shortest, "ip link set t-port down", "ip link set t-port up")
    wait_for(machine, '"ageing_time":400,')
    assert machine.converge(SPANNING).commands == []
    assert machine.result(**SPANNING, state="merged")["changed"] is False
    assert "ageing" not in machine.result(owner="t-link", state="gathered")["gathered"]["links"]["t-stp"]
    wait_for(machine, '"ageing_time":6000,')
    machine.sh("ip link set t-port down", "ip link set t-port up")
    wait_for(machine, '"ageing_time":400,')
    machine.sh("ip link set t-stp type bridge ageing_time 7000")
    assert machine.converge(SPANNING).commands == ["ip link set dev t-stp type bridge ageing_time 6000"]


def wait_for(machine: t.Any, words: str) -> None:
    """Until ip(8) prints something of the bridge, for at most 30 s."""
    for _attempt in range(150):
        if words in machine.sh("ip -d -j link show t-stp"):
            return
        time.sleep(0.2)
    pytest.fail(f"{words} was not printed")
