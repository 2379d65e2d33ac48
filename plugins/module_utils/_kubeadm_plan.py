# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be done to make this machine a member of a kubeadm cluster: facts in, steps out.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import plugin_of
from ansible_collections.reftopo.lab.plugins.module_utils._settings import Change, changes, told
from ansible_collections.reftopo.lab.plugins.module_utils._step import Step

DIRECTORY = "/etc/kubernetes/reftopo"
CONFIG = f"{DIRECTORY}/kubeadm.yaml"
MANIFESTS = f"{DIRECTORY}/manifests"
# One that kubectl builds, of what it names, and gives to the cluster in the same go.
KUSTOMIZATION = "kustomization.yaml"
# Written last. A machine that has kubeadm's files but not this one was interrupted half way.
RECORD = f"{DIRECTORY}/member.json"
# The settings that are not kubeadm's but of manifests, which can be applied again: kube-proxy's.
CHANGEABLE = ("proxy_mode", "proxy_modes", "proxy_scheduler")
# What is in CoreDNS' Corefile, which is written again for as long as the topology says something of it.
DNS = "dns"
# Modes of which kube-proxy does not clear away the one when it starts in the other, since both use iptables: see
# platformCleanup in kubernetes, cmd/kube-proxy/app/server_linux.go.
BOTH_BY_IPTABLES = {"iptables", "ipvs"}
NOT_CLEARED = (
    "kube-proxy clears neither of these modes away when it starts in the other: run with 'nftables' in between"
)
# Who else is a member changes while the cluster lives, and is nothing that kubeadm configures.
MEMBERS = "workers"
# What makes a backend of the pod network, which a running cluster can change.
BACKEND = {f"cni.{key}" for key in ("backend", "mtu", "port", "vni")}
DERIVED = {"cni.device", "cni.overhead"}  # from these


class KubeadmError(Exception):
    """The one error of this module; its text says what is wrong, where, and what to do."""


@dataclass(frozen=True)
class Desired:
    """What the machine is to be. ``files`` and ``secrets`` map absolute paths to contents."""

    role: str
    settings: t.Mapping[str, t.Any]
    files: t.Mapping[str, str]
    secrets: t.Mapping[str, str]

    def contents(self) -> dict[str, str]:
        """All files to write, secret or not."""
        return {**self.files, **self.secrets}

    def manifests(self) -> list[str]:
        """The files that are applied to the cluster, kustomizations included."""
        return sorted(path for path in self.files if path.startswith(f"{MANIFESTS}/"))


@dataclass(frozen=True)
class Observed:
    """What the machine is.

    ``record`` is the settings that it joined with (None: not a member), ``leftovers`` the files of kubeadm that an
    interrupted run left, ``manifests_differ`` what ``kubectl diff`` said (None: the API could not be asked).
    """

    record: dict[str, t.Any] | None = None
    leftovers: bool = False
    kubelet_active: bool = False
    files: dict[str, str] = field(default_factory=dict)
    manifests_differ: bool | None = None


def cluster_changes(record: t.Mapping[str, t.Any], settings: t.Mapping[str, t.Any]) -> list[Change]:
    """Settings that differ from those the cluster was built with; one that is off is as good as none."""
    both = ({key: value for key, value in one.items() if key != MEMBERS} for one in (record, settings))
    found = [(path, was or None, wanted or None) for path, was, wanted in changes(*both) if path not in DERIVED]
    # A node that comes or goes has its mode of kube-proxy with it.
    come_or_gone = {path for path, *values in found if head(path) == "proxy_modes" and None in values}
    return [change for change in found if change[1] != change[2] and change[0] not in come_or_gone]


def switched(record: t.Mapping[str, t.Any], settings: t.Mapping[str, t.Any]) -> list[Change]:
    """Of these, those of another backend. The underlay's MTU is none of them, though that of pods comes of both.

    Not from or to direct routing: which entries of the device are left over hangs on the segments of both nodes.
    """
    then, now = (one.get("cni", {}) for one in (record, settings))
    known = then.get("name") == now.get("name") and "backend" in then and "backend" in now
    if not known or not plugin_of(now).switched or then.get("direct_routing") or now.get("direct_routing"):
        return []
    other_underlay = then["mtu"] + then["overhead"] != now["mtu"] + now["overhead"]
    refused = {"cni.mtu"} if other_underlay else set()
    return [change for change in cluster_changes(record, settings) if change[0] in BACKEND - refused]


def refuse_drift(observed: Observed, desired: Desired) -> None:
    """kubeadm applies its configuration once: a change that would silently do nothing is refused."""
    if observed.record is None:
        return
    both = observed.record, desired.settings
    kept = switched(*both)
    changeable = (*CHANGEABLE, *([DNS] if DNS in desired.settings else []))
    lasting = (change for change in cluster_changes(*both) if change not in kept and head(change[0]) not in changeable)
    problems = told("the cluster", lasting)
    if not problems and observed.files.get(CONFIG) != desired.contents()[CONFIG]:
        problems = [f"{CONFIG}: differs from the file this member was built with"]
    if problems:
        raise KubeadmError(
            "\n".join(problems)
            + "\nkubeadm does not change a running cluster: destroy the topology and build it again,"
            " or put the old values back."
        )
    refuse_switch(observed.record, desired.settings)


def head(path: str) -> str:
    """The setting that a dotted path is in."""
    return path.partition(".")[0]


def refuse_switch(record: t.Mapping[str, t.Any], settings: t.Mapping[str, t.Any]) -> None:
    """A change of kube-proxy's mode that would leave the old mode's rules behind is refused."""
    problems = [
        f"{path}: the node is in mode {was!r}, the topology says {mode!r}"
        for path, was, mode in cluster_changes(record, settings)
        if not_cleared((path, was, mode))
    ]
    if problems:
        raise KubeadmError("\n".join(problems) + f"\n{NOT_CLEARED}, or put the old values back.")


def not_cleared(change: Change) -> bool:
    """Whether it is one between modes of which kube-proxy does not clear the one away when it starts in the other."""
    path, *modes = change
    return head(path) == "proxy_modes" and set(modes) == BOTH_BY_IPTABLES


def plan(observed: Observed, desired: Desired) -> list[Step]:
    """The steps from ``observed`` to ``desired``, in order; empty when nothing is to do.

    Raises:
        KubeadmError: the machine is a member with other settings that cannot be changed.
    """
    refuse_drift(observed, desired)
    member = observed.record is not None
    steps: list[Step] = []
    if observed.leftovers and not member:
        steps.append(Step("reset", "an interrupted run"))
    kept = {} if steps else observed.files
    steps += [Step("write", path) for path, content in sorted(desired.contents().items()) if kept.get(path) != content]
    if not member:
        steps.append(Step("init" if desired.role == "control-plane" else "join", CONFIG))
    elif not observed.kubelet_active:
        steps.append(Step("start", "kubelet"))
    written = {step.subject for step in steps if step.action == "write"}
    if desired.manifests() and (written & set(desired.manifests()) or observed.manifests_differ is not False):
        steps.append(Step("apply", MANIFESTS))
    if member and (other := switched(observed.record or {}, desired.settings)):
        steps.append(Step("switch", "; ".join(f"{path} from {was!r} to {wanted!r}" for path, was, wanted in other)))
    if not member or cluster_changes(observed.record or {}, desired.settings):
        steps.append(Step("record", RECORD))
    return steps
