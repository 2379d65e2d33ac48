# SPDX-License-Identifier: GPL-3.0-or-later
"""One real virtual machine on a real bridge, from the roles' packages and files, without artifacts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import real_nodes
import yaml
from ansible_collections.reftopo.lab.plugins.module_utils import _node_image as node_image
from ansible_collections.reftopo.lab.plugins.module_utils import _vm_converge as vm_converge
from ansible_collections.reftopo.lab.plugins.module_utils._node_keys import KeyMaker, observe, plan
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import Runner
from ansible_collections.reftopo.lab.plugins.module_utils._vm_image import VmRecipe, load_image
from ansible_collections.reftopo.lab.plugins.module_utils._vm_image_apply import VmImageBuilder
from topologies import sh

ROLES = Path(__file__).parents[3] / "roles"
CACHE = real_nodes.VMS
OWNER, NODE, BRIDGE, TAP = "t-vms-test", "a", "t-vms-test", "t-vms-a"
DOMAIN = f"reftopo.{OWNER}.{NODE}"
ADDRESS = "198.51.100.11"  # RFC 5737: documentation, so nobody's own
MAC = "02:00:00:00:00:11"


def variables(role: str) -> Any:
    return yaml.safe_load((ROLES / role / "vars/main.yml").read_text())


def digest(role: str) -> str:
    return node_image.folder_digest(str(ROLES / role / "files"))


@pytest.fixture(scope="session")
def image() -> str:
    """An image of a node without binaries; its packages are kept for the next run of the tests."""
    runner = Runner(real_nodes.run_command)
    folder = CACHE / "node"
    recipe = node_image.Recipe(
        suite="trixie",
        packages=tuple(variables("node_image")["__node_image_packages"]),
        architecture=sh("dpkg", "--print-architecture").strip(),
        masked_units=tuple(variables("node_image")["__node_image_masked_units"]),
        artifacts="/nowhere",
        manifest={"key": "none", "binaries": {}, "images": {}},
        files=str(ROLES / "node_image/files"),
        files_digest=digest("node_image"),
    )
    base = real_nodes.packages_of(recipe)
    sh("rm", "--recursive", "--force", str(folder))
    (folder / "containerd").mkdir(parents=True)
    for argv in node_image.image_commands(recipe, str(base), str(folder / "rootfs")):
        sh(*argv)
    # There is none to start; systemd would try until a slow machine is "degraded". The first boot enables what there is
    # by the presets, so the unit itself has to go.
    for unit in ("multi-user.target.wants/containerd.service", "containerd.service"):
        (folder / "rootfs/etc/systemd/system" / unit).unlink()
    manifest = {"key": f"{recipe.key()}-no-containerd", "artifacts": "none", "containerd": "none", "images": []}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    masked = tuple(variables("vm_image")["__vm_image_masked_units"])
    files = str(ROLES / "vm_image/files")
    wanted = VmRecipe("trixie", str(folder), load_image(str(folder)), masked, files, digest("vm_image"))
    built = VmImageBuilder(wanted, str(CACHE), "", runner)
    if not built.complete():
        built.build()
    return built.path


class Lab:
    """A bridge, a tap and keys; its methods are one call of the module each, and looks at what came of it."""

    def __init__(self, image: str, state: Path) -> None:
        self.state, self.runner = state, Runner(real_nodes.run_command)
        self.domain, self.bridge, self.tap, self.address = DOMAIN, BRIDGE, TAP, ADDRESS
        self.folder = CACHE / "nodes" / OWNER / NODE
        interface = {"peer": TAP, "mac": MAC, "address": f"{ADDRESS}/24", "mtu": 1400}
        self.params = {
            "owner": OWNER,
            "cache": str(CACHE),
            "image": image,
            "state_dir": str(state),
            "nameserver": "198.51.100.1",
            "nodes": {
                NODE: {"provider": "vm", "address": ADDRESS, "interfaces": {"eth0": interface}},
                "b": {"provider": "container", "address": "198.51.100.12"},
            },
            "timeout": 240,
        }

    def converge(self, check_mode: bool = False, **values: Any) -> list[str]:
        """The commands of one call; keyword arguments replace parameters."""
        return vm_converge.converge_present({**self.params, **values}, self.runner, check_mode)["commands"]

    def absent(self, check_mode: bool = False) -> bool:
        """Whether removing by the marks alone changed something."""
        marks = {"owner": OWNER, "cache": str(CACHE)}
        return vm_converge.converge_absent(marks, self.runner, check_mode)["changed"]

    def reach(self, *argv: str) -> list[str]:
        """The command that runs one on the machine, reached as Ansible would."""
        settings = ["BatchMode=yes", "IdentitiesOnly=yes", "ControlPath=none", "StrictHostKeyChecking=yes"]
        settings.append(f"UserKnownHostsFile={self.state}/known_hosts")
        options = [argument for setting in settings for argument in ("-o", setting)]
        return ["ssh", "-F", "none", "-i", f"{self.state}/id_ed25519", *options, f"root@{ADDRESS}", *argv]

    def ssh(self, *argv: str) -> str:
        """Output of a command on the machine."""
        return sh(*self.reach(*argv))

    def boot(self) -> str:
        """Which of its lives the machine is in."""
        return self.ssh("cat", "/proc/sys/kernel/random/boot_id").strip()

    def add_tap(self) -> None:
        sh("ip", "tuntap", "add", "dev", TAP, "mode", "tap")
        sh("ip", "link", "set", TAP, "master", BRIDGE, "up")

    def make(self) -> None:
        sh("ip", "link", "add", BRIDGE, "up", "type", "bridge")
        sh("ip", "address", "add", "198.51.100.1/24", "dev", BRIDGE)
        self.add_tap()
        addresses = [ADDRESS]
        KeyMaker(str(self.state), OWNER, addresses, self.runner).apply(plan(observe(str(self.state)), addresses))

    def clear(self) -> None:
        """Remove whatever a test made, or left when it was killed."""
        self.absent()
        for link in (TAP, BRIDGE):
            real_nodes.run_command(["ip", "link", "delete", link])


@pytest.fixture(scope="module")
def lab(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One machine for all tests, which are one story: each boot takes its time where it is emulated."""
    made = Lab(image, tmp_path_factory.mktemp("vms") / "state")
    made.clear()
    made.make()
    yield made
    made.clear()
