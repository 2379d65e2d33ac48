# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a machine's membership in a kubeadm cluster, and carries out the steps of a plan.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import re
import socket
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.urls import open_url
from ansible_collections.reftopo.lab.plugins.module_utils import _cni_switch
from ansible_collections.reftopo.lab.plugins.module_utils._file import read_text, write_whole
from ansible_collections.reftopo.lab.plugins.module_utils._kubeadm_ask import wait
from ansible_collections.reftopo.lab.plugins.module_utils._kubeadm_manifests import (
    EARLY_KUBECONFIG,
    LACKING,
    PASSING,
    READY,
    Run,
    manifest_calls,
    manifests_differ,
)
from ansible_collections.reftopo.lab.plugins.module_utils._kubeadm_plan import (
    CONFIG,
    MANIFESTS,
    RECORD,
    Desired,
    KubeadmError,
    Observed,
)
from ansible_collections.reftopo.lab.plugins.module_utils._step import Step

# Files that `kubeadm init` and `join` leave when they are interrupted
LEFTOVERS = (
    "/etc/kubernetes/admin.conf",
    "/etc/kubernetes/bootstrap-kubelet.conf",
    "/etc/kubernetes/kubelet.conf",
    "/etc/kubernetes/manifests/kube-apiserver.yaml",
    "/etc/kubernetes/pki/ca.crt",
    "/var/lib/kubelet/config.yaml",
)
# What kubeadm says, before it makes anything, of a containerd that does not answer while a disk stalls (its preflight).
STALLED = re.compile(r"\[ERROR CRI\].*DeadlineExceeded")
# A machine that boots answers SSH before its containerd runs. systemctl(1) waits for a start that is under way.
RUN_CONTAINERD = ["systemctl", "start", "containerd"]
POLL_INTERVAL = 0.2  # seconds
KUBEADM = "/usr/bin/kubeadm"
# What the kubelet shows the API: its certificate and key, and the authority that it trusts.
KUBELET_CERTIFICATE = "/var/lib/kubelet/pki/kubelet-client-current.pem"
AUTHORITY = "/etc/kubernetes/pki/ca.crt"
NOT_READY = (
    '{"status":{"conditions":[{"type":"Ready","status":"False","reason":"Interrupted","message":"joins again"}]}}'
)
ROLLED_OUT = ("--namespace=kube-flannel", "rollout", "status", "daemonset/flannel")


def observe(run: Run, desired: Desired, wait_for: t.Callable[[str], None]) -> Observed:
    """Facts about this machine, for ``plan``.

    Args:
        wait_for: waits until a path of the API answers; that of a node which was just started takes some seconds.
    """
    record = read_text(RECORD)
    active = run(["systemctl", "is-active", "--quiet", "kubelet"])[0] == 0
    contents = {path: read_text(path) for path in desired.contents()}
    return Observed(
        record=json.loads(record) if record else None,
        leftovers=any(os.path.exists(path) for path in LEFTOVERS),
        kubelet_active=active,
        files={path: content for path, content in contents.items() if content is not None},
        manifests_differ=manifests_differ(run, desired, wait_for) if record and active else None,
    )


class Applier:
    """Carries out steps. ``endpoint`` is the API server's host:port, ``timeout`` seconds for the whole call."""

    def __init__(self, run: Run, desired: Desired, endpoint: str, timeout: int) -> None:
        self.run = run
        self.desired = desired
        self.endpoint = endpoint
        self.deadline = time.monotonic() + timeout
        self.commands: list[str] = []
        self.cancelled = threading.Event()

    @contextlib.contextmanager
    def alone(self, path: str = KUBEADM) -> t.Iterator[None]:
        """Wait for a call that still works on this machine, and keep others waiting.

        A killed playbook leaves its module and its kubeadm running on the node. The lock is kubeadm's own file, so
        nothing is left behind. It is handed to every command: the kernel releases it with the last of them (flock(2)).

        Raises:
            KubeadmError: there is no kubeadm, or the other call does not end in time.
        """
        try:
            lock = os.open(path, os.O_RDONLY)
        except FileNotFoundError as error:
            raise KubeadmError(f"{path} does not exist. The node image has it; is this machine a node?") from error
        with os.fdopen(lock):
            self._lock(lock)
            self.run = functools.partial(self.run, pass_fds=[lock])
            yield

    def _lock(self, lock: int) -> None:
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > self.deadline:
                    raise KubeadmError(
                        "another run still works on this machine. Wait for it, or end it: `fuser -v " + KUBEADM + "`"
                    ) from None
                time.sleep(POLL_INTERVAL)

    def apply(self, steps: list[Step]) -> None:
        """Do all steps; the last one records the membership or what changed of it.

        Raises:
            KubeadmError: a command failed or the API did not answer in time.
        """
        # The add-ons go in as soon as the API answers, while kubeadm still works on its last phases.
        overlap = Step("init", CONFIG) in steps and Step("apply", MANIFESTS) in steps
        for step in steps:
            if step.action == "init" and overlap:
                self._init_and_apply()
            elif not (step.action == "apply" and overlap):
                getattr(self, f"_{step.action}")(step.subject)

    def _record(self, path: str) -> None:
        write_whole(path, json.dumps(dict(self.desired.settings), indent=1, sort_keys=True) + "\n", 0o600)

    def _command(self, argv: list[str], given: str | None = None) -> str:
        self.commands.append(" ".join(argv))
        rc, stdout, stderr = self.run(argv, data=given)
        if rc != 0:
            tail = "\n".join((stdout + stderr).strip().splitlines()[-12:])
            raise KubeadmError(f"{' '.join(argv)} failed ({rc}):\n{tail}")
        return stdout

    def _reset(self, dummy: str) -> None:
        if self.desired.role == "worker" and os.path.exists(KUBELET_CERTIFICATE):
            self._withdraw()
        self._command(["kubeadm", "reset", "--force"])

    def _withdraw(self) -> None:
        """Say that this node is not Ready, as its kubelet may: it may change the status of its node, not read it.

        A join that was interrupted late leaves a kubelet that makes the node Ready, and kubeadm refuses to join under
        the name of a Ready node (cmd/kubeadm/app/cmd/phases/join/kubelet.go). Where this fails kubeadm tells why.
        """
        self._command(["systemctl", "stop", "kubelet"])
        url = f"https://{self.endpoint}/api/v1/nodes/{socket.gethostname()}/status"
        headers = {"Content-Type": "application/strategic-merge-patch+json"}
        shown = {"client_cert": KUBELET_CERTIFICATE, "ca_path": AUTHORITY}
        with contextlib.suppress(OSError):
            open_url(url, data=NOT_READY, headers=headers, method="PATCH", use_proxy=False, timeout=5, **shown).close()

    def _write(self, path: str) -> None:
        mode = 0o600 if path in self.desired.secrets else 0o644
        write_whole(path, self.desired.contents()[path], mode)

    def _init(self, config: str) -> None:
        self._command(RUN_CONTAINERD)
        self._patiently(["kubeadm", "init", "--config", config], STALLED)

    def _join(self, config: str) -> None:
        self._command(RUN_CONTAINERD)
        # kubeadm itself asks every 5 seconds (DiscoveryRetryInterval); asking here first saves most of that.
        self.wait_for("/api/v1/namespaces/kube-public/configmaps/cluster-info")
        self._patiently(["kubeadm", "join", "--config", config], STALLED)

    def _start(self, unit: str) -> None:
        self._command(["systemctl", "start", unit])
        if self.desired.role == "control-plane":
            self.wait_for(READY)

    def _apply(self, dummy: str) -> None:
        self.wait_for(READY)
        for command, given in manifest_calls("apply", self.desired, self.run):
            self._patiently(command, LACKING, PASSING, given=given)

    def _patiently(self, argv: list[str], *passing: re.Pattern[str], given: str | None = None) -> None:
        """Run a command, again while what it fails with passes: an object that is not there yet, a moment's load."""
        while True:
            try:
                self._command(argv, given)
                return
            except KubeadmError as error:
                passes = any(one.search(str(error)) for one in passing)
                if not passes or time.monotonic() > self.deadline or self.cancelled.is_set():
                    raise
                time.sleep(POLL_INTERVAL)

    def _switch(self, dummy: str) -> None:
        """Let the pod network's new backend take over."""
        if self.desired.role == "control-plane":
            timeout = f"--timeout={max(self.deadline - time.monotonic(), 1):.0f}s"
            self._command(["kubectl", "--kubeconfig", EARLY_KUBECONFIG, *ROLLED_OUT, timeout])
        _cni_switch.settle(self.run, self._command, self.desired.settings, self.deadline)

    def _init_and_apply(self) -> None:
        with ThreadPoolExecutor(max_workers=1) as pool:
            addons = pool.submit(self._apply, MANIFESTS)
            try:
                self._init(CONFIG)
            except KubeadmError:
                self.cancelled.set()
                raise
            addons.result()

    def wait_for(self, path: str) -> None:
        """Wait until an anonymous GET of ``path`` succeeds."""
        problem = wait(self.endpoint, path, lambda: time.monotonic() < self.deadline and not self.cancelled.is_set())
        if problem and not self.cancelled.is_set():
            raise KubeadmError(
                f"https://{self.endpoint}{path} did not answer in time; last: {problem}\n"
                "Look at `crictl ps -a` or `journalctl -u kubelet` on the control plane."
            )
