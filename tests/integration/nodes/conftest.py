# SPDX-License-Identifier: GPL-3.0-or-later
"""Real containers on a real bridge, from an image of Debian packages and the role's files, without artifacts."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import real_nodes
import yaml
from ansible_collections.reftopo.lab.plugins.module_utils._node_converge import converge_absent, converge_present
from ansible_collections.reftopo.lab.plugins.module_utils._node_image import (
    Recipe,
    folder_digest,
    image_commands,
)
from ansible_collections.reftopo.lab.plugins.module_utils._node_keys import KeyMaker, observe, plan
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import Runner

ROLE = Path(__file__).parents[3] / "roles/node_image"
OWNER = "t-nodes-test"
BRIDGE = "t-nodes-test"
NODES = {"a": "198.51.100.11", "b": "198.51.100.12"}  # RFC 5737: documentation, so nobody's own
STORE = {"content/blob": "a layer", "bolt/meta.db": "a database"}


def command(*argv: str) -> str:
    """A command's output; a failure is the test's."""
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="session")
def image() -> Path:
    """An image whose containerd store is a stand-in; the packages are kept for the next run of the tests."""
    variables = yaml.safe_load((ROLE / "vars/main.yml").read_text())
    recipe = Recipe(
        suite="trixie",
        packages=tuple(variables["__node_image_packages"]),
        architecture=command("dpkg", "--print-architecture").strip(),
        masked_units=tuple(variables["__node_image_masked_units"]),
        artifacts="/nowhere",
        manifest={"key": "none", "binaries": {}, "images": {}},
        files=str(ROLE / "files"),
        files_digest=folder_digest(str(ROLE / "files")),
    )
    base, folder = real_nodes.packages_of(recipe), real_nodes.NODES / recipe.key()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for argv in image_commands(recipe, str(base), str(folder / "rootfs")):
        command(*argv)
    for path, text in STORE.items():
        (folder / "containerd" / path).parent.mkdir(parents=True)
        (folder / "containerd" / path).write_text(text)
    return folder


class Lab:
    """Two nodes of a topology of its own, on a bridge of the machine.

    Attributes:
        nodes: addresses by name.
        params: the module's parameters.
        prefix: of the names of containers, mounts and network namespaces.
    """

    def __init__(self, image: Path, state: Path) -> None:
        self.owner, self.nodes, self.prefix = OWNER, NODES, f"reftopo.{OWNER}."
        self.state = state
        self.folder = image.parent / "nodes" / OWNER
        self.params = {
            "owner": OWNER,
            "cache": str(image.parent),
            "image": str(image),
            "state_dir": str(state),
            "nameserver": "198.51.100.1",
            "nodes": {name: {"netns": self.prefix + name, "address": address} for name, address in NODES.items()},
            "timeout": 180,
        }

    def converge(self, check_mode: bool = False, **values: Any) -> list[str]:
        """The commands of one call of the module; keyword arguments replace parameters."""
        return converge_present({**self.params, **values}, Runner(real_nodes.run_command), check_mode)["commands"]

    def absent(self, check_mode: bool = False, **nodes: None) -> bool:
        """Whether removing by the marks alone changed something; of all that there is, or of these nodes."""
        marks = {"owner": OWNER, "cache": self.params["cache"], "nodes": nodes or None}
        return converge_absent(marks, Runner(real_nodes.run_command), check_mode)["changed"]

    def command(self, *argv: str) -> str:
        """A command's output; a failure is the test's."""
        return command(*argv)

    def make_keys(self) -> None:
        """What the module node_keys does."""
        addresses = list(NODES.values())
        steps = plan(observe(str(self.state)), addresses)
        KeyMaker(str(self.state), OWNER, addresses, Runner(real_nodes.run_command)).apply(steps)

    def ssh(self, node: str, *argv: str, key: str = "") -> str:
        """Output of a command on a node, reached as Ansible would, or with another private key."""
        settings = ["BatchMode=yes", "IdentitiesOnly=yes", "ControlPath=none", "StrictHostKeyChecking=yes"]
        settings.append(f"UserKnownHostsFile={self.state}/known_hosts")
        options = [argument for setting in settings for argument in ("-o", setting)]
        key = key or f"{self.state}/id_ed25519"
        return command("ssh", "-F", "none", "-i", key, *options, f"root@{NODES[node]}", *argv)

    def containers(self) -> dict[str, str]:
        """Process IDs of the running containers by name."""
        shown = command("podman", "ps", "--filter", f"name={self.prefix}", "--format", "{{.Names}} {{.Pid}}")
        return dict(line.split() for line in shown.splitlines())

    def identifiers(self) -> set[str]:
        """podman's and the runtime's identifiers of all containers."""
        shown = command(
            "podman", "ps", "--all", "--external", "--no-trunc", "--filter", f"name={self.prefix}", "--quiet"
        )
        return set(shown.split())

    def run_and_kill(self, step: str, delay: float) -> None:
        """Run one of podman's commands for some seconds only, and remove the file that it may have been writing.

        It writes beside each of its lists and renames (atomicFileWriter of containers/storage); nobody looks for what
        is left of that, and it is not a topology's.
        """
        lists = Path(command("podman", "info", "--format", "{{.Store.GraphRoot}}").strip()) / "overlay-containers"
        unfinished = set(lists.glob(".tmp-*"))
        with subprocess.Popen(shlex.split(step), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as podman:
            time.sleep(delay)
            podman.kill()
        for path in set(lists.glob(".tmp-*")) - unfinished:
            path.unlink()

    def traces(self) -> list[str]:
        """What the topology has on the machine: containers, mounts, folders."""
        found = command(
            "podman", "ps", "--all", "--external", "--filter", f"name={self.prefix}", "--format", "{{.Names}}"
        ).split()
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        found += [line for line in mounts if f" - overlay {self.prefix}" in line]
        return found + ([str(self.folder)] if self.folder.exists() else [])

    def add_bridge(self) -> None:
        """The segment."""
        command("ip", "link", "add", BRIDGE, "up", "type", "bridge")
        command("ip", "address", "add", "198.51.100.1/24", "dev", BRIDGE)

    def remove_bridge(self) -> None:
        """Undo add_bridge; nothing when it is not there."""
        real_nodes.run_command(["ip", "link", "delete", BRIDGE])

    def add_namespace(self, node: str) -> None:
        """A node's network namespace, on the bridge."""
        netns, peer = self.prefix + node, f"{OWNER}-{node}"
        # As in a compiled topology: with another MAC, this machine would go on asking the one that it remembers.
        mac = f"02:00:00:00:00:{NODES[node].rpartition('.')[2]}"
        end = ("name", "eth0", "address", mac, "netns", netns)
        command("ip", "netns", "add", netns)
        command("ip", "link", "add", peer, "master", BRIDGE, "up", "type", "veth", "peer", *end)
        command("ip", "-n", netns, "address", "add", f"{NODES[node]}/24", "dev", "eth0")
        command("ip", "-n", netns, "link", "set", "lo", "up")
        command("ip", "-n", netns, "link", "set", "eth0", "up")

    def remove_namespace(self, node: str) -> None:
        """Undo add_namespace, whatever is left of it."""
        real_nodes.run_command(["ip", "link", "delete", f"{OWNER}-{node}"])
        real_nodes.run_command(["ip", "netns", "delete", self.prefix + node])

    def clear(self) -> None:
        """Remove whatever a test made, or left when it was killed."""
        self.absent()
        for node in NODES:
            self.remove_namespace(node)
        self.remove_bridge()


@pytest.fixture
def lab(image: Path, tmp_path: Path) -> Iterator[Lab]:
    """A bridge, network namespaces and keys, without nodes."""
    made = Lab(image, tmp_path / "state")
    made.clear()
    made.make_keys()
    made.add_bridge()
    for node in NODES:
        made.add_namespace(node)
    yield made
    made.clear()
