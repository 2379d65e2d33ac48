# SPDX-License-Identifier: GPL-3.0-or-later
"""Domains as libvirt is told them, and what their definitions and virsh tell."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _vm_domain as vm_domain
from ansible_collections.reftopo.lab.plugins.module_utils import _vm_observe as vm_observe
from ansible_collections.reftopo.lab.plugins.module_utils._vm_model import SIZE, SIZES, Domain, Nic, Vm

NIC = Nic("eth0", "rt-00000001", "02:00:00:00:00:01", "172.30.10.12/24", 1500)
VM = Vm("w1", "reftopo.small.w1", "small", "172.30.10.12", "/cache/nodes/small/w1", SIZE, (NIC,), {})
GOLDEN = Path(__file__).parent / "golden"


def definition(vm: Vm = VM, accelerator: str = vm_domain.EMULATION) -> str:
    return vm_domain.definition(vm, "/cache/vm-images/abc/vmlinux", "console=ttyS0", accelerator)


@pytest.mark.parametrize("accelerator", [vm_domain.EMULATION, vm_domain.KVM])
def test_definition(accelerator: str):
    assert definition(accelerator=accelerator) == (GOLDEN / f"{accelerator}.xml").read_text()


@pytest.mark.parametrize("accelerator", [vm_domain.EMULATION, vm_domain.KVM])
def test_a_control_plane_has_the_processors_that_kubeadm_asks_for(accelerator: str):
    assert "<vcpu>2</vcpu>" in definition(dataclasses.replace(VM, size=SIZES["control-plane"]), accelerator)


@pytest.mark.parametrize("accelerator", [vm_domain.EMULATION, vm_domain.KVM])
def test_libvirt_takes_the_definition(accelerator: str, tmp_path: Path):
    if not shutil.which("virt-xml-validate") or not shutil.which("xmllint"):
        pytest.skip("virt-xml-validate is not installed")
    file = tmp_path / "domain.xml"
    file.write_text(definition(accelerator=accelerator))
    done = subprocess.run(["virt-xml-validate", file, "domain"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_a_definition_tells():
    digest = vm_domain.digest_of(definition())
    assert len(digest) == 64
    assert vm_domain.parse(definition()) == Domain("reftopo.small.w1", "small", digest, "qemu")


def test_a_domain_of_others_has_no_owner():
    foreign = "<domain type='kvm'><name>reftopo.small.w1</name><metadata><other/></metadata></domain>"
    assert vm_domain.parse(foreign) == Domain("reftopo.small.w1", accelerator="kvm")


def test_the_digest_is_of_the_machine_and_not_of_the_host():
    larger = dataclasses.replace(VM, nics=(dataclasses.replace(NIC, tap="rt-00000002"),))
    assert vm_domain.digest_of(definition(accelerator="kvm")) == vm_domain.digest_of(definition())
    assert vm_domain.digest_of(definition(larger)) != vm_domain.digest_of(definition())


def test_states():
    text = " 1    reftopo.small.w1   running\n -    reftopo.small.w2   shut off\n -    a b   \n\n"
    assert vm_observe.parse_states(text) == {
        "reftopo.small.w1": "running",
        "reftopo.small.w2": "shut off",
        "a": "b",
    }
