# SPDX-License-Identifier: GPL-3.0-or-later
"""Two machines that SSH reaches, nodes of a topology of their own, and a topology that is on them and on this one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from plain_images import ADD_ADMIN, ADMIN
from residue import diff

ROOT = Path(__file__).parents[3]
MACHINES, TOPOLOGY = "t-machines", "t-wide"
ADDRESSES = {"host": "172.31.200.1", "h1": "172.31.200.11", "h2": "172.31.200.12"}
# What a host has: links, namespaces, and the paths of all files but those of running programs, logs and Ansible.
STATE = """\
ip -o link | sed 's/^[0-9]*: //; s/@if[0-9]*//'; ip -o address | sed 's/^[0-9]*: //'
ip route show table all; ip rule; ip netns; nft list ruleset
find / -xdev | grep -Ev '^/(proc|sys|run|tmp|var/log|var/lib/systemd|root/\\.ansible|home/[^/]+/\\.ansible)/'"""
# h2's user becomes root by sudo, as on most servers.
ADD_SUDO = f"""\
cat >/tmp/sudo.deb && dpkg --install /tmp/sudo.deb >/dev/null
sed --in-place 's/^AllowUsers root$/& {ADMIN}/' /etc/ssh/sshd_config.d/node.conf && systemctl reload ssh
"""
NAMESPACES = {"a1": "h1", "a2": "h1", "b1": "h2", "b2": "h2", "c1": "", "c2": ""}


class Hosts:
    """The machines, and the inventory of both topologies; `folder` holds it and their state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = folder / "state" / MACHINES
        wire = {"wire": {"cidr": "172.31.200.0/24"}}
        providers = {"h1": "container", "h2": "vm"}
        nodes = {name: {"segment": "wire", "provider": provider} for name, provider in providers.items()}
        self._write(MACHINES, segments=wire, nodes=nodes)
        key = {"ansible_ssh_private_key_file": str(self.keys / "id_ed25519")}
        hosts = {name: {"address": one, **({} if name == "host" else key)} for name, one in ADDRESSES.items()}
        hosts["h2"]["ansible_user"] = ADMIN
        self._write(
            TOPOLOGY,
            segments={"lan": {"cidr": "172.31.201.0/24"}},
            hosts=hosts,
            namespaces={name: {"segment": "lan", **({"host": on} if on else {})} for name, on in NAMESPACES.items()},
            checks={
                "all-pairs": {"from": "namespaces", "to": "namespaces"},
                "between-hosts-by-vxlan": {"mechanism": "between-hosts"},
                "path-mtu-is-exact": {"mtu": "exact"},
                **{f"without-the-way-of-{name}": _cut(name) for name in ("h2", "host")},
            },
        )
        variables = folder / "inventories" / "group_vars" / "t_wide_hypervisors.yml"
        variables.parent.mkdir()
        options = f"-o UserKnownHostsFile={self.keys}/known_hosts -o IdentitiesOnly=yes"
        variables.write_text(yaml.safe_dump({"ansible_ssh_common_args": options}))

    def _write(self, name: str, **sections: object) -> None:
        file = self.folder / "inventories" / name / "topology.yml"
        file.parent.mkdir(parents=True)
        given = {"name": name, "description": "Made by a test.", **sections}
        file.write_text(yaml.safe_dump(given, sort_keys=False))

    def play(self, book: str, topology: str = TOPOLOGY, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of the collection's playbooks."""
        environment = {**os.environ, "REFTOPO_STATE": str(self.folder / "state"), "ANSIBLE_NOCOLOR": "1"}
        inventory = f"--inventory={self.folder / 'inventories'}"
        argv = ["ansible-playbook", inventory, f"playbooks/{book}.yml", f"--extra-vars=topology={topology}", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)

    def add_admin(self, host: str) -> None:
        """Install sudo on a host, which has no way to a mirror, and let ADMIN use it."""
        for words in (("update",), ("download", "sudo")):
            subprocess.run(["apt-get", "-qq", "--option=APT::Sandbox::User=root", *words], check=True, cwd=self.folder)
        self.ssh(host, ADD_SUDO + ADD_ADMIN, next(self.folder.glob("sudo_*.deb")).read_bytes())

    def ssh(self, host: str, words: str, given: bytes = b"") -> str:
        """Output of a shell's words on a host, whose standard input is `given`."""
        settings = ("BatchMode=yes", "IdentitiesOnly=yes", f"UserKnownHostsFile={self.keys}/known_hosts")
        options = [argument for setting in settings for argument in ("-o", setting)]
        argv = ["ssh", "-F", "none", "-i", str(self.keys / "id_ed25519"), *options, f"root@{ADDRESSES[host]}", words]
        done = subprocess.run(argv, input=given, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def state(self) -> dict[str, list[str]]:
        """What each host has."""
        return {host: self.ssh(host, STATE).splitlines() for host in ("h1", "h2")}

    def changes(self, before: dict[str, list[str]]) -> list[str]:
        """What the hosts have that they had not, and the other way round."""
        return diff(before, self.state())


def _cut(host: str) -> dict[str, object]:
    """A check that takes the way between a host and the others."""
    ends = {"from": "namespaces", "to": "namespaces"}
    return {**ends, "break": {"host": host, "segment": "lan"}, "expect": ["timeout", "unreachable"]}


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    """Machines that run; all of it goes at the end."""
    made = Hosts(tmp_path)
    up = made.play("nodes", MACHINES)
    assert up.returncode == 0, up.stdout[-4000:]
    # A virtual machine answers SSH before it has started all else.
    made.ssh("h2", "timeout 120 systemctl is-system-running --wait || test $? -ne 124")
    made.add_admin("h2")
    yield made
    for name in (TOPOLOGY, MACHINES):
        made.play("destroy", name)
