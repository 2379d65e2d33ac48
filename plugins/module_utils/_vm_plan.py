# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans of virtual machine nodes: facts in, steps out. Nothing here touches the host.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import os
import shlex
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._node_common import HOSTS
from ansible_collections.reftopo.lab.plugins.module_utils._node_model import Command, Seed, Step, Write
from ansible_collections.reftopo.lab.plugins.module_utils._node_plan import IMAGE_MARK
from ansible_collections.reftopo.lab.plugins.module_utils._vm_domain import NAMESPACE, definition, digest_of
from ansible_collections.reftopo.lab.plugins.module_utils._vm_model import RUNNING, Domain, Observed, Vm
from ansible_collections.reftopo.lab.plugins.module_utils._vm_seed import boot_file, differs_in_peers_alone

VIRSH = ("virsh", "--connect=qemu:///system", "--quiet")
LOGS = "/var/log/libvirt/qemu"  # where libvirt keeps what QEMU said, by the domain's name
INACTIVE = ("shut off", "crashed")


class VmImage(t.NamedTuple):
    """What machines boot from: its folder, key, kernel command line and initrd."""

    path: str
    key: str
    arguments: str
    initrd: bytes

    @property
    def kernel(self) -> str:
        """The uncompressed kernel."""
        return os.path.join(self.path, "vmlinux")

    @property
    def disk(self) -> str:
        """The disk that all machines read, and none writes."""
        return os.path.join(self.path, "disk.raw")


def conflicts(vms: t.Mapping[str, Vm], observed: t.Mapping[str, Observed], image: VmImage) -> list[str]:
    """What must not be touched, one sentence each."""
    problems = []
    for name, vm in vms.items():
        domain, made_from = observed[name].domain, observed[name].image
        if domain and domain.owner != vm.owner:
            problems.append(
                f"nodes.{name}: the libvirt domain {vm.domain} exists without the mark {NAMESPACE} of the topology "
                f"{vm.owner}, so it is not this topology's. Rename or remove it: virsh undefine {vm.domain}"
            )
        elif made_from not in (None, image.key):
            problems.append(
                f"nodes.{name}: {vm.folder} was made from the image {made_from}, the topology now wants {image.key}. "
                f"A node keeps its image for life. Start anew: ansible-playbook playbooks/destroy.yml "
                f"-e topology={vm.owner}, then run this again."
            )
    return problems


def prerequisites(vms: t.Mapping[str, Vm], image: VmImage) -> list[str]:
    """What must be there before the machines can start and is not, one sentence each."""
    problems = []
    if not image.initrd:
        problems.append(f"image: {image.path} is no image of virtual machines. Run the role reftopo.lab.vm_image.")
    for name, vm in vms.items():
        if not all(seed.content for seed in vm.seeds.values()):
            problems.append(f"nodes.{name}: its SSH keys do not exist. Run the module reftopo.lab.node_keys.")
        problems += [
            f"nodes.{name}: the tap {nic.tap} does not exist. Run the module reftopo.lab.link_state with the "
            "topology's link state."
            for nic in vm.nics
            if not os.path.isdir(f"/sys/class/net/{nic.tap}")
        ]
    return problems


def plan(vm: Vm, observed: Observed, image: VmImage, accelerator: str) -> list[Step]:
    """Steps that bring one node from what it is to what it must be.

    What a machine is made of it takes at its start. One that runs on something else is started again.
    """
    domain = observed.domain
    text = definition(vm, image.kernel, image.arguments, accelerator)
    initrd = boot_file(image.initrd, vm)
    prepare = [] if observed.image else _prepare(vm, image)
    boot: list[Step] = [] if not prepare and observed.initrd == initrd else [Write(vm.initrd, Seed(initrd, 0o600))]
    define: list[Step] = [] if domain and domain.digest == digest_of(text) else _define(vm, text)
    steps = [*prepare, *boot, *define]
    runs = domain and domain.state == RUNNING and observed.plugged
    if runs and not steps:
        return []
    if runs and steps == boot and differs_in_peers_alone(observed.initrd, image.initrd, vm):
        return [_tell_peers(vm), *boot]  # in this order: what it boots with says whether it was told
    return [*(_stop(domain) if domain else []), *steps, Command((*VIRSH, "start", vm.domain))]


def _tell_peers(vm: Vm) -> Command:
    """Write /etc/hosts on a machine that runs."""
    return Command((*vm.login, f"printf %s {shlex.quote(str(vm.seeds[HOSTS].content))} >{HOSTS}"))


def _stop(domain: Domain) -> list[Step]:
    return [] if domain.state in INACTIVE else [Command((*VIRSH, "destroy", domain.name))]


def _prepare(vm: Vm, image: VmImage) -> list[Step]:
    """Make the node's folder, with a disk that takes what is written and reads the rest from the image's.

    https://www.qemu.org/docs/master/tools/qemu-img.html
    """
    backing = ("-b", image.disk, "-F", "raw")
    return [
        Command(("rm", "--recursive", "--force", "--one-file-system", vm.folder)),
        Command(("mkdir", "--parents", vm.folder)),
        Command(("qemu-img", "create", "-q", "-f", "qcow2", *backing, vm.disk)),
        Write(os.path.join(vm.folder, IMAGE_MARK), Seed(image.key)),
    ]


def _define(vm: Vm, text: str) -> list[Step]:
    return [Write(vm.definition, Seed(text, 0o600)), Command((*VIRSH, "define", vm.definition))]


def plan_absent(domains: t.Sequence[Domain], folders: t.Sequence[str], logs: t.Sequence[str]) -> list[Step]:
    """Steps that remove a topology's domains, what libvirt wrote of them, and their folders."""
    steps: list[Step] = []
    for domain in domains:
        steps += [*_stop(domain), Command((*VIRSH, "undefine", domain.name))]
    steps += [Command(("rm", "--force", log)) for log in logs]
    steps += [Command(("rm", "--recursive", "--force", "--one-file-system", folder)) for folder in folders]
    return steps
