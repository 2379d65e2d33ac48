# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases are data: what is observed on a machine, what is desired, and the steps that must follow."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._kubeadm_plan import (
    CONFIG,
    MANIFESTS,
    RECORD,
    Desired,
    KubeadmError,
    Observed,
    plan,
)
from ansible_collections.reftopo.lab.plugins.module_utils._settings import drift
from ansible_collections.reftopo.lab.plugins.module_utils._step import Step

CNI, PROXY = f"{MANIFESTS}/cni.yaml", f"{MANIFESTS}/kube-proxy.yaml"
VXLAN = {
    "name": "flannel",
    "backend": "vxlan",
    "vni": 1,
    "port": 8472,
    "direct_routing": False,
    "device": "flannel.1",
    "overhead": 50,
}
HOST_GW = {"name": "flannel", "backend": "host-gw", "device": "", "overhead": 0, "mtu": 1500}
SETTINGS = {"kubernetes": "v1.37.2", "cni": {**VXLAN, "mtu": 1450}}
SWITCH = (
    "cni.backend from 'vxlan' to 'host-gw'; cni.mtu from 1450 to 1500; cni.port from 8472 to None; "
    "cni.vni from 1 to None"
)
CALICO = {"name": "calico", "backend": "bgp", "as_number": 64512, "device": "", "overhead": 0, "mtu": 1500}
CONTROL_PLANE = Desired("control-plane", SETTINGS, {CNI: "flannel"}, {CONFIG: "init"})
WORKER = Desired("worker", SETTINGS, {}, {CONFIG: "join"})
MEMBER_FILES = {CNI: "flannel", CONFIG: "init"}

CASES = {
    "a new control plane initialises and applies": (
        CONTROL_PLANE,
        Observed(),
        [("write", CONFIG), ("write", CNI), ("init", CONFIG), ("apply", MANIFESTS), ("record", RECORD)],
    ),
    "a new worker joins": (WORKER, Observed(), [("write", CONFIG), ("join", CONFIG), ("record", RECORD)]),
    "a member that runs needs nothing": (
        CONTROL_PLANE,
        Observed(SETTINGS, True, True, MEMBER_FILES, manifests_differ=False),
        [],
    ),
    "a member that was stopped is started, and its manifests are applied as nobody could be asked": (
        CONTROL_PLANE,
        Observed(SETTINGS, True, False, MEMBER_FILES),
        [("start", "kubelet"), ("apply", MANIFESTS)],
    ),
    "a stopped worker is started": (
        WORKER,
        Observed(SETTINGS, True, False, {CONFIG: "join"}),
        [("start", "kubelet")],
    ),
    "an object of the cluster that was changed by hand is put back": (
        CONTROL_PLANE,
        Observed(SETTINGS, True, True, MEMBER_FILES, manifests_differ=True),
        [("apply", MANIFESTS)],
    ),
    "a manifest that changed is written and applied, though the cluster is as the old one says": (
        CONTROL_PLANE,
        Observed(SETTINGS, True, True, {CNI: "older", CONFIG: "init"}, manifests_differ=False),
        [("write", CNI), ("apply", MANIFESTS)],
    ),
    "half of a join is reset, and every file is written again as reset removes some": (
        WORKER,
        Observed(None, leftovers=True, kubelet_active=True, files={CONFIG: "join"}),
        [("reset", "an interrupted run"), ("write", CONFIG), ("join", CONFIG), ("record", RECORD)],
    ),
    "files alone are no half join": (
        WORKER,
        Observed(None, files={CONFIG: "join"}),
        [("join", CONFIG), ("record", RECORD)],
    ),
    "a manifest that changed is applied although what was applied before is there": (
        CONTROL_PLANE,
        Observed(SETTINGS, True, True, {CNI: "older", CONFIG: "init"}, manifests_differ=False),
        [("write", CNI), ("apply", MANIFESTS)],
    ),
    "kube-proxy's mode is changed by its manifest": (
        Desired(
            "control-plane", {**SETTINGS, "proxy_modes": {"n1": "iptables"}}, {PROXY: "iptables"}, {CONFIG: "init"}
        ),
        Observed(
            {**SETTINGS, "proxy_modes": {"n1": "nftables"}}, True, True, {PROXY: "nftables", CONFIG: "init"}, False
        ),
        [("write", PROXY), ("apply", MANIFESTS), ("record", RECORD)],
    ),
    "a worker only notes it": (
        Desired("worker", {**SETTINGS, "proxy_scheduler": "lc"}, {}, {CONFIG: "join"}),
        Observed({**SETTINGS, "proxy_scheduler": "rr"}, True, True, {CONFIG: "join"}, False),
        [("record", RECORD)],
    ),
    "a control plane that gets another backend applies it, and waits for it": (
        Desired("control-plane", {**SETTINGS, "cni": HOST_GW}, {CNI: "host-gw"}, {CONFIG: "init"}),
        Observed(SETTINGS, True, True, MEMBER_FILES, manifests_differ=False),
        [("write", CNI), ("apply", MANIFESTS), ("switch", SWITCH), ("record", RECORD)],
    ),
    "a worker that gets another backend waits for it, again when it was interrupted": (
        Desired("worker", {**SETTINGS, "cni": HOST_GW}, {}, {CONFIG: "join"}),
        Observed(SETTINGS, True, True, {CONFIG: "join"}),
        [("switch", SWITCH), ("record", RECORD)],
    ),
}


@pytest.mark.parametrize(("desired", "observed", "steps"), CASES.values(), ids=CASES)
def test_plan(desired, observed, steps):
    assert [(step.action, step.subject) for step in plan(observed, desired)] == steps


def test_drift_names_both_values_of_every_setting():
    was = {"cni": {"backend": "udp"}, "proxy_mode": "iptables"}
    assert drift("the cluster", was, {"cni": {"backend": "vxlan"}, "dns_domain": "lab"}) == [
        "cni.backend: the cluster was built with 'udp', the topology says 'vxlan'",
        "dns_domain: the cluster was built with None, the topology says 'lab'",
        "proxy_mode: the cluster was built with 'iptables', the topology says None",
    ]


@pytest.mark.parametrize(
    ("record", "files", "text"),
    [
        ({**SETTINGS, "kubernetes": "v1.36.0"}, MEMBER_FILES, "kubernetes: the cluster was built with 'v1.36.0'"),
        ({**SETTINGS, "cni": {**HOST_GW, "mtu": 9000}}, MEMBER_FILES, "cni.mtu: the cluster was built with 9000"),
        (
            {**SETTINGS, "cni": {**SETTINGS["cni"], "direct_routing": True}},
            MEMBER_FILES,
            "cni.direct_routing: the cluster was built with True, the topology says None",
        ),
        (
            {**SETTINGS, "cni": CALICO},
            MEMBER_FILES,
            "cni.name: the cluster was built with 'calico', the topology says 'flannel'",
        ),
        (SETTINGS, {CNI: "flannel", CONFIG: "other"}, f"{CONFIG}: differs"),
    ],
    ids=[
        "a setting",
        "the underlay's MTU, and the backend",
        "direct routing",
        "the plugin",
        "the configuration itself",
    ],
)
def test_a_member_with_other_settings_is_refused(record, files, text):
    with pytest.raises(KubeadmError, match="destroy the topology") as error:
        plan(Observed(record, True, True, files, manifests_differ=False), CONTROL_PLANE)
    assert text in str(error.value)


@pytest.mark.parametrize(("key", "value"), [("as_number", 64513), ("mtu", 1400), ("backend", "vxlan")])
def test_calico_is_not_changed_while_it_runs(key, value):
    other = {**SETTINGS, "cni": {**CALICO, key: value}}
    observed = Observed({**SETTINGS, "cni": CALICO}, True, True, {CONFIG: "join"})
    with pytest.raises(KubeadmError, match=f"cni.{key}: the cluster was built with {CALICO[key]!r}, .* {value!r}"):
        plan(observed, Desired("worker", other, {}, {CONFIG: "join"}))


@pytest.mark.parametrize(("was", "wanted"), [("iptables", "ipvs"), ("ipvs", "iptables")])
def test_a_mode_that_would_leave_the_old_one_behind_is_refused(was, wanted):
    observed = Observed({**SETTINGS, "proxy_modes": {"n1": was}}, True, True, {CONFIG: "join"})
    desired = Desired("worker", {**SETTINGS, "proxy_modes": {"n1": wanted, "n2": wanted}}, {}, {CONFIG: "join"})
    with pytest.raises(KubeadmError) as caught:
        plan(observed, desired)
    assert str(caught.value) == (
        f"proxy_modes.n1: the node is in mode {was!r}, the topology says {wanted!r}\n"
        "kube-proxy clears neither of these modes away when it starts in the other: run with 'nftables' in between, or"
        " put the old values back."
    )


def test_who_else_is_a_worker_is_no_setting():
    record = {**SETTINGS, "workers": ["w1"], "proxy_modes": {"w1": "nftables"}}
    settings = {**SETTINGS, "workers": ["w1", "w2"], "proxy_modes": {"w1": "nftables", "w2": "ipvs"}}
    desired = Desired("worker", settings, {}, {CONFIG: "join"})
    assert plan(Observed(record, True, True, {CONFIG: "join"}, manifests_differ=False), desired) == []


def test_other_dns_servers_are_recorded_and_none_any_more_refused():
    servers = {"upstream": ["10.1.0.9"], "stub_domains": {}}
    built, asked = {**SETTINGS, "dns": servers}, {**SETTINGS, "dns": {**servers, "upstream": ["10.1.0.8"]}}
    observed = Observed(built, False, True, {CONFIG: "join"})
    assert plan(observed, Desired("worker", asked, {}, {CONFIG: "join"})) == [Step("record", RECORD)]
    with pytest.raises(
        KubeadmError, match=r"dns\.upstream: the cluster was built with \['10\.1\.0\.9'\], the topology"
    ):
        plan(observed, Desired("worker", SETTINGS, {}, {CONFIG: "join"}))
