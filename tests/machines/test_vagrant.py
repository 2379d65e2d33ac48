# SPDX-License-Identifier: GPL-3.0-or-later
"""Two machines by Vagrant and libvirt, the whole way of a user: box, up, ssh, provision, destroy; and nothing is left.

By hand, for emulated machines take 20 minutes on two processors: ./lab pytest -s tests/machines/test_vagrant.py
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
import residue
from topologies import RECAP, ROOT

NAME = "t-vagrant"
FILE = ROOT / "inventories/flannel-vxlan/topology.yml"
# What of flannel-vxlan is another topology here, of two machines, in a network of its own.
CHANGES = {
    r"^name: .*$": f"name: {NAME}",
    r"^  w2: .*\n": "",
    r"172\.30\.10\.": "172.31.90.",
    r"10\.244\.": "10.190.",
    r"10\.96\.": "10.191.",
}
# Where libvirt keeps what residue.py does not look at, and the programs that it runs.
FOLDERS = ("/etc/libvirt", "/var/lib/libvirt", "/var/log/libvirt/qemu")
PROGRAMS = {"dnsmasq", "libvirtd", "qemu-system-x86", "virtlogd"}
BOX, ABSENT = ("./lab", "ansible-playbook", "playbooks/vagrant-box.yml"), ("-e", "vagrant_box_state=absent")


class Outcome(t.NamedTuple):
    """What a command ended with, and all that it printed."""

    code: int
    output: str

    @property
    def changed(self) -> dict[str, int]:
        """Ansible's hosts with the number of tasks that changed something."""
        counts = {host: int(changed) for host, changed in RECAP.findall(self.output)}
        assert counts, self.output
        return counts


def run(*command: str) -> Outcome:
    """Run a command of the project's folder, and say how long it took."""
    began = time.monotonic()
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    print(f"\n{time.monotonic() - began:5.0f} s  {' '.join(command)}", flush=True)
    return Outcome(done.returncode, done.stdout)


def must(*command: str) -> Outcome:
    """The outcome of a command that must succeed."""
    done = run(*command)
    assert done.code == 0, "\n".join(line for line in done.output.splitlines() if "Progress:" not in line)
    return done


def of_libvirt() -> list[str]:
    """Its files, and the programs that run for it."""
    running = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            running.append(path.read_text().strip())
    files = [str(path) for top in FOLDERS for path in Path(top).rglob("*")]
    return sorted([*files, *(name for name in running if name in PROGRAMS)])


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of inventory, state, and what Vagrant keeps. Its path is short, for it is part of those of SSH's sockets."""
    return tmp_path_factory.mktemp("v")


@pytest.fixture
def at_first(folder: Path) -> t.Iterator[tuple[residue.Snapshot, list[str]]]:
    """This machine before the box, and a topology in an inventory of its own; whatever happens, nothing is left."""
    text = FILE.read_text()
    for old, new in CHANGES.items():
        text = re.sub(old, new, text, flags=re.MULTILINE)
    (folder / "inventories" / NAME).mkdir(parents=True)
    (folder / "inventories" / NAME / "topology.yml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        for name, place in {
            "ANSIBLE_INVENTORY": folder / "inventories",
            "REFTOPO_STATE": folder / "state",
            "TOPOLOGY": NAME,
            "VAGRANT_DOTFILE_PATH": folder / "vagrant",
            "VAGRANT_HOME": folder / "home",
        }.items():
            patch.setenv(name, str(place))
        must(*BOX, *ABSENT)  # of a run that was killed; refused where somebody has machines
        residue.first_uses()
        try:
            yield residue.settled(), of_libvirt()
        finally:
            run("vagrant", "destroy", "--force")
            must(*BOX, *ABSENT)


@pytest.mark.alone
def test_a_topology_of_two_machines(at_first: tuple[residue.Snapshot, list[str]], folder: Path):
    before, files = at_first
    state = folder / "state" / NAME

    assert must(*BOX).changed["localhost"] > 0
    assert must(*BOX).changed == {"localhost": 0}
    assert (
        f"There is no topology nowhere in {folder}/inventories. There are: {NAME}"
        in run("env", "TOPOLOGY=nowhere", "vagrant", "status").output
    )

    up = must("vagrant", "up")
    assert set(up.changed) == {f"{name}.{NAME}" for name in ("cp1", "host", "w1")} | {"localhost"}
    assert (state / "report/report.html").exists()
    nodes = must(
        "vagrant", "ssh", f"cp1.{NAME}", "-c", "sudo kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes"
    )
    assert re.findall(r"^(\S+) +Ready ", nodes.output, re.MULTILINE) == ["cp1", "w1"]
    keys = must("vagrant", "ssh", f"w1.{NAME}", "-c", "cat .ssh/authorized_keys").output
    assert keys.startswith("ssh-")
    assert "insecure" not in keys

    assert not any(must("vagrant", "provision").changed.values())

    # The controls: the comparison sees machines, and what they need is not taken away.
    changes = residue.diff(before, residue.snapshot())
    for one in ("links: + virbr", "nft: + ", "files: + /run/libvirt/network/reftopo-vagrant"):
        assert any(line.startswith(one) for line in changes), one
    assert set(of_libvirt()) > set(files)
    refused = run(*BOX, *ABSENT)
    assert refused.code != 0
    assert f"reftopo-vagrant.cp1.{NAME}, reftopo-vagrant.w1.{NAME}: still there" in refused.output

    must("vagrant", "destroy", "--force")
    assert not state.exists()
    assert not [line for line in residue.diff(before, residue.snapshot()) if "virbr" in line]
    assert must(*BOX, *ABSENT).changed["localhost"] > 0
    assert must(*BOX, *ABSENT).changed == {"localhost": 0}
    assert residue.settled_diff(before) == []
    assert of_libvirt() == files
