# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a machine's link state and carries out a plan: one process for each namespace, tool and direction.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass, replace
from itertools import groupby

from ansible_collections.reftopo.lab.plugins.module_utils import _link_render
from ansible_collections.reftopo.lab.plugins.module_utils._link_body import IPROUTE2, Step
from ansible_collections.reftopo.lab.plugins.module_utils._link_guard import Guard
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import (
    ROOT,
    LinkStateError,
    Problem,
    State,
    netns,
    split_mark,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_observe import (
    FAILED_LINE,
    observe_fdb,
    observe_nat,
    observe_rules,
    observe_sysctls,
    suppose_ageing,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_parse import (
    READ,
    READ_MAIN,
    READ_NEIGHBOURS,
    READ_RULES,
    parse,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_plan import conflicts, plan
from ansible_collections.reftopo.lab.plugins.module_utils._link_require import require
from ansible_collections.reftopo.lab.plugins.module_utils._link_sysctl import normalised

Run = t.Callable[..., tuple[int, str, str]]  # AnsibleModule.run_command

NETNS_FOLDER = "/run/netns"  # NETNS_RUN_DIR in iproute2's include/namespace.h
NFT_LINE = re.compile(r"^/dev/stdin:(\d+):", re.MULTILINE)
# The options by which a tool reads one command a line from standard input. nft carries out all or nothing.
TOOLS = {
    "ip": ["-batch", "-"],
    "ip -6": ["-batch", "-"],
    "bridge": ["-batch", "-"],
    "sysctl": ["-q", "-p", "-"],
    "nft": ["-f", "-"],
}
# By name, and by group (rtnl_group_dellink in net/core/rtnetlink.c returns ENODEV)
GONE = re.compile("Cannot find device|No such device")
NO_SESSION = Guard()


@dataclass(frozen=True)
class Result:
    """What a call found, what it did or would do, and what is there afterwards, in the format of the input."""

    before: dict[str, t.Any]
    after: dict[str, t.Any]
    commands: list[str]


def converge(run: Run, desired: State, check_mode: bool, guard: Guard = NO_SESSION) -> Result:
    """Bring the machine to the desired state and read it again; LinkStateError when something is in the way."""
    return bring(run, observe(run, desired.owner, wanted=desired), desired, check_mode, guard)


def bring(run: Run, current: State, desired: State, check_mode: bool, guard: Guard) -> Result:
    """As `converge`, from a state that was read already."""
    problems = conflicts(current, desired)
    if problems:
        raise LinkStateError("something else has the name, nothing was changed:", problems)
    require(run, current, desired)
    problems = guard.refusals(current, desired)
    if problems:
        raise LinkStateError("this machine might not be reached any more, nothing was changed:", problems)
    steps = plan(current, desired)
    if steps and not check_mode:
        apply(run, steps)
        verify(observe(run, desired.owner, wanted=desired), desired)
    before, after = _link_render.observed(current, desired), _link_render.wanted(desired)
    return Result(before, after, [str(step) for step in steps])


def verify(current: State, desired: State) -> None:
    """LinkStateError naming each attribute that is not as desired although every command succeeded."""
    left = plan(current, desired)
    if left:
        fix = "see what sets it otherwise (dmesg, other programs), then run again"
        problems = [Problem(step.path, f"is not as wanted, '{step}' is still to be done", fix) for step in left]
        raise LinkStateError("the kernel's state differs after all commands succeeded:", problems)


def observe(run: Run, owner: str, folder: str = NETNS_FOLDER, wanted: State | None = None) -> State:
    """The machine's own namespace and those of the owner, as they are now; of settings, only the `wanted` ones."""
    names = _namespace_files(owner, folder)
    dumps = {ROOT: _read(run, ROOT)}
    for name in names["namespace"]:
        dumps[name] = _read(run, netns(owner, name))
    state = observe_rules(run, observe_fdb(run, parse(owner, dumps)), wanted)
    if wanted:
        state = suppose_ageing(observe_sysctls(run, state, wanted), wanted)
    state = observe_nat(run, state, wanted)
    return replace(state, stale=tuple(names["stale"]), blocked=tuple(names["blocked"]))


def _namespace_files(owner: str, folder: str) -> dict[str, list[str]]:
    """The owner's names in the folder: namespaces, stale files, and what is neither."""
    names: dict[str, list[str]] = {"namespace": [], "stale": [], "blocked": []}
    if not os.path.isdir(folder):
        return names
    device = os.stat(folder).st_dev
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        holder, name = split_mark(entry.name) or ("", "")
        if holder == owner:
            # A namespace's name is a file with a mount on it, thus on another device.
            mounted = entry.stat(follow_symlinks=False).st_dev != device
            regular = entry.is_file(follow_symlinks=False)
            names["namespace" if mounted else "stale" if regular else "blocked"].append(name)
    return names


def _read(run: Run, namespace: str) -> str:
    questions = READ + (READ_RULES if namespace else READ_MAIN) + READ_NEIGHBOURS
    rc, out, err = run(_argv("ip", namespace, "-N", "-j", "-d"), data=questions)
    if rc != 0:
        where = f"namespace {namespace}" if namespace else "this machine"
        raise LinkStateError(f"cannot read the links of {where}: {err.strip()}")
    return out


def _argv(tool: str, namespace: str, *options: str) -> list[str]:
    if tool not in IPROUTE2:
        return [*(["ip", "netns", "exec", namespace] if namespace else []), tool, *TOOLS[tool]]
    return [*tool.split(), *(["-n", namespace] if namespace else []), *options, *TOOLS[tool]]


def apply(run: Run, steps: t.Sequence[Step]) -> None:
    """Run the steps; LinkStateError names the place in the input that the first failing one serves."""
    for (namespace, tool), batch in groupby(steps, key=lambda step: (step.netns, step.tool)):
        left = list(batch)
        while left:
            left = _batch(run, _argv(tool, namespace), left)


def _batch(run: Run, argv: list[str], steps: list[Step]) -> list[Step]:
    """Run one batch; return what is left to run after a link that was to be deleted turned out to be gone."""
    rc, _out, err = run(argv, data="".join(f"{step.command}\n" for step in steps))
    if rc == 0:
        return []
    number = _failed_line(err, steps)
    failed = steps[number - 1]
    if FAILED_LINE.search(err) and failed.may_be_gone and GONE.search(err):
        return steps[number:]
    said = FAILED_LINE.sub("", err).strip().replace("\n", " ")
    fix = "correct the input or what is in the way, and run again: it goes on from here"
    raise LinkStateError("a command failed:", [Problem(failed.path, f"'{failed}': {said}", fix)])


def _failed_line(err: str, steps: list[Step]) -> int:
    """Which line failed, counted from 1: ip and nft say its number, sysctl the setting's name."""
    line = FAILED_LINE.search(err) or NFT_LINE.search(err)
    if line:
        return int(line.group(1))
    said = {normalised(word.strip('":,').replace("/proc/sys/", "")) for word in err.split()}
    named = (number for number, step in enumerate(steps, 1) if step.command.partition("=")[0] in said)
    return next(named, 1)
