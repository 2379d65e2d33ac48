# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine is told at its boot, as cpio(1) unpacks it."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _vm_seed as vm_seed
from ansible_collections.reftopo.lab.plugins.module_utils._node_model import Seed
from ansible_collections.reftopo.lab.plugins.module_utils._vm_model import SIZE, Nic, Vm

NICS = (
    Nic("eth0", "rt-00000001", "02:00:00:00:00:01", "172.30.10.11/24", 1500),
    Nic("eth1", "rt-00000002", "02:00:00:00:00:02", "172.30.11.11/25", 9000),
)
SEEDS = {"/etc/hostname": Seed("w1\n"), "/root/.ssh/authorized_keys": Seed("key", 0o600), "/etc/motd": Seed("ö\n")}
VM = Vm("w1", "reftopo.small.w1", "small", "172.30.10.11", "/cache/nodes/small/w1", SIZE, NICS, SEEDS)


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    if not shutil.which("cpio"):
        pytest.skip("cpio is not installed")
    subprocess.run(
        ["cpio", "--extract", "--quiet", "--make-directories", "--no-preserve-owner"],
        input=vm_seed.seed(VM),
        cwd=tmp_path,
        check=True,
    )
    return tmp_path / "seed"


def test_files(unpacked: Path):
    found = {str(path.relative_to(unpacked)): path.read_text() for path in unpacked.rglob("*") if path.is_file()}
    assert found == {
        "interfaces": "02:00:00:00:00:01 eth0 172.30.10.11/24 1500\n02:00:00:00:00:02 eth1 172.30.11.11/25 9000\n",
        "routes": "default dev eth0 scope link\n",
        "root/etc/hostname": "w1\n",
        "root/etc/motd": "ö\n",
        "root/root/.ssh/authorized_keys": "key",
    }


def test_modes(unpacked: Path):
    modes = {str(path.relative_to(unpacked)): oct(path.stat().st_mode)[-3:] for path in unpacked.rglob("*")}
    assert modes["root/root/.ssh/authorized_keys"] == "600"
    assert modes["root/root/.ssh"] == modes["root/root"] == "700"
    assert modes["root/etc"] == "755"
    assert modes["root/etc/hostname"] == "644"


@pytest.mark.parametrize("length", range(4))
def test_an_archive_begins_where_the_kernel_looks_for_it(length: int):
    initrd = b"x" * length
    assert vm_seed.boot_file(initrd, VM).index(vm_seed.MAGIC) % 4 == 0


def test_the_same_machine_is_told_the_same():
    assert vm_seed.seed(VM) == vm_seed.seed(dataclasses.replace(VM, seeds=dict(reversed(SEEDS.items()))))


def test_a_router_is_the_default_routes_gateway():
    assert b"default via 172.30.10.254\n" in vm_seed.seed(dataclasses.replace(VM, router="172.30.10.254"))
