# SPDX-License-Identifier: GPL-3.0-or-later
"""Interruption, races, other owners, and what the kernel refuses, in real namespaces."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.module_utils._link_apply import apply, observe
from ansible_collections.reftopo.lab.plugins.module_utils._link_plan import plan

LAB = yaml.safe_load((Path(__file__).parents[2] / "unit/link_state/cases.yml").read_text())["lab"]
OWNER = LAB["owner"]
DELETED = {"owner": OWNER, "state": "deleted"}
# A different bridge, other ends of the veths, another MTU: much is removed, moved and made anew.
OTHER = {
    "owner": OWNER,
    "links": {
        "t-lan": {"kind": "bridge", "mark": "wide", "addresses": ["10.9.0.1/16"]},
        "t-a": {"kind": "veth", "mark": "c.eth0", "master": "t-lan", "peer": {"name": "eth0", "namespace": "c"}},
    },
    "namespaces": {
        "a": {"links": {"eth1": {"kind": "veth", "peer": {"name": "eth0", "namespace": "b"}}}},
        "b": {"links": {"eth0": {"mtu": 1400}}},
        "c": {"links": {"lo": {}, "eth0": {"addresses": ["10.9.0.4/16"]}}},
    },
}

# Links on links, with entries and neighbours
WIRE = {"kind": "veth", "peer": {"name": "eth0", "namespace": "b"}, "addresses": ["10.9.2.1/24"]}
LAYERS = {
    "owner": OWNER,
    "namespaces": {
        "a": {
            "links": {
                "mv0": {"kind": "macvlan", "dev": "eth0", "mode": "bridge", "addresses": ["10.9.3.1/24"]},
                "eth0": {**WIRE, "neighbours": [{"address": "10.9.2.2", "mac": "02:00:00:00:00:b0"}]},
                "br0": {"kind": "bridge", "mtu": 1400, "stp": True},
                "tap0": {"kind": "tap", "master": "br0", "fdb": [{"mac": "02:00:00:00:00:c1"}]},
                "vx": {
                    "kind": "vxlan",
                    "id": 42,
                    "dev": "eth0",
                    "local": "10.9.2.1",
                    "mtu": 1400,
                    "master": "br0",
                    "fdb": [{"mac": "00:00:00:00:00:00", "dst": f"10.9.2.{number}"} for number in (2, 3)],
                },
            }
        },
        "b": {},
    },
}
# The vxlan is made anew, a tun takes the place of a tap, neighbours and entries are others.
OTHER_LAYERS = {
    "owner": OWNER,
    "namespaces": {
        "a": {
            "links": {
                "eth0": {**WIRE, "neighbours": [{"address": "10.9.2.3", "mac": "02:00:00:00:00:b0"}]},
                "br0": {"kind": "bridge", "mtu": 1300, "ageing": 30},
                "tap0": {"kind": "tun", "addresses": ["10.9.3.1/24"]},
                "tap1": {"kind": "tap", "master": "br0", "fdb": [{"mac": "02:00:00:00:00:c1"}]},
                "vx": {
                    "kind": "vxlan",
                    "id": 43,
                    "remote": "10.9.2.2",
                    "fdb": [{"mac": "02:00:00:00:00:c2", "dst": "10.9.2.3"}],
                },
            }
        },
        "b": {},
    },
}


def steps_to(machine: t.Any, wanted: dict[str, t.Any]) -> list[t.Any]:
    return plan(observe(machine.run, OWNER), machine.desired(wanted))


@pytest.mark.parametrize(
    ("start", "wanted"),
    [
        (DELETED, LAB),
        (LAB, OTHER),
        (OTHER, LAB),
        (LAB, DELETED),
        (DELETED, LAYERS),
        (LAYERS, OTHER_LAYERS),
        (OTHER_LAYERS, LAYERS),
        (LAYERS, DELETED),
    ],
    ids=[f"{what}{kinds}" for kinds in ("", " kinds") for what in ("create", "change", "change back", "remove")],
)
def test_interrupted_after_each_command(start: dict[str, t.Any], wanted: dict[str, t.Any], machine: t.Any):
    """Whatever was done by then, the next run ends where an undisturbed one does, and removal leaves nothing."""
    pristine = machine.snapshot()
    machine.converge(start)
    machine.converge(wanted)
    undisturbed = machine.shape()
    machine.converge(start)
    count = len(steps_to(machine, wanted))
    assert count >= 4
    for done in range(count):
        machine.converge(start)
        apply(machine.run, steps_to(machine, wanted)[:done])
        machine.converge(wanted)
        assert machine.shape() == undisturbed, f"interrupted after {done} commands"
    machine.converge(DELETED)
    assert machine.snapshot() == pristine


@pytest.mark.parametrize("wanted", [LAB, LAYERS], ids=["lab", "kinds"])
def test_removed_after_each_command(wanted: dict[str, t.Any], machine: t.Any):
    """Removal leaves nothing of a run that was interrupted."""
    pristine = machine.snapshot()
    for done in range(len(steps_to(machine, wanted))):
        apply(machine.run, steps_to(machine, wanted)[:done])
        machine.converge(DELETED)
        assert machine.snapshot() == pristine, f"interrupted after {done} commands"


def test_killed_while_making_a_namespace(machine: t.Any):
    """`ip netns add` makes the file, then mounts on it."""
    machine.sh("touch /run/netns/reftopo.t-link.a")
    machine.converge(LAB)
    assert machine.converge(LAB).commands == []


def test_a_deleted_namespace_comes_back(machine: t.Any):
    """The kernel removes its links in the background, before, while or after the module looks."""
    machine.converge(LAB)
    undisturbed = machine.shape()
    for _attempt in range(10):
        machine.sh("ip netns del reftopo.t-link.a")
        machine.converge(LAB)
        assert machine.shape() == undisturbed
    machine.converge(DELETED)


def test_a_namespace_in_use_leaves_no_link_behind(machine: t.Any):
    """Deleting a namespace's name does not end it while a process runs there; no process is killed."""
    pristine = machine.snapshot()
    machine.converge(LAB)
    with subprocess.Popen(["ip", "netns", "exec", "reftopo.t-link.b", "sleep", "60"]) as process:
        try:
            machine.sh("until ip netns pids reftopo.t-link.b | grep .; do :; done")
            machine.converge(DELETED)
            assert machine.snapshot() == pristine
            assert process.poll() is None
            left = machine.sh(f"nsenter --net=/proc/{process.pid}/ns/net ip -br link")
            assert left.split()[0::3][:1] == ["lo"]
            assert len(left.splitlines()) == 1
            machine.converge(LAB)
            machine.converge(DELETED)
        finally:
            process.terminate()


def test_owners_whose_names_begin_alike(machine: t.Any):
    """Each one's removal leaves the other's exactly as it is."""
    owners = ("t-link", "t-link-b", "t-linkb")
    inputs = {
        owner: {
            "owner": owner,
            "links": {f"v{number}": {"kind": "veth", "mark": "a.eth0", "peer": {"name": "eth0", "namespace": "a"}}},
            "namespaces": {"a": {"links": {"eth0": {"addresses": ["10.9.0.1/24"]}}}},
        }
        for number, owner in enumerate(owners)
    }
    pristine = machine.snapshot()
    for owner in owners:
        machine.converge(inputs[owner])
    for owner in owners:
        others = [other for other in owners if other != owner]
        machine.converge({"owner": owner, "state": "deleted"})
        assert [machine.converge(inputs[other]).commands for other in others] == [[], []]
        machine.converge(inputs[owner])
    for owner in owners:
        machine.converge({"owner": owner, "state": "deleted"})
    assert machine.snapshot() == pristine


def test_the_lab_carries_packets(machine: t.Any):
    """The wires are real: TCP from a to b by the bridge, and the control without it fails."""
    machine.converge(LAB)
    probe = (
        "ip netns exec reftopo.t-link.a python3 -c "
        "'import socket; socket.create_connection((\"10.9.0.3\", 7000), 2)' 2>&1 || echo failed"
    )
    server = "import socket; s = socket.create_server(('', 7000)); print('ready', flush=True); s.listen(); input()"
    command = ["ip", "netns", "exec", "reftopo.t-link.b", "python3", "-c", server]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "ready\n"
        assert machine.sh(probe) == ""
        machine.sh("ip link set t-lan down")
        assert "failed" in machine.sh(probe)
        machine.converge(LAB)
        assert machine.sh(probe) == ""
        process.communicate("\n")
    machine.converge(DELETED)
