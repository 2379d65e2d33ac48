# SPDX-License-Identifier: GPL-3.0-or-later
"""Two Debian machines with systemd and SSH that have nothing of a node: containers or virtual machines."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import plain_images
import pytest
import real_nodes
import yaml
from ansible_collections.reftopo.lab.plugins.module_utils import _node_converge as containers
from ansible_collections.reftopo.lab.plugins.module_utils import _vm_converge as machines
from ansible_collections.reftopo.lab.plugins.module_utils._node_keys import KeyMaker, observe, plan
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import Runner
from residue import diff

ROOT = Path(__file__).parents[3]
HOSTS = "t-hosts"  # owner of the machines, and the bridge's name
TOPOLOGY = "t-office"
ADDRESSES = {"cp1": "198.51.100.11", "w1": "198.51.100.12"}  # RFC 5737: documentation, so nobody's own
ROLES = {"cp1": "control-plane", "w1": "worker"}
STRANGER, STRANGERS_MAC, BRIDGES_MAC = "t-stranger", "02:00:00:00:00:99", "02:00:00:00:00:01"
WITHOUT_OVERLAY = {
    "from": "pods",
    "to": "pods",
    "break": {"node": "w1", "link": "flannel.1", "state": "down"},
    "expect": {"same-node": "ok", "cross-node": ["timeout", "unreachable"]},
}
# Network plugins by the words of the tests' names, each with the checks that it has beside those of all.
NETWORKS = {
    "flannel-vxlan": {"overlay-is-vxlan": {"mechanism": "vxlan"}, "without-overlay": WITHOUT_OVERLAY},
    "calico-bgp": {"routed-by-bgp": {"mechanism": "bgp"}},
    "calico-ipip": {"overlay-is-ipip": {"mechanism": "ipip"}},
    "calico-vxlan": {"overlay-is-vxlan": {"mechanism": "vxlan"}},
}


def command(*argv: str, **options: Any) -> str:
    """A command's output; a failure is the test's."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{argv[0]} … {argv[-1]}: {done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the containers run, and of which a virtual machine's disk is made."""
    return plain_images.container_image(tmp_path_factory.mktemp("image"))


class Hosts:
    """The machines, and the inventory of a topology whose nodes they are to be.

    Attributes:
        folder: of keys, inventory and state.
        kinds: what cp1 and w1 are, each ``container`` or ``vm``.
        network: one of NETWORKS.
    """

    def __init__(self, image: Path, folder: Path, kinds: Sequence[str], network: str) -> None:
        self.image, self.folder, self.kinds, self.network = image, folder, dict(zip(ADDRESSES, kinds)), network
        self.marks = {"owner": HOSTS, "cache": str(real_nodes.NODES), "nodes": None}
        self.vm_marks = {**self.marks, "cache": str(real_nodes.VMS)}

    def start(self) -> None:
        """Make the machines, on a bridge."""
        # A bridge without an address of its own takes the lowest of its ports', and with each change the kernel forgets
        # all neighbours, permanent ones too (net/bridge/br_stp_if.c; net/core/neighbour.c, neigh_changeaddr).
        command("ip", "link", "add", HOSTS, "address", BRIDGES_MAC, "up", "type", "bridge")
        command("ip", "address", "add", "198.51.100.1/24", "dev", HOSTS)
        keys, addresses, runner = str(self.folder / "keys"), list(ADDRESSES.values()), Runner(real_nodes.run_command)
        KeyMaker(keys, HOSTS, addresses, runner).apply(plan(observe(keys), addresses))
        nodes = {name: KINDS[kind](name, ADDRESSES[name]) for name, kind in self.kinds.items()}
        given = {"state_dir": keys, "nameserver": "198.51.100.1", "nodes": nodes, "timeout": 240}
        containers.converge_present({**self.marks, **given, "image": str(self.image)}, runner, False)
        if "vm" in self.kinds.values():
            image = plain_images.vm_image(self.image, runner, self.folder / "vm")
            machines.converge_present({**self.vm_marks, **given, "image": image}, runner, False)
        self.ssh("w1", plain_images.ADD_ADMIN)

    def plug_stranger(self, name: str) -> None:
        """Plug a machine with a host's address in at the bridge; this one goes on to know which of the two is meant."""
        address = ADDRESSES[name]
        known = ("lladdr", _mac(address), "dev", HOSTS, "nud", "permanent")
        command("ip", "neighbor", "replace", address, *known)
        command("ip", "netns", "add", STRANGER)
        far = ("peer", "name", "eth0", "address", STRANGERS_MAC, "netns", STRANGER)
        command("ip", "link", "add", STRANGER, "master", HOSTS, "up", "type", "veth", *far)
        command("ip", "-n", STRANGER, "address", "add", f"{address}/24", "dev", "eth0")
        command("ip", "-n", STRANGER, "link", "set", "eth0", "up")

    def unplug_stranger(self) -> None:
        """Undo plug_stranger, whatever is left of it."""
        real_nodes.run_command(["ip", "link", "delete", STRANGER])
        real_nodes.run_command(["ip", "netns", "delete", STRANGER])
        real_nodes.run_command(["ip", "neighbor", "flush", "dev", HOSTS, "nud", "permanent"])

    def clear(self) -> None:
        """Remove whatever a test made, or left when it was killed."""
        self.unplug_stranger()
        containers.converge_absent(self.marks, Runner(real_nodes.run_command), False)
        machines.converge_absent(self.vm_marks, Runner(real_nodes.run_command), False)
        for name in ADDRESSES:
            real_nodes.run_command(["ip", "link", "delete", f"{HOSTS}-{name}"])
            real_nodes.run_command(["ip", "netns", "delete", f"reftopo.{HOSTS}.{name}"])
        real_nodes.run_command(["ip", "link", "delete", HOSTS])

    def ssh(self, host: str, words: str, text: str = "") -> str:
        """Output of a shell's words on a host, to which `text` is given."""
        keys = self.folder / "keys"
        settings = ["BatchMode=yes", "IdentitiesOnly=yes", "ControlPath=none", "StrictHostKeyChecking=yes"]
        settings.append(f"UserKnownHostsFile={keys}/known_hosts")
        options = [argument for setting in settings for argument in ("-o", setting)]
        argv = ("ssh", "-F", "none", "-i", str(keys / "id_ed25519"), *options, f"root@{ADDRESSES[host]}", words)
        return command(*argv, input=text)

    def snapshot(self, host: str) -> dict[str, list[str]]:
        """All that is on a host."""
        script = (ROOT / "tests/support/host_snapshot.py").read_text()
        return json.loads(self.ssh(host, "python3 -", script))

    def changes(self, before: dict[str, dict[str, list[str]]]) -> list[str]:
        """What is not as it was on the hosts."""
        return [f"{name}: {line}" for name, old in before.items() for line in diff(old, self.snapshot(name))]

    def play(self, book: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of the collection's playbooks for the topology."""
        environment = {**os.environ, "REFTOPO_STATE": str(self.folder / "state"), "ANSIBLE_NOCOLOR": "1"}
        inventory = f"--inventory={self.folder / 'inventories'}"
        argv = ["ansible-playbook", inventory, f"playbooks/{book}.yml", f"--extra-vars=topology={TOPOLOGY}", *words]
        # Ansible refuses a standard input that does not block.
        given = {"stdin": subprocess.DEVNULL, "cwd": ROOT, "env": environment}
        return subprocess.run(argv, capture_output=True, text=True, check=False, **given)

    def write_inventory(self) -> None:
        """The topology's file, and how its hosts are reached, as a user has them."""
        folder = self.folder / "inventories" / TOPOLOGY
        folder.mkdir(parents=True)
        (folder.parent / "group_vars").mkdir()
        keys = self.folder / "keys"
        nodes = {
            name: {
                "role": ROLES[name],
                "provider": "existing",
                "segment": "office",
                "address": address,
                "ansible_user": plain_images.ADMIN if name == "w1" else "root",
                "ansible_ssh_private_key_file": f"{keys}/id_ed25519",
            }
            for name, address in ADDRESSES.items()
        }
        name, dummy, backend = self.network.partition("-")
        topology = {
            "name": TOPOLOGY,
            "description": "Pods of two hosts that were there before reach each other.",
            "segments": {"office": {"kind": "existing", "cidr": "198.51.100.0/24"}},
            "nodes": nodes,
            "cluster": {
                "kubernetes": "v1.37.2",
                "pod_cidr": "10.244.0.0/16",
                "service_cidr": "10.96.0.0/16",
                "cni": {"name": name, "backend": backend},
            },
            "checks": {
                "pods-reach-pods": {"from": "pods", "to": "pods"},
                "pods-reach-services": {"from": "pods", "to": "services"},
                "pods-resolve-names": {"from": "pods", "to": "dns"},
                **NETWORKS[self.network],
            },
        }
        (folder / "topology.yml").write_text(yaml.safe_dump(topology, sort_keys=False))
        options = f"-o UserKnownHostsFile={keys}/known_hosts -o IdentitiesOnly=yes"
        group = {"ansible_ssh_common_args": options}
        (folder.parent / "group_vars" / "t_office_existing.yml").write_text(yaml.safe_dump(group))


def _container(name: str, address: str) -> dict[str, Any]:
    """A node, and its network namespace on the bridge, with a default route by which nothing leaves."""
    netns, port = f"reftopo.{HOSTS}.{name}", f"{HOSTS}-{name}"
    command("ip", "netns", "add", netns)
    end = ("name", "eth0", "address", _mac(address), "netns", netns)
    command("ip", "link", "add", port, "master", HOSTS, "up", "type", "veth", "peer", *end)
    for words in (f"address add {address}/24 dev eth0", "link set lo up", "link set eth0 up"):
        command("ip", "-n", netns, *words.split())
    command("ip", "-n", netns, "route", "add", "default", "dev", "eth0", "scope", "link")
    return {"netns": netns, "address": address}


def _vm(name: str, address: str) -> dict[str, Any]:
    """A node, and its tap on the bridge."""
    port = f"{HOSTS}-{name}"
    command("ip", "tuntap", "add", "dev", port, "mode", "tap")
    command("ip", "link", "set", port, "master", HOSTS, "up")
    interface = {"peer": port, "mac": _mac(address), "address": f"{address}/24", "mtu": 1500}
    return {"provider": "vm", "role": ROLES[name], "address": address, "interfaces": {"eth0": interface}}


def _mac(address: str) -> str:
    return f"02:00:00:00:00:{address.rpartition('.')[2]}"


KINDS = {"container": _container, "vm": _vm}


# Each takes minutes more, so no stage has them.
SLOW = (
    "container vm flannel-vxlan",
    "container container calico-bgp",
    "container container calico-vxlan",
    "vm vm calico-ipip",
)
CASES = ["container container flannel-vxlan", *(pytest.param(case, marks=pytest.mark.slow) for case in SLOW)]


@pytest.fixture(params=CASES)
def hosts(image: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Hosts]:
    """Machines that run, each with something of its own."""
    *kinds, network = request.param.split()
    made = Hosts(image, tmp_path, kinds, network)
    made.clear()
    made.start()
    made.write_inventory()
    yield made
    made.clear()
