# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done to make a node of a host that is there already, or to take that back: facts in, steps out.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import os
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._existing_model import (
    CONTAINERD,
    FOLDERS,
    HOLLOW,
    POD_NETNS,
    TRACES,
    UNITS,
    Desired,
    Observed,
    Source,
)
from ansible_collections.reftopo.lab.plugins.module_utils._existing_record import NEW, RECORD, Record
from ansible_collections.reftopo.lab.plugins.module_utils._existing_traces import TUNNEL, left_ipsets, made_by_plugin
from ansible_collections.reftopo.lab.plugins.module_utils._step import Step

KUBEADM, KUBELET = "/usr/bin/kubeadm", "/usr/bin/kubelet"
# What containerd reads once, when it starts.
OF_CONTAINERD = ("/usr/bin/containerd", "/etc/containerd/", f"{UNITS}/containerd", f"{UNITS}/node-setup")
OF_KUBELET = (KUBELET, f"{UNITS}/kubelet")
# Where mounts are those of containers, of the kubelet, of Calico or of node-setup.
MOUNTS = (*FOLDERS, "/proc/sys", "/run/netns", "/sys/fs/bpf")
BRIDGE_MODULE = "br_netfilter"


def record_of(observed: Observed, desired: Desired) -> Record:
    """The record with which the desired can be put there: all of it that is not there yet, or is by an earlier run."""
    old = observed.record or Record(desired.owner, observed.now)
    files = {path: tuple(digests) for path, digests in old.files.items()}
    for path in to_write(observed, desired):
        files[path] = tuple(dict.fromkeys((*files.get(path, ()), desired.files[path].sha256)))
    made = {folder for path in files for folder in parents(path) if not below(folder, FOLDERS)} - observed.folders
    return dataclasses.replace(
        old,
        files=files,
        folders=tuple(sorted({*old.folders, *made})),
        packages=tuple(sorted({*old.packages, *to_install(observed)})),
        units=tuple(sorted({*old.units, *desired.units})),
        links=tuple(sorted({*old.links, *desired.links})),
        networks=tuple(sorted({*old.networks, *desired.networks.values()})),
    )


def parents(path: str) -> t.Iterator[str]:
    """The folders that a file is in, without /."""
    while (path := os.path.dirname(path)) != "/":
        yield path


def below(path: str, folders: t.Iterable[str]) -> bool:
    """Whether it is one of the folders or in one."""
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def to_write(observed: Observed, desired: Desired) -> list[str]:
    """The files whose content is not there."""
    return [path for path, source in sorted(desired.files.items()) if observed.digests.get(path) != source.sha256]


def to_import(observed: Observed, desired: Desired) -> list[str]:
    """The images that containerd has not, or has of another archive. One that is stopped has what is recorded."""
    known = observed.record.images if observed.record else {}
    there = known if observed.images is None else observed.images
    return [name for name, one in sorted(desired.images.items()) if name not in there or known.get(name) != one.sha256]


def to_install(observed: Observed) -> list[str]:
    """All packages that would be installed, dependencies among them."""
    return [line.split()[1] for line in observed.simulated if line.startswith("Inst ")]


def lacking(observed: Observed, desired: Desired) -> list[Source]:
    """The contents that have to be brought to the host."""
    wanted = [desired.files[path] for path in to_write(observed, desired)]
    return wanted + [desired.images[name] for name in to_import(observed, desired)]


def plan_present(observed: Observed, desired: Desired) -> list[Step]:
    """The steps that make a node of the host; empty when nothing is to do."""
    written, packages = to_write(observed, desired), to_install(observed)
    steps = [] if record_of(observed, desired) == observed.record else [Step("record", RECORD)]
    steps += [Step("install", " ".join(sorted(packages)))] if packages else []
    steps += [Step("write", path) for path in written]
    steps += [Step("reload", "systemd")] if any(path.startswith(f"{UNITS}/") for path in written) else []
    steps += [Step("enable", name) for name in sorted(desired.units) if name not in observed.units]
    if CONTAINERD not in observed.active:
        steps.append(Step("start", CONTAINERD))
    elif any(path.startswith(OF_CONTAINERD) for path in written):
        steps.append(Step("restart", CONTAINERD))
    steps += [Step("import", name) for name in to_import(observed, desired)]
    # One that does not run yet is started by kubeadm.
    if "kubelet.service" in observed.active and any(path.startswith(OF_KUBELET) for path in written):
        steps.append(Step("restart", "kubelet.service"))
    return steps


def services(record: Record) -> list[str]:
    """The recorded units in the order in which they end: the kubelet before containerd, and what they need last."""
    files = (os.path.basename(path) for path in record.files if os.path.dirname(path) == UNITS)
    return list(dict.fromkeys([*sorted(record.units, reverse=True), *sorted(files)]))


def plan_end(observed: Observed) -> list[Step]:
    """The steps that end the node's programs, which change the kernel's state as long as they run."""
    record = observed.record
    if record is None:
        return []
    steps = [Step("reset", KUBEADM)] if KUBEADM in observed.digests and "/var/lib/kubelet" in observed.full else []
    steps += [Step("stop", name) for name in services(record) if name in observed.active]
    return steps + ([Step("end", "pods")] if observed.pods else [])


def plan_absent(observed: Observed) -> list[Step]:
    """The steps that take back what the record says, when nothing of it runs any more; empty where there is none."""
    record = observed.record
    if record is None:
        return []
    return [
        *(Step("disable", name) for name in record.units if name in observed.units),
        *_kernel_steps(observed, record),
        *_file_steps(observed, record),
        *_package_steps(observed, record),
        *_setting_steps(observed, record),
        Step("forget", RECORD),
    ]


def kept(observed: Observed) -> list[str]:
    """What was put there and stays, because it is not only ours any more: one sentence each."""
    if observed.record is None:
        return []
    told = [f"{path} stays: somebody changed what was put there" for path in _changed(observed, observed.record)]
    foreign = sorted(observed.purged - set(observed.record.packages))
    if foreign:
        told.append(f"the packages {' '.join(_added(observed))} stay: {' '.join(foreign)} would go with them")
    return told


def _kernel_steps(observed: Observed, record: Record) -> t.Iterator[Step]:
    """Mounts, the deepest and latest first, then links, routes, rules, and what rules ask."""
    for path in sorted(set(observed.now.mounts) - set(record.before.mounts), reverse=True):
        if below(path, MOUNTS):
            yield Step("unmount", path)
    if observed.now.shared and not record.before.shared:
        yield Step("unshare", "/")
    yield from (Step("unlink", name) for name in sorted(observed.links) if made_by_plugin(name, record.links))
    yield from (Step("unroute", route) for route in observed.routes)
    yield from (Step("nft", command) for command in observed.rules)
    yield from (Step("destroy", name) for name in left_ipsets(observed.now.ipsets, record.before.ipsets))
    addresses = [address for address in observed.now.tunnel if address not in record.before.tunnel]
    yield from (Step("unaddress", f"{address} dev {TUNNEL}") for address in addresses)
    if observed.now.tunnel_settings not in ("", record.before.tunnel_settings):
        yield Step("configure", f"{TUNNEL} {record.before.tunnel_settings or 'down'}")


def _file_steps(observed: Observed, record: Record) -> t.Iterator[Step]:
    changed = _changed(observed, record)
    files = [path for path in record.files if path in observed.digests and not below(path, FOLDERS)]
    yield from (Step("remove", path) for path in files if path not in changed)
    yield from (Step("remove", path + NEW) for path in record.files if path + NEW in observed.digests)
    if any(path.startswith(f"{UNITS}/") for path in files):
        yield Step("reload", "systemd")
    for path in (*FOLDERS, *TRACES):
        if path in observed.now.paths and path not in record.before.paths:
            yield Step("clear", path)
        elif path in observed.full and path in FOLDERS:
            yield Step("empty", path)
    for path, mode in record.before.modes.items():
        if observed.now.modes.get(path, mode) != mode:
            yield Step("chmod", f"{mode:o} {path}")
    new = [path for path in observed.now.paths if path not in record.before.paths]
    yield from (Step("remove", path) for path in new if fnmatch.fnmatchcase(path, POD_NETNS))
    yield from (Step("rmdir", path) for path in new if path in HOLLOW)
    # The folder of a file that stays is not empty, and stays with it.
    yield from (Step("rmdir", path) for path in sorted(record.folders, reverse=True) if path in observed.folders)


def _changed(observed: Observed, record: Record) -> list[str]:
    """The files that hold something else than what was put there."""
    mine = {path: digests for path, digests in record.files.items() if not below(path, FOLDERS)}
    return [
        path
        for path, digests in sorted(mine.items())
        if path in observed.digests and observed.digests[path] not in digests
    ]


def _added(observed: Observed) -> list[str]:
    record = observed.record
    return sorted(observed.packages & set(record.packages)) if record else []


def _package_steps(observed: Observed, record: Record) -> t.Iterator[Step]:
    added = _added(observed)
    if added and observed.purged <= set(record.packages):
        yield Step("purge", " ".join(added))


def _setting_steps(observed: Observed, record: Record) -> t.Iterator[Step]:
    if BRIDGE_MODULE in observed.now.modules and BRIDGE_MODULE not in record.before.modules:
        yield Step("unload", BRIDGE_MODULE)
    for name, value in record.before.sysctls.items():
        if observed.now.sysctls.get(name, value) != value:
            yield Step("set", f"{name}={value}")
