# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One call of the module vagrant_box: look, plan, and do it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import glob
import json
import os
import time
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils import _vm_libvirt as libvirt
from ansible_collections.reftopo.lab.plugins.module_utils._existing_record import Before
from ansible_collections.reftopo.lab.plugins.module_utils._existing_rules import chains, removal, tables
from ansible_collections.reftopo.lab.plugins.module_utils._file import read_text, write_whole
from ansible_collections.reftopo.lab.plugins.module_utils._node_apply import apply_step
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner
from ansible_collections.reftopo.lab.plugins.module_utils._vagrant_box import (
    BOOT,
    CATALOG,
    MARK,
    POOL_FILE,
    Box,
    Observed,
    plan,
    plan_absent,
)
from ansible_collections.reftopo.lab.plugins.module_utils._vm_domain import definitions
from ansible_collections.reftopo.lab.plugins.module_utils._vm_observe import accelerator, observe_image
from ansible_collections.reftopo.lab.plugins.module_utils._vm_plan import LOGS, VIRSH

# libvirt's rules for its networks are in chains that it makes with the first network and keeps. Where its daemon was
# started here, they go with it.
CHAINS = ("LIBVIRT_",)
START = "start libvirt's daemons"
RULESET = ["nft", "-j", "list", "ruleset"]
# What libvirt leaves of a network or a machine that is gone.
NOTES = (f"/run/libvirt/network/{MARK}*", f"{LOGS}/{MARK}*.log*")

Result = dict[str, t.Any]


def present(params: t.Mapping[str, t.Any], runner: Runner, check_mode: bool) -> Result:
    """Make the box and what it needs of libvirt; the module's result.

    Raises:
        NodeError: there is no image, or a step failed.
    """
    image = observe_image(params["image"])
    if not image.initrd:
        raise NodeError(f"image: {image.path} is no image of virtual machines. Run the role reftopo.lab.vm_image.")
    box = Box(params["cache"], image, accelerator(runner, image))
    starts = [START] if libvirt.silence(runner) else []
    if not check_mode:
        _start_daemon(runner)
    observed = _observe(box, runner)
    version = observed.version or time.strftime("%Y%m%d.%H%M%S", time.gmtime())
    steps = plan(box, observed, version)
    if not check_mode:
        for step in steps:
            apply_step(runner, step)
    told = {"path": os.path.join(box.folder, CATALOG), "version": version, "driver": box.driver}
    return {**_result([*starts, *steps], runner), **told}


def absent(runner: Runner, check_mode: bool) -> Result:
    """Take everything away of libvirt's but the daemon of a host with an init system; the module's result.

    Raises:
        NodeError: a machine is still there, or a step failed.
    """
    machines = [domain.name for domain in definitions() if domain.name.startswith(MARK)]
    if machines:
        raise NodeError(f"{', '.join(machines)}: still there. Destroy them first: TOPOLOGY=… vagrant destroy --force")
    if os.path.exists(POOL_FILE) and not check_mode:
        libvirt.ensure(runner)
    files = [path for pattern in (f"{BOOT}/{MARK}-*", *NOTES) for path in sorted(glob.glob(pattern))]
    steps = plan_absent(_pool(runner), files)
    if not check_mode:
        for step in steps:
            apply_step(runner, step)
        _stop_daemon(runner)
    return _result(steps, runner)


def _result(steps: t.Sequence[t.Any], runner: Runner) -> Result:
    commands = [str(step) for step in steps]
    diff = {"before": "", "after": "".join(f"{command}\n" for command in commands)} if commands else {}
    return {"changed": bool(commands or runner.commands), "commands": commands, "diff": diff}


def _observe(box: Box, runner: Runner) -> Observed:
    text = read_text(os.path.join(box.folder, CATALOG))
    version = json.loads(text)["versions"][0]["version"] if text else ""
    pool = _pool(runner)
    return Observed(version, os.path.exists(box.kernel) and _holds(box), pool.defined, pool.active)


def _holds(box: Box) -> bool:
    """Whether the initrd is what it must be; it is written last."""
    try:
        with open(box.initrd, "rb") as stream:
            return stream.read() == box.boot_file()
    except FileNotFoundError:
        return False


def _pool(runner: Runner) -> Observed:
    """Of the pool: a definition is a file. What is active the daemon knows alone, with which the pool starts."""
    defined = os.path.exists(POOL_FILE)
    active = defined if libvirt.silence(runner) else MARK in runner.read([*VIRSH, "pool-list", "--name"]).split()
    return Observed(defined=defined, active=active)


def _start_daemon(runner: Runner) -> None:
    if not os.path.isdir(libvirt.SYSTEMD) and not os.path.exists(libvirt.FOR_VAGRANT):
        ruleset = _ruleset(runner)
        write_whole(libvirt.FOR_VAGRANT, json.dumps({"tables": tables(ruleset), "chains": chains(ruleset)}))
    libvirt.ensure(runner)


def _stop_daemon(runner: Runner) -> None:
    """End the daemon where it was started for machines of ours, and there are none; then what it keeps."""
    before = read_text(libvirt.FOR_VAGRANT)
    if before is None:
        return
    os.remove(libvirt.FOR_VAGRANT)
    if not definitions():
        libvirt.stop()
    if libvirt.silence(runner):
        commands = removal(_ruleset(runner), Before(**json.loads(before)), begin=CHAINS, own=())
        if commands:
            runner.change(["nft", "-f", "-"], data="\n".join(commands))


def _ruleset(runner: Runner) -> Result:
    return json.loads(runner.read(RULESET) or "{}")
