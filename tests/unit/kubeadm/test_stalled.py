# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeadm on a machine that boots, or whose disk stalls: what it finds at first, before it makes anything."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _kubeadm_apply as apply
from ansible_collections.reftopo.lab.plugins.module_utils._kubeadm_plan import Desired, KubeadmError

CRI = '\t[ERROR CRI]: CRI v1 runtime API for endpoint "unix:///run/containerd/containerd.sock": rpc error: code = '
STALLED = f"{CRI}DeadlineExceeded desc = context deadline exceeded"
LASTING = {
    "a containerd that does not run": f"{CRI}Unavailable desc = connection refused",
    "a port that is taken": "\t[ERROR Port-6443]: Port 6443 is in use",
}
CONTAINERD = "systemctl start containerd"
WORDS = {"_init": "init", "_join": "join"}


class Machine:
    """Where kubeadm fails with the first of these texts, then with the next; then it works."""

    def __init__(self, *texts: str, containerd: int = 0) -> None:
        self.texts, self.containerd, self.done = list(texts), containerd, []

    def run(self, argv: list[str], **dummy: object) -> tuple[int, str, str]:
        self.done.append(" ".join(argv[:3]))
        if argv[0] == "systemctl":
            return self.containerd, "", ""
        return (1, "", self.texts.pop(0)) if self.texts else (0, "", "")


def applier(machine: Machine, monkeypatch: pytest.MonkeyPatch, timeout: int = 60) -> apply.Applier:
    monkeypatch.setattr(apply.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(apply.Applier, "wait_for", lambda *_path: None)
    return apply.Applier(machine.run, Desired("worker", {}, {}, {}), "192.0.2.1:6443", timeout)


@pytest.mark.parametrize("step", WORDS)
def test_a_containerd_that_stalls_is_asked_again(step: str, monkeypatch: pytest.MonkeyPatch):
    machine = Machine(STALLED, STALLED)
    getattr(applier(machine, monkeypatch), step)("kubeadm.yaml")
    assert machine.done == [CONTAINERD, *[f"kubeadm {WORDS[step]} --config"] * 3]


@pytest.mark.parametrize("step", WORDS)
def test_without_containerd_kubeadm_does_not_run(step: str, monkeypatch: pytest.MonkeyPatch):
    machine = Machine(containerd=1)
    with pytest.raises(KubeadmError, match=CONTAINERD):
        getattr(applier(machine, monkeypatch), step)("kubeadm.yaml")
    assert machine.done == [CONTAINERD]


@pytest.mark.parametrize("case", LASTING)
@pytest.mark.parametrize("step", WORDS)
def test_what_lasts_is_told_at_once(step: str, case: str, monkeypatch: pytest.MonkeyPatch):
    machine = Machine(LASTING[case])
    with pytest.raises(KubeadmError, match=r"ERROR"):
        getattr(applier(machine, monkeypatch), step)("kubeadm.yaml")
    assert machine.done == [CONTAINERD, f"kubeadm {WORDS[step]} --config"]


def test_a_stall_without_end_is_told_in_time(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(KubeadmError, match="DeadlineExceeded"):
        applier(Machine(STALLED), monkeypatch, timeout=-1)._init("kubeadm.yaml")
