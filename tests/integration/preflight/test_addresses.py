# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine of somebody else's on a topology's bridge: preflight sees when it has one of the topology's addresses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _probe_arp as arp
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_names import link_name
from real_nodes import run_command
from topologies import ROOT, Topology, sh

NAME, STRANGER, MAC = "t-addresses", "t-stranger", "02:00:00:00:00:99"
TEXT = """\
name: t-addresses
description: Two namespaces on one bridge.
segments:
  lan: {cidr: 198.18.82.0/24}
namespaces:
  left: {segment: lan}
  right: {segment: lan}
"""
LEFT, FREE = "198.18.82.201", "198.18.78.50"
BRIDGE = link_name(NAME, "lan")
ASK = "import runpy, sys; print(runpy.run_path(sys.argv[1])['others']('eth0', sys.argv[2:]))"


@pytest.fixture
def topology(tmp_path: Path) -> Iterator[Topology]:
    """The topology, up, with a machine of somebody else's on its bridge that has no address yet."""
    made = Topology(NAME, tmp_path / "inventories", tmp_path / "log")
    made.write(TEXT)
    try:
        made.play(["playbooks/nodes.yml"])
        sh("ip", "netns", "add", STRANGER)
        far = ("peer", "name", "eth0", "address", MAC, "netns", STRANGER)
        sh("ip", "link", "add", STRANGER, "master", BRIDGE, "up", "type", "veth", *far)
        sh("ip", "-n", STRANGER, "link", "set", "eth0", "up")
        yield made
    finally:
        run_command(["ip", "link", "delete", STRANGER])
        run_command(["ip", "netns", "delete", STRANGER])
        made.destroy()


def play(topology: Topology, book: str) -> tuple[int, str]:
    """Run a playbook: (exit status, everything it prints)."""
    command = topology.command([f"playbooks/{book}.yml"])
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def addresses() -> str:
    """All links and addresses of the machine and of the topology's namespaces, without what the kernel counts."""
    places = ((), ("-n", f"reftopo.{NAME}.left"), ("-n", f"reftopo.{NAME}.right"))
    return json.dumps([json.loads(sh("ip", *place, "-j", "address")) for place in places])


def test_an_address_that_somebody_else_has_stops_the_run(topology: Topology):
    sh("ip", "-n", STRANGER, "address", "add", f"{FREE}/24", "dev", "eth0")
    code, output = play(topology, "preflight")
    assert code == 0, output
    assert f"what else is plugged in ({STRANGER}) has none of them" in output

    sh("ip", "-n", STRANGER, "address", "add", f"{LEFT}/24", "dev", "eth0")
    before = addresses()
    code, output = play(topology, "nodes")
    assert code == 2, output
    assert f"address {LEFT} (namespaces.left.address): {MAC} has it already, behind {STRANGER}, a port of" in output
    assert "1 problem, nothing was changed" in output  # the topology's own machines answered, too
    assert addresses() == before

    sh("ip", "link", "set", STRANGER, "nomaster")
    code, output = play(topology, "nodes")
    assert code == 0, output
    assert "changed=0" in output


def test_a_machine_sees_who_else_has_its_address_and_not_itself(topology: Topology):
    script = (sys.executable, "-c", ASK, arp.__file__, LEFT, FREE)
    ask = ("ip", "netns", "exec", f"reftopo.{NAME}.left", *script)
    assert sh(*ask) == f"{{'{LEFT}': [], '{FREE}': []}}\n"
    sh("ip", "-n", STRANGER, "address", "add", f"{LEFT}/24", "dev", "eth0")
    assert sh(*ask) == f"{{'{LEFT}': ['{MAC}'], '{FREE}': []}}\n"
