# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Observe, plan, apply, observe again: the virtual machine nodes of one topology.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import glob
import os
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils import _vm_libvirt as libvirt
from ansible_collections.reftopo.lab.plugins.module_utils._file import read_text
from ansible_collections.reftopo.lab.plugins.module_utils._node_apply import apply, apply_step, wait_for_ssh
from ansible_collections.reftopo.lab.plugins.module_utils._node_common import (
    Result,
    leaving,
    node_files,
    own_nodes,
    result,
)
from ansible_collections.reftopo.lab.plugins.module_utils._node_keys import KNOWN_HOSTS, USER_KEY
from ansible_collections.reftopo.lab.plugins.module_utils._node_model import Seed, container_name
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner
from ansible_collections.reftopo.lab.plugins.module_utils._vm_domain import definitions
from ansible_collections.reftopo.lab.plugins.module_utils._vm_image_digest import damaged
from ansible_collections.reftopo.lab.plugins.module_utils._vm_model import RUNNING, SIZE, SIZES, Nic, Observed, Vm
from ansible_collections.reftopo.lab.plugins.module_utils._vm_observe import (
    accelerator,
    logs,
    observe_domains,
    observe_image,
    observe_vm,
)
from ansible_collections.reftopo.lab.plugins.module_utils._vm_plan import (
    VmImage,
    conflicts,
    plan,
    plan_absent,
    prerequisites,
)

CONSOLE_LINES = 30


def wanted_vms(params: t.Mapping[str, t.Any]) -> dict[str, Vm]:
    """The virtual machines among the nodes of the module's parameters.

    Raises:
        NodeError: a node lacks a key.
    """
    own, files = own_nodes(params, "vm", ("address", "interfaces")), node_files(params)
    return {
        name: Vm(
            name=name,
            domain=container_name(params["owner"], name),
            owner=params["owner"],
            address=node["address"],
            folder=os.path.join(params["cache"], "nodes", params["owner"], name),
            size=SIZES.get(node.get("role", ""), SIZE),
            nics=tuple(_nic(*interface) for interface in node["interfaces"].items()),
            seeds={**files, "/etc/hostname": Seed(f"{name}\n")},
            router=node.get("router", ""),
            login=_login(params["state_dir"], node["address"]),
        )
        for name, node in own.items()
    }


def _login(keys: str, address: str) -> tuple[str, ...]:
    settings = ("BatchMode=yes", "IdentitiesOnly=yes", f"UserKnownHostsFile={keys}/{KNOWN_HOSTS}")
    options = (word for setting in settings for word in ("-o", setting))
    return ("ssh", "-F", "none", "-i", f"{keys}/{USER_KEY}", *options, f"root@{address}")


def _nic(name: str, interface: t.Mapping[str, t.Any]) -> Nic:
    return Nic(name, interface["peer"], interface["mac"], interface["address"], interface["mtu"])


def converge_present(params: t.Mapping[str, t.Any], runner: Runner, check_mode: bool) -> Result:
    """Make the machines run, and wait until SSH answers on all of them.

    Raises:
        NodeError: something is in the way, something is missing, a step failed, or SSH does not answer.
    """
    vms, image = wanted_vms(params), observe_image(params["image"])
    if not check_mode:
        _ask_daemon(params["owner"], runner)
    observed = _observe(vms, runner)
    problems = conflicts(vms, observed, image)
    if not check_mode:
        problems += prerequisites(vms, image)
    if problems:
        raise NodeError("\n".join(problems))
    kind = _accelerator(observed, image, runner)
    plans = {name: plan(vm, observed[name], image, kind) for name, vm in vms.items()}
    commands = [str(step) for steps in plans.values() for step in steps]
    before = _describe(observed)
    after = {name: {"domain": RUNNING, "image": image.key, "accelerator": kind} for name in vms} if commands else before
    if not check_mode:
        if commands:
            libvirt.ensure(runner)
            apply(runner, plans)
        addresses = {name: vm.address for name, vm in vms.items()}
        wait_for_ssh(addresses, params["timeout"], lambda name: console(runner, vms[name]) + damaged(image.path))
        after = _describe(_observe(vms, runner)) if commands else before
    return result(commands, before, after)


def _ask_daemon(owner: str, runner: Runner) -> None:
    """Let libvirt's daemon tell how the topology's machines are: they may run while it does not."""
    if any(domain.owner == owner for domain in definitions()):
        libvirt.ensure(runner)


def _accelerator(observed: t.Mapping[str, Observed], image: VmImage, runner: Runner) -> str:
    """How machines run here; what is defined already was tried then."""
    kinds = {vm.domain.accelerator for vm in observed.values() if vm.domain}
    return kinds.pop() if kinds else accelerator(runner, image)


def _observe(vms: t.Mapping[str, Vm], runner: Runner) -> dict[str, Observed]:
    domains = observe_domains(runner)
    return {name: observe_vm(vm, domains) for name, vm in vms.items()}


def _describe(observed: t.Mapping[str, Observed]) -> Result:
    return {name: vm.describe() for name, vm in observed.items()}


def console(runner: Runner, vm: Vm) -> str:
    """What libvirt says of a machine, the end of what it wrote to its console, and where to look further."""
    state = observe_domains(runner).get(vm.domain)
    lines = (read_text(vm.console) or "nothing").splitlines()[-CONSOLE_LINES:]
    return (
        f"libvirt says that it is {state.state if state else 'not there'}. The end of its console, {vm.console}:\n"
        + "\n".join(lines)
        + f"\nLook further: virsh --connect qemu:///system console {vm.domain}"
    )


def converge_absent(params: t.Mapping[str, t.Any], runner: Runner, check_mode: bool) -> Result:
    """Remove whatever carries the topology's mark, or what of it is some nodes'.

    With the last machine of all goes the daemon that was started for it.

    Raises:
        NodeError: a step failed.
    """
    if not check_mode:
        _ask_daemon(params["owner"], runner)
    domains, goes = observe_domains(runner), leaving(params)
    own = [domain for domain in domains.values() if domain.owner == params["owner"] and goes(domain.name)]
    pattern = os.path.join(glob.escape(params["cache"]), "nodes", params["owner"], "*", "disk.qcow2")
    found = [os.path.dirname(path) for path in sorted(glob.glob(pattern))]
    folders = [path for path in found if goes(container_name(params["owner"], os.path.basename(path)))]
    steps = plan_absent(own, folders, logs(domain.name for domain in own))
    if not check_mode:
        for step in steps:
            apply_step(runner, step)
        if len(own) == len(domains):
            libvirt.stop()
    before = {"domains": sorted(domain.name for domain in own), "folders": folders}
    return result([str(step) for step in steps], before, {"domains": [], "folders": []})
