# SPDX-License-Identifier: GPL-3.0-or-later
"""How manifests are compared with the cluster and applied: plain ones, and what a kustomization makes of others'."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _kubeadm_apply as apply
from ansible_collections.reftopo.lab.plugins.module_utils import _kubeadm_manifests as manifests
from ansible_collections.reftopo.lab.plugins.module_utils._kubeadm_plan import MANIFESTS, Desired, KubeadmError

PLAIN = f"{MANIFESTS}/kube-proxy.yaml"
KUSTOMIZATION = f"{MANIFESTS}/calico/kustomization.yaml"
KUBECTL = f"kubectl --kubeconfig {manifests.EARLY_KUBECONFIG}"
BUILD = f"kubectl kustomize --load-restrictor=LoadRestrictionsNone {MANIFESTS}/calico"
SERVER_SIDE = "--server-side --force-conflicts --field-manager=reftopo -f -"
BOTH = Desired("control-plane", {}, {PLAIN: "a", KUSTOMIZATION: "b"}, {})


class Cluster:
    """Prints what a kustomization makes, and ends with the codes that a command's begin has; notes all commands."""

    def __init__(self, **codes: int) -> None:
        self.codes = codes
        self.asked: list[tuple[str, str | None]] = []
        self.why = "why"

    def run(self, argv: list[str], data: str | None = None) -> tuple[int, str, str]:
        command = " ".join(argv)
        self.asked.append((command, data))
        code = next((code for word, code in self.codes.items() if word in command.replace("-", "_")), 0)
        return code, "built" if command == BUILD else "", self.why


def applied(desired: Desired, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that a step reports."""
    applier = apply.Applier(cluster.run, desired, "192.0.2.1:6443", 1)
    monkeypatch.setattr(applier, "wait_for", lambda _path: None)
    applier._apply("")
    return applier.commands


def test_both_kinds_are_applied(monkeypatch: pytest.MonkeyPatch):
    cluster, last = Cluster(), f"{KUBECTL} apply {SERVER_SIDE}"
    assert applied(BOTH, cluster, monkeypatch) == [f"{KUBECTL} apply -f {PLAIN}", last]
    assert cluster.asked == [(f"{KUBECTL} apply -f {PLAIN}", None), (BUILD, None), (last, "built")]


def test_without_a_kustomization_nothing_is_built(monkeypatch: pytest.MonkeyPatch):
    cluster = Cluster()
    assert applied(Desired("control-plane", {}, {PLAIN: "a"}, {}), cluster, monkeypatch) == [
        f"{KUBECTL} apply -f {PLAIN}"
    ]
    assert len(cluster.asked) == 1


DIFFERS = {
    "neither": ({}, False),
    "a plain one": ({f"diff _f {PLAIN}".replace("-", "_"): 1}, True),
    "one of the kustomization": ({"diff __server_side": 1}, True),
}


@pytest.mark.parametrize("case", DIFFERS)
def test_what_differs_from_the_cluster(case: str, monkeypatch: pytest.MonkeyPatch):
    codes, differs = DIFFERS[case]
    monkeypatch.setattr(manifests.os.path, "exists", lambda _path: True)
    assert manifests.manifests_differ(Cluster(**codes).run, BOTH, lambda _path: None) is differs


LACKING = {
    "a kind": 'error: resource mapping not found for name: "pool": no matches for kind "Pool" in version "x/v1"\n'
    "ensure CRDs are installed first",
    "a namespace": 'Error from server (NotFound): namespaces "metallb-system" not found',
}


@pytest.mark.parametrize("case", LACKING)
def test_what_is_lacking_for_other_manifests_differs(case: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(manifests.os.path, "exists", lambda _path: True)
    cluster = Cluster(diff=2)
    cluster.why = LACKING[case]
    assert manifests.manifests_differ(cluster.run, BOTH, lambda _path: None) is True


PASSING = {
    **LACKING,
    "a slow disk": "Error from server: etcdserver: request timed out",
    "an API server that is started again": "The connection to the server 192.0.2.1:6443 was refused: dial tcp "
    "192.0.2.1:6443: connect: connection refused",
}


@pytest.mark.parametrize("case", PASSING)
def test_what_passes_is_applied_again(case: str, monkeypatch: pytest.MonkeyPatch):
    cluster = Cluster(server_side=1)
    cluster.why = PASSING[case]
    monkeypatch.setattr(apply.time, "sleep", lambda _seconds: cluster.codes.clear())
    last = f"{KUBECTL} apply {SERVER_SIDE}"
    assert applied(BOTH, cluster, monkeypatch) == [f"{KUBECTL} apply -f {PLAIN}", last, last]


def test_another_failure_is_not_tried_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(apply.time, "sleep", lambda _seconds: pytest.fail("it waits"))
    with pytest.raises(KubeadmError, match="why"):
        applied(BOTH, Cluster(server_side=1), monkeypatch)


@pytest.mark.parametrize(
    ("word", "text"), [("kustomize", f"kubectl kustomize {MANIFESTS}/calico failed: why"), ("diff", "kubectl diff of")]
)
def test_a_command_that_fails_is_told(word: str, text: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(manifests.os.path, "exists", lambda _path: True)
    with pytest.raises(KubeadmError, match=text):
        manifests.manifests_differ(Cluster(**{word: 2}).run, BOTH, lambda _path: None)
