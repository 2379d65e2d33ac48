# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases are data: what a virtual machine is, and the steps that must follow."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _vm_domain as vm_domain
from ansible_collections.reftopo.lab.plugins.module_utils import _vm_plan as vm_plan
from ansible_collections.reftopo.lab.plugins.module_utils import _vm_seed as vm_seed
from ansible_collections.reftopo.lab.plugins.module_utils._node_common import HOSTS_BEGIN
from ansible_collections.reftopo.lab.plugins.module_utils._node_model import Command, Seed, Write
from ansible_collections.reftopo.lab.plugins.module_utils._vm_model import SIZES, Domain, Nic, Observed, Vm

NAME = "reftopo.small.cp1"
FOLDER = "/cache/nodes/small/cp1"
NIC = Nic("eth0", "rt-00000001", "02:00:00:00:00:01", "172.30.10.11/24", 1500)
VM = Vm(
    name="cp1",
    domain=NAME,
    owner="small",
    address="172.30.10.11",
    folder=FOLDER,
    size=SIZES["control-plane"],
    nics=(NIC,),
    seeds={
        "/etc/hostname": Seed("cp1\n"),
        "/etc/hosts": Seed(f"{HOSTS_BEGIN}172.30.10.12 w1\n"),
        "/root/.ssh/authorized_keys": Seed("key", 0o600),
    },
    login=("ssh", "root@172.30.10.11"),
)
IMAGE = vm_plan.VmImage("/cache/vm-images/abc", "abc", "console=ttyS0", b"initrd")
DEFINITION = vm_domain.definition(VM, IMAGE.kernel, IMAGE.arguments, vm_domain.EMULATION)
RUNNING = dataclasses.replace(vm_domain.parse(DEFINITION), state="running")
CONVERGED = Observed(RUNNING, image="abc", initrd=vm_seed.boot_file(b"initrd", VM), plugged=True)

VIRSH = "virsh --connect=qemu:///system --quiet"
PREPARE = [
    f"rm --recursive --force --one-file-system {FOLDER}",
    f"mkdir --parents {FOLDER}",
    f"qemu-img create -q -f qcow2 -b /cache/vm-images/abc/disk.raw -F raw {FOLDER}/disk.qcow2",
    f"write {FOLDER}/image",
]
BOOT = [f"write {FOLDER}/initrd"]
DEFINE = [f"write {FOLDER}/domain.xml", f"{VIRSH} define {FOLDER}/domain.xml"]
TELL = str(Command((*VM.login, f"printf %s '{HOSTS_BEGIN}172.30.10.12 w1\n' >/etc/hosts")))
STOP, START = [f"{VIRSH} destroy {NAME}"], [f"{VIRSH} start {NAME}"]


def changed(**values: object) -> Observed:
    return dataclasses.replace(CONVERGED, **values)  # type: ignore[arg-type]


def with_peers(lines: str, key: str = "key") -> Vm:
    seeds = {"/etc/hosts": Seed(HOSTS_BEGIN + lines), "/root/.ssh/authorized_keys": Seed(key, 0o600)}
    return dataclasses.replace(VM, seeds={**VM.seeds, **seeds})


def domain(**values: str) -> Domain:
    return dataclasses.replace(RUNNING, **values)  # type: ignore[arg-type]


CASES = {
    "a machine that runs needs nothing": (CONVERGED, []),
    "so does one that KVM runs": (changed(domain=domain(accelerator="kvm")), []),
    "a new one is made, told who it is, defined and started": (Observed(), PREPARE + BOOT + DEFINE + START),
    "one that was not finished is begun anew": (
        changed(domain=None, image=None, plugged=False),
        PREPARE + BOOT + DEFINE + START,
    ),
    "one that is off is started": (changed(domain=domain(state="shut off"), plugged=False), START),
    "one that crashed is started": (changed(domain=domain(state="crashed"), plugged=False), START),
    "one that stands still for want of room is ended and started": (
        changed(domain=domain(state="paused")),
        STOP + START,
    ),
    "one whose tap was made anew is started on that": (changed(plugged=False), STOP + START),
    "one that is to have other files takes them at a start": (changed(initrd=b"older"), STOP + BOOT + START),
    "one that has a new neighbour is told, and tells itself at the next start": (
        changed(initrd=vm_seed.boot_file(b"initrd", with_peers(""))),
        [TELL, *BOOT],
    ),
    "one that has a new neighbour, and a new key, takes both at a start": (
        changed(initrd=vm_seed.boot_file(b"initrd", with_peers("", key="older"))),
        STOP + BOOT + START,
    ),
    "one that is off learns of a new neighbour when it starts": (
        changed(initrd=vm_seed.boot_file(b"initrd", with_peers("")), domain=domain(state="shut off"), plugged=False),
        BOOT + START,
    ),
    "one that is to be another is defined anew": (changed(domain=domain(digest="older")), STOP + DEFINE + START),
    "one that was undefined keeps its disk": (changed(domain=None, plugged=False), DEFINE + START),
    "one whose folder is gone is ended and begun anew": (
        changed(image=None, initrd=b""),
        STOP + PREPARE + BOOT + START,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_plan(case: str):
    observed, steps = CASES[case]
    assert [str(step) for step in vm_plan.plan(VM, observed, IMAGE, vm_domain.EMULATION)] == steps


def test_absent_stops_what_runs_and_leaves_nothing():
    running, off = Domain("reftopo.small.w1", "small", state="running"), Domain("reftopo.small.w2", "small")
    steps = vm_plan.plan_absent([running, off], ["/cache/nodes/small/w1"], ["/var/log/libvirt/qemu/w1.log"])
    assert [str(step) for step in steps] == [
        f"{VIRSH} destroy reftopo.small.w1",
        f"{VIRSH} undefine reftopo.small.w1",
        f"{VIRSH} undefine reftopo.small.w2",
        "rm --force /var/log/libvirt/qemu/w1.log",
        "rm --recursive --force --one-file-system /cache/nodes/small/w1",
    ]
    assert vm_plan.plan_absent([], [], []) == []


def test_secrets_are_not_shown():
    steps = vm_plan.plan(VM, Observed(), IMAGE, vm_domain.EMULATION)
    assert "key" not in repr(steps)
    assert {step.seed.mode for step in steps if isinstance(step, Write) and step.path != f"{FOLDER}/image"} == {0o600}
