# SPDX-License-Identifier: GPL-3.0-or-later
"""CoreDNS' Corefile: kubeadm's with other servers, written when it differs, and pods that have read it."""

from __future__ import annotations

import json
import textwrap

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _coredns as coredns
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner

OWN = """.:53 {
    ready
    kubernetes cluster.local {
       ttl 30
    }
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    reload
}
"""
MANIFEST = f"""---
apiVersion: apps/v1
kind: Deployment
---
apiVersion: v1
data:
  Corefile: |
{textwrap.indent(OWN, "    ")}kind: ConfigMap
metadata:
  name: coredns
"""
STUB = """corp.test:53 {
    errors
    cache 30
    forward . 10.1.0.7 10.1.0.8
}
"""
WITH_ALL = OWN.replace("/etc/resolv.conf", "10.1.0.9") + STUB


def test_kubeadm_is_asked_for_its_own():
    assert coredns.kubeadm_corefile(MANIFEST) == OWN


def test_a_kubeadm_that_prints_none():
    with pytest.raises(NodeError, match="prints no Corefile"):
        coredns.kubeadm_corefile("kind: Deployment\n")


@pytest.mark.parametrize(
    ("upstream", "stubs", "text"),
    [
        ([], {}, OWN),
        (["10.1.0.9"], {"corp.test": ["10.1.0.7", "10.1.0.8"]}, WITH_ALL),
        ([], {"corp.test": ["10.1.0.7", "10.1.0.8"]}, OWN + STUB),
    ],
    ids=["none", "both", "a stub domain alone"],
)
def test_servers_are_put_in(upstream, stubs, text):
    assert coredns.desired(OWN, upstream, stubs) == text


def test_a_corefile_of_another_shape_is_not_guessed_at():
    with pytest.raises(NodeError, match="0 times, not once"):
        coredns.desired(".:53 {\n}\n", ["10.1.0.9"], {})


@pytest.mark.parametrize(
    ("state", "wanted", "steps"),
    [
        (coredns.State(OWN, "1", None), OWN, []),
        (coredns.State(OWN, "1", None), WITH_ALL, ["apply", "restart"]),
        (coredns.State(WITH_ALL, "2", None), WITH_ALL, ["restart"]),
        (coredns.State(WITH_ALL, "2", "2"), WITH_ALL, []),
        (coredns.State(WITH_ALL, "3", "2"), WITH_ALL, ["restart"]),
        (coredns.State(OWN + "#\n", "3", "2"), WITH_ALL, ["apply", "restart"]),
        (coredns.State("", "3", "2"), OWN, ["apply", "restart"]),
    ],
    ids=["as kubeadm made it", "new", "killed before the restart", "done", "put back by hand", "by hand", "emptied"],
)
def test_what_is_to_be_done(state, wanted, steps):
    assert coredns.plan(state, wanted, OWN) == steps


class Api:
    """run_command of a control plane, with the ConfigMap's text and version and the template's annotation."""

    def __init__(self) -> None:
        self.corefile, self.version, self.annotations = OWN, 1, {}

    def __call__(self, argv: list[str], data: str | None = None, **dummy: object) -> tuple[int, str, str]:
        if argv[0] == "kubeadm":
            return 0, MANIFEST, ""
        if "apply" in argv:
            self.corefile, self.version = json.loads(data or "")["data"]["Corefile"], self.version + 1
        if "patch" in argv:
            patch = json.loads(argv[-1].partition("=")[2])
            self.annotations = patch["spec"]["template"]["metadata"]["annotations"]
        meta = {"resourceVersion": str(self.version)}
        config = {"kind": "ConfigMap", "metadata": meta, "data": {"Corefile": self.corefile}}
        template = {"metadata": {"annotations": self.annotations}}
        return 0, json.dumps({"items": [config, {"kind": "Deployment", "spec": {"template": template}}]}), ""


def test_pods_are_made_again_after_the_configmap_that_they_are_to_read():
    api = Api()
    runner = Runner(api)
    cluster = coredns.Cluster(runner, "/admin.conf", "/kubeadm.yaml", 60)
    cluster.apply(coredns.plan(cluster.state(), WITH_ALL, cluster.own()), WITH_ALL)
    assert cluster.state() == coredns.State(WITH_ALL, "2", "2")
    assert [command.split()[3] for command in runner.commands] == ["apply", "patch"]
    assert coredns.plan(cluster.state(), WITH_ALL, OWN) == []


@pytest.mark.parametrize(("timeout", "calls"), [(60, 3), (0, 1)], ids=["later", "too late"])
def test_kubectl_is_asked_anew_until_the_time_is_over(timeout, calls):
    class Slow(Api):
        asked = 0

        def __call__(self, argv: list[str], data: str | None = None, **dummy: object) -> tuple[int, str, str]:
            if "rollout" in argv:
                self.asked += 1
                return (0, "", "") if self.asked == 3 else (1, "", "timed out waiting for the condition")
            return super().__call__(argv, data)

    api = Slow()
    cluster = coredns.Cluster(Runner(api), "/admin.conf", "/kubeadm.yaml", timeout)
    if timeout:
        cluster.apply(["restart"], OWN)
    else:
        with pytest.raises(NodeError, match=r"(?s)not ready after 0 s: .*timed out"):
            cluster.apply(["restart"], OWN)
    assert api.asked == calls
