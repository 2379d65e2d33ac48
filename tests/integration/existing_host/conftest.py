# SPDX-License-Identifier: GPL-3.0-or-later
"""Two Debian machines with systemd and SSH that have nothing of a node: containers of packages alone."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.module_utils._node_converge import converge_absent, converge_present
from ansible_collections.reftopo.lab.plugins.module_utils._node_image import (
    TARGETS,
    Recipe,
    apt_options,
    base_commands,
    debian_mirror,
    image_commands,
)
from ansible_collections.reftopo.lab.plugins.module_utils._node_keys import KeyMaker, observe, plan
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import Runner
from residue import diff

ROOT = Path(__file__).parents[3]
FILES = ROOT / "roles/node_image/files/rootfs"
# How one logs in, and what of systemd starts in a container; nothing of a node.
COPIED = (
    "etc/ssh/sshd_config.d/node.conf",
    "etc/systemd/journald.conf.d/node.conf",
    "etc/systemd/system-preset/00-node.preset",
)
CACHE = Path(os.environ.get("REFTOPO_CACHE", Path.home() / ".cache/reftopo")) / "test/nodes"
HOSTS = "t-hosts"  # owner of the containers, and the bridge's name
TOPOLOGY = "t-office"
ADDRESSES = {"cp1": "198.51.100.11", "w1": "198.51.100.12"}  # RFC 5737: documentation, so nobody's own
# In place of the one that is installed nowhere then: whoever becomes a node has to get it, and give it back.
PACKAGE = """\
Package: ethtool
Version: 1:1-test
Architecture: all
Maintainer: nobody <nobody@example.org>
Description: stands in for the package of this name
"""


def run_command(argv: list[str], handle_exceptions: bool = True) -> tuple[int, str, str]:
    """What AnsibleModule.run_command does."""
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout, result.stderr


def command(*argv: str, **options: Any) -> str:
    """A command's output; a failure is the test's."""
    return subprocess.run(argv, capture_output=True, text=True, check=True, **options).stdout


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of packages, from the base that the tests of nodes keep."""
    variables = yaml.safe_load((ROOT / "roles/node_image/vars/main.yml").read_text())
    files = tmp_path_factory.mktemp("files")
    for path in COPIED:
        (files / "rootfs" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(FILES / path, files / "rootfs" / path)
    _package(files / "rootfs/srv/packages", tmp_path_factory.mktemp("package"))
    recipe = Recipe(
        suite="trixie",
        packages=tuple(variables["__node_image_packages"]),
        architecture=command("dpkg", "--print-architecture").strip(),
        masked_units=tuple(variables["__node_image_masked_units"]),
        artifacts="/nowhere",
        manifest={"key": "none", "binaries": {}, "images": {}},
        files=str(files),
        files_digest="hosts",
    )
    base, folder = CACHE / f"base-{recipe.base_key()}", CACHE / "hosts"
    CACHE.mkdir(parents=True, exist_ok=True)
    if not base.exists():
        _make_base(recipe, base)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "containerd").mkdir(parents=True)
    for argv in image_commands(recipe, str(base), str(folder / "rootfs")):
        command(*argv)
    return folder


def _make_base(recipe: Recipe, base: Path) -> None:
    mirror = debian_mirror(command("apt-get", "indextargets", f"--format={TARGETS}"))
    shutil.rmtree(f"{base}.partial", ignore_errors=True)
    for argv in base_commands(recipe, f"{base}.partial", mirror, apt_options(command("apt-config", "dump"))):
        command(*argv)
    os.rename(f"{base}.partial", base)


def _package(folder: Path, build: Path) -> None:
    """A package archive with one package (deb-control(5), sources.list(5)), and apt's source for it."""
    folder.mkdir(parents=True)
    (build / "DEBIAN").mkdir()
    (build / "DEBIAN/control").write_text(PACKAGE)
    (build / "usr/share/t-ethtool").mkdir(parents=True)
    (build / "usr/share/t-ethtool/file").write_text("a package's file\n")
    command("dpkg-deb", "--root-owner-group", "--build", str(build), str(folder / "ethtool.deb"))
    data = (folder / "ethtool.deb").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    (folder / "Packages").write_text(f"{PACKAGE}Filename: ./ethtool.deb\nSize: {len(data)}\nSHA256: {digest}\n")
    sources = folder.parents[1] / "etc/apt/sources.list.d/test.list"
    sources.parent.mkdir(parents=True)
    sources.write_text("deb [trusted=yes] file:/srv/packages ./\n")


class Hosts:
    """The machines, and the inventory of a topology whose nodes they are to be.

    Attributes:
        folder: of keys, inventory and state.
    """

    def __init__(self, image: Path, folder: Path) -> None:
        self.image, self.folder = image, folder
        self.marks = {"owner": HOSTS, "cache": str(image.parent), "nodes": None}

    def start(self) -> None:
        """Make the machines, on a bridge."""
        command("ip", "link", "add", HOSTS, "up", "type", "bridge")
        command("ip", "address", "add", "198.51.100.1/24", "dev", HOSTS)
        keys, addresses = str(self.folder / "keys"), list(ADDRESSES.values())
        KeyMaker(keys, HOSTS, addresses, Runner(run_command)).apply(plan(observe(keys), addresses))
        for name, address in ADDRESSES.items():
            _namespace(name, address)
        nodes = {name: {"netns": f"reftopo.{HOSTS}.{name}", "address": one} for name, one in ADDRESSES.items()}
        given = {
            "image": str(self.image),
            "state_dir": keys,
            "nameserver": "198.51.100.1",
            "nodes": nodes,
            "timeout": 60,
        }
        converge_present({**self.marks, **given}, Runner(run_command), False)

    def clear(self) -> None:
        """Remove whatever a test made, or left when it was killed."""
        converge_absent(self.marks, Runner(run_command), False)
        for name in ADDRESSES:
            run_command(["ip", "link", "delete", f"{HOSTS}-{name}"])
            run_command(["ip", "netns", "delete", f"reftopo.{HOSTS}.{name}"])
        run_command(["ip", "link", "delete", HOSTS])

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
        return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)

    def write_inventory(self) -> None:
        """The topology's file, and how its hosts are reached, as a user has them."""
        folder = self.folder / "inventories" / TOPOLOGY
        folder.mkdir(parents=True)
        (folder.parent / "group_vars").mkdir()
        keys = self.folder / "keys"
        nodes = {
            name: {
                "role": "control-plane" if name == "cp1" else "worker",
                "provider": "existing",
                "segment": "office",
                "address": address,
                "ansible_ssh_private_key_file": f"{keys}/id_ed25519",
            }
            for name, address in ADDRESSES.items()
        }
        topology = {
            "name": TOPOLOGY,
            "description": "Pods of two hosts that were there before reach each other by VXLAN.",
            "segments": {"office": {"kind": "existing", "cidr": "198.51.100.0/24"}},
            "nodes": nodes,
            "cluster": {
                "kubernetes": "v1.37.2",
                "pod_cidr": "10.244.0.0/16",
                "service_cidr": "10.96.0.0/16",
                "cni": {"name": "flannel", "backend": "vxlan"},
            },
            "checks": {
                "pods-reach-pods": {"from": "pods", "to": "pods"},
                "pods-reach-services": {"from": "pods", "to": "services"},
                "pods-resolve-names": {"from": "pods", "to": "dns"},
                "overlay-is-vxlan": {"mechanism": "vxlan"},
                "without-overlay": {
                    "from": "pods",
                    "to": "pods",
                    "break": {"node": "w1", "link": "flannel.1", "state": "down"},
                    "expect": {"same-node": "ok", "cross-node": ["timeout", "unreachable"]},
                },
            },
        }
        (folder / "topology.yml").write_text(yaml.safe_dump(topology, sort_keys=False))
        options = f"-o UserKnownHostsFile={keys}/known_hosts -o IdentitiesOnly=yes"
        group = {"ansible_ssh_common_args": options}
        (folder.parent / "group_vars" / "t_office_existing.yml").write_text(yaml.safe_dump(group))


def _namespace(name: str, address: str) -> None:
    """A machine's network namespace, on the bridge, with a default route by which nothing leaves."""
    netns = f"reftopo.{HOSTS}.{name}"
    mac = f"02:00:00:00:00:{address.rpartition('.')[2]}"
    end = ("name", "eth0", "address", mac, "netns", netns)
    command("ip", "netns", "add", netns)
    command("ip", "link", "add", f"{HOSTS}-{name}", "master", HOSTS, "up", "type", "veth", "peer", *end)
    for words in (f"address add {address}/24 dev eth0", "link set lo up", "link set eth0 up"):
        command("ip", "-n", netns, *words.split())
    command("ip", "-n", netns, "route", "add", "default", "dev", "eth0", "scope", "link")


@pytest.fixture
def hosts(image: Path, tmp_path: Path) -> Iterator[Hosts]:
    """Machines that run, each with something of its own."""
    made = Hosts(image, tmp_path)
    made.clear()
    made.start()
    made.write_inventory()
    yield made
    made.clear()
