# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what virtual machine nodes are: libvirt's domains, folders, taps, and what this host accelerates.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import glob
import os
import re
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._file import read_text
from ansible_collections.reftopo.lab.plugins.module_utils._node_plan import IMAGE_MARK
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner
from ansible_collections.reftopo.lab.plugins.module_utils._vm_domain import EMULATION, KVM, definitions
from ansible_collections.reftopo.lab.plugins.module_utils._vm_image import COMMAND_LINE, load_vm_image
from ansible_collections.reftopo.lab.plugins.module_utils._vm_model import Domain, Observed, Vm
from ansible_collections.reftopo.lab.plugins.module_utils._vm_plan import LOGS, VIRSH, VmImage

TRIAL = 10  # seconds; a guest that KVM runs is through in one
ENDED = "Kernel panic"  # how a kernel without a root file system ends


def observe_domains(runner: Runner) -> dict[str, Domain]:
    """All domains of libvirt's system connection by name, those of others included."""
    found = {domain.name: domain for domain in definitions()}
    states = parse_states(_states(runner)) if found else {}
    return {name: dataclasses.replace(domain, state=states.get(name, domain.state)) for name, domain in found.items()}


def _states(runner: Runner) -> str:
    """What virsh lists; nothing where libvirt is not installed, or its daemon has not been started yet."""
    try:
        return runner.read([*VIRSH, "list", "--all"])
    except NodeError:
        return ""


def parse_states(text: str) -> dict[str, str]:
    """State by name, from ``virsh list --all``: lines of a number or a dash, a name and a state of one or two words."""
    found = (re.match(r"\s*(?:\d+|-)\s+(\S+)\s+(\S.*?)\s*$", line) for line in text.splitlines())
    return {match.group(1): match.group(2) for match in found if match}


def observe_vm(vm: Vm, domains: t.Mapping[str, Domain]) -> Observed:
    """A node as it is."""
    return Observed(
        domain=domains.get(vm.domain),
        image=read_text(os.path.join(vm.folder, IMAGE_MARK)),
        initrd=_read(vm.initrd),
        plugged=all(_carrier(nic.tap) for nic in vm.nics),
    )


def _carrier(tap: str) -> bool:
    """Whether a program has a tap open: without one a tap has no carrier (drivers/net/tun.c)."""
    try:
        return read_text(f"/sys/class/net/{tap}/carrier") == "1\n"
    except OSError:
        return False


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return b""


def observe_image(path: str) -> VmImage:
    """What machines boot from; where it is not there, all but the folder's name is empty.

    Raises:
        NodeError: its files are not those that were made.
    """
    load_vm_image(path)
    return VmImage(path, os.path.basename(path), COMMAND_LINE, _read(os.path.join(path, "initrd")))


def accelerator(runner: Runner, image: VmImage) -> str:
    """How this host runs machines: by KVM if a guest that uses it gets to its end, else by emulation.

    The device /dev/kvm alone tells little: it is there where nested virtualisation does not work, too.
    """
    argv = ["timeout", str(TRIAL), "qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-m", "256"]
    argv += ["-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio"]
    argv += ["-kernel", image.kernel, "-append", "console=ttyS0 panic=-1"]
    try:
        return KVM if ENDED in runner.read(argv) else EMULATION
    except NodeError:
        return EMULATION


def logs(domains: t.Iterable[str]) -> list[str]:
    """What libvirt keeps of what QEMU said for these domains."""
    return [path for name in domains for path in sorted(glob.glob(f"{LOGS}/{glob.escape(name)}.log*"))]
