# SPDX-License-Identifier: GPL-3.0-or-later
"""Interruption, races, other owners, and what the kernel refuses, in real namespaces."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.module_utils._link_apply import apply, converge, observe
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import LinkStateError
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


def shape(machine: t.Any) -> t.Any:
    """The snapshot without what differs between two machines of the same state: MAC addresses and numbers."""
    return {
        name: {
            **found,
            "links": sorted([link[0], link[1], link[3], link[4], link[5], link[-1]] for link in found["links"]),
        }
        for name, found in machine.snapshot().items()
    }


def steps_to(machine: t.Any, wanted: dict[str, t.Any]) -> list[t.Any]:
    return plan(observe(machine.run, OWNER), machine.desired(wanted))


@pytest.mark.parametrize(
    ("start", "wanted"),
    [(DELETED, LAB), (LAB, OTHER), (OTHER, LAB), (LAB, DELETED)],
    ids=["create", "change", "change back", "remove"],
)
def test_interrupted_after_each_command(start: dict[str, t.Any], wanted: dict[str, t.Any], machine: t.Any):
    """Whatever was done by then, the next run ends where an undisturbed one does, and removal leaves nothing."""
    pristine = machine.snapshot()
    machine.converge(start)
    machine.converge(wanted)
    undisturbed = shape(machine)
    machine.converge(start)
    count = len(steps_to(machine, wanted))
    assert count > 5
    for done in range(count):
        machine.converge(start)
        apply(machine.run, steps_to(machine, wanted)[:done])
        machine.converge(wanted)
        assert shape(machine) == undisturbed, f"interrupted after {done} commands"
    machine.converge(DELETED)
    assert machine.snapshot() == pristine


def test_removed_after_each_command(machine: t.Any):
    """Removal leaves nothing of a run that was interrupted."""
    pristine = machine.snapshot()
    for done in range(len(steps_to(machine, LAB))):
        apply(machine.run, steps_to(machine, LAB)[:done])
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
    undisturbed = shape(machine)
    for _attempt in range(10):
        machine.sh("ip netns del reftopo.t-link.a")
        machine.converge(LAB)
        assert shape(machine) == undisturbed
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


def test_the_way_is_blocked(machine: t.Any):
    """All conflicts at once, nothing touched; once they are out of the way it goes through."""
    machine.sh("ip link add t-lan type bridge", "ip link add x type bridge", "ln -s /x /run/netns/reftopo.t-link.b")
    machine.sh("ip link property add dev x altname t-a", "ip route add 10.8.0.0/16 dev eth0")
    found = machine.sh("ip addr; ip route; ls /run/netns")
    with pytest.raises(LinkStateError) as raised:
        machine.converge(LAB)
    blocked = ["namespaces.b", "links.t-lan", "links.t-a", "routes[0]"]
    assert [problem.path for problem in raised.value.problems] == blocked
    assert machine.sh("ip addr; ip route; ls /run/netns") == found
    for problem in raised.value.problems:
        machine.sh(problem.fix.rpartition(": ")[2])
    machine.converge(LAB)
    machine.converge(DELETED)


def test_the_kernel_refuses(machine: t.Any):
    """The error names the place in the input; what was done by then is completed or removed by the next run."""
    pristine = machine.snapshot()
    unreachable = {**LAB, "routes": [*LAB["routes"], {"to": "10.4.0.0/16", "via": "10.200.0.1", "dev": "t-lan"}]}
    with pytest.raises(LinkStateError, match=r"routes\[1\]: 'ip route replace 10.4.0.0/16.*': .*Nexthop has invalid"):
        machine.converge(unreachable)
    machine.converge(LAB)
    machine.converge(DELETED)
    assert machine.snapshot() == pristine


def test_a_change_that_does_not_last_is_an_error(machine: t.Any):
    """Control of the second reading: `ip` reports success but one command was not carried out."""

    def run(command: list[str], data: str = "") -> tuple[int, str, str]:
        return machine.run(command, data.replace("link set dev t-a up\n", ""))

    with pytest.raises(LinkStateError, match=r"links\.t-a\.up: is not as wanted, 'ip link set dev t-a up'"):
        converge(run, machine.desired(LAB), check_mode=False)
    assert machine.converge(LAB).commands == ["ip link set dev t-a up"]


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
