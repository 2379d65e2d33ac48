# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be done to make this machine a member of a kubeadm cluster: facts in, steps out.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.reftopo.lab.plugins.module_utils._settings import drift

DIRECTORY = "/etc/kubernetes/reftopo"
CONFIG = f"{DIRECTORY}/kubeadm.yaml"
MANIFESTS = f"{DIRECTORY}/manifests"
# Written last. A machine that has kubeadm's files but not this one was interrupted half way.
RECORD = f"{DIRECTORY}/member.json"
# The settings that are not kubeadm's but of manifests, which can be applied again: kube-proxy's.
CHANGEABLE = ("proxy_mode", "proxy_modes", "proxy_scheduler")
# Modes of which kube-proxy does not clear away the one when it starts in the other, since both use iptables: see
# platformCleanup in kubernetes, cmd/kube-proxy/app/server_linux.go.
BOTH_BY_IPTABLES = {"iptables", "ipvs"}


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
        """The files that are applied to the cluster."""
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


@dataclass(frozen=True)
class Step:
    """One thing to do; ``action`` is reset, write, init, join, start, apply or record."""

    action: str
    subject: str


def refuse_drift(observed: Observed, desired: Desired) -> None:
    """kubeadm applies its configuration once: a change that would silently do nothing is refused."""
    if observed.record is None:
        return
    problems = drift("the cluster", _lasting(observed.record), _lasting(desired.settings))
    if not problems and observed.files.get(CONFIG) != desired.contents()[CONFIG]:
        problems = [f"{CONFIG}: differs from the file this member was built with"]
    if problems:
        raise KubeadmError(
            "\n".join(problems)
            + "\nkubeadm does not change a running cluster: destroy the topology and build it again,"
            " or put the old values back."
        )
    refuse_switch(observed.record, desired.settings)


def _lasting(settings: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {key: value for key, value in settings.items() if key not in CHANGEABLE}


def refuse_switch(record: t.Mapping[str, t.Any], settings: t.Mapping[str, t.Any]) -> None:
    """A change of kube-proxy's mode that would leave the old mode's rules behind is refused."""
    was, wanted = record.get("proxy_modes", {}), settings.get("proxy_modes", {})
    problems = [
        f"proxy_modes.{node}: the node is in mode {was[node]!r}, the topology says {mode!r}"
        for node, mode in wanted.items()
        if {was.get(node), mode} == BOTH_BY_IPTABLES
    ]
    if problems:
        raise KubeadmError(
            "\n".join(problems) + "\nkube-proxy clears neither of these modes away when it starts in the other:"
            " run with 'nftables' in between, or put the old values back."
        )


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
    if observed.record != desired.settings:
        steps.append(Step("record", RECORD))
    return steps
