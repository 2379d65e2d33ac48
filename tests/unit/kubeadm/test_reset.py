# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes before a second attempt to join: kubeadm refuses the name of a node that is Ready."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _kubeadm_apply as apply
from ansible_collections.reftopo.lab.plugins.module_utils._kubeadm_plan import Desired

RESET = ["kubeadm reset --force"]
WITHDRAW = [
    "systemctl stop kubelet",
    "kubectl --kubeconfig={} --request-timeout=5s patch node w1 --subresource=status --patch=" + apply.NOT_READY,
]


@pytest.mark.parametrize(
    ("role", "joined", "expected"),
    [("worker", True, WITHDRAW + RESET), ("worker", False, RESET), ("control-plane", True, RESET)],
)
def test_reset(role: str, joined: bool, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    conf = tmp_path / "kubelet.conf"
    if joined:
        conf.touch()
    ran: list[str] = []

    def run(argv: list[str]) -> tuple[int, str, str]:
        ran.append(" ".join(argv))
        return (1 if "kubectl" in argv else 0), "", "refused: kubeadm itself will tell why"

    monkeypatch.setattr(apply, "KUBELET_CONF", str(conf))
    monkeypatch.setattr(apply.socket, "gethostname", lambda: "w1")
    apply.Applier(run, Desired(role, {}, {}, {}), "192.0.2.1:6443", 1)._reset("")
    assert ran == [line.replace("{}", str(conf)) for line in expected]
