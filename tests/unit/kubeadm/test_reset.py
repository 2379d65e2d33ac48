# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes before a second attempt to join: kubeadm refuses the name of a node that is Ready."""

from __future__ import annotations

import io
import urllib.error
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _kubeadm_apply as apply
from ansible_collections.reftopo.lab.plugins.module_utils._kubeadm_plan import Desired

RESET = ["kubeadm reset --force"]
PATCH = "PATCH https://192.0.2.1:6443/api/v1/nodes/w1/status " + apply.NOT_READY
WITHDRAW = ["systemctl stop kubelet", PATCH]


CASES = {
    "a worker that got as far as a certificate": ("worker", True, WITHDRAW + RESET),
    "a worker that did not": ("worker", False, RESET),
    "a control plane, whose API goes with it": ("control-plane", True, RESET),
}


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_reset(case: str, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    role, joined, expected = CASES[case]
    certificate = tmp_path / "kubelet-client-current.pem"
    if joined:
        certificate.touch()
    done: list[str] = []

    def run(argv: list[str], **dummy: object) -> tuple[int, str, str]:
        done.append(" ".join(argv))
        return 0, "", ""

    def open_url(url: str, data: str, method: str, **dummy: object) -> io.BytesIO:
        done.append(f"{method} {url} {data}")
        if refused:  # kubeadm itself will tell why
            raise urllib.error.URLError("refused")
        return io.BytesIO()

    monkeypatch.setattr(apply, "KUBELET_CERTIFICATE", str(certificate))
    monkeypatch.setattr(apply, "open_url", open_url)
    monkeypatch.setattr(apply.socket, "gethostname", lambda: "w1")
    apply.Applier(run, Desired(role, {}, {}, {}), "192.0.2.1:6443", 1)._reset("")
    assert done == expected
