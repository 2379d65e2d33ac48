# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the way, what the kernel refuses, and what does not last, in real namespaces."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.module_utils._link_apply import converge
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import LinkStateError

LAB = yaml.safe_load((Path(__file__).parents[2] / "unit/link_state/cases.yml").read_text())["lab"]
DELETED = {"owner": LAB["owner"], "state": "deleted"}


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
