# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kustomization beside Calico's manifest says, by backend: each is what Calico's own manifests have for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from jinja2 import Environment, StrictUndefined

TEMPLATE = Path(__file__).parents[3] / "roles/kubernetes/templates/cni/calico.yaml.j2"
COMMON = {"IP_AUTODETECTION_METHOD": "kubernetes-internal-ip", "CALICO_IPV4POOL_CIDR": "10.244.0.0/16"}
PROBES = {
    "livenessProbe": {"exec": {"command": ["/bin/calico-node", "-felix-live"]}},
    "readinessProbe": {"exec": {"command": ["/bin/calico-node", "-felix-ready"]}},
}
CASES = {
    "bgp": (
        {"backend": "bgp", "as_number": 64513, "mtu": 1400},
        {"calico_backend": "bird", "veth_mtu": "1400"},
        {"AS": "64513", "CALICO_IPV4POOL_IPIP": "Never", "CALICO_IPV4POOL_VXLAN": "Never"},
        {},
    ),
    "vxlan": (
        {"backend": "vxlan", "vni": 7, "port": 4790, "mtu": 1450},
        {"calico_backend": "vxlan", "veth_mtu": "1450"},
        {
            "FELIX_VXLANVNI": "7",
            "FELIX_VXLANPORT": "4790",
            "CALICO_IPV4POOL_IPIP": "Never",
            "CALICO_IPV4POOL_VXLAN": "Always",
        },
        PROBES,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_the_topology_says_of_calico(case: str):
    cni, settings, variables, probes = CASES[case]
    cluster = {"endpoint": "172.30.24.11:6443", "pod_cidr": "10.244.0.0/16", "cni": cni}
    # As Ansible's module template has it.
    made = Environment(trim_blocks=True, undefined=StrictUndefined, autoescape=False).from_string(TEMPLATE.read_text())
    text = made.render(kubernetes_cluster=cluster, __kubernetes_calico_manifest="/usr/share/calico.yaml")
    config, daemon = (yaml.safe_load(patch["patch"]) for patch in yaml.safe_load(text)["patches"])
    assert config["data"] == settings
    (container,) = daemon["spec"]["template"]["spec"]["containers"]
    assert {one["name"]: one["value"] for one in container.pop("env")} == {**COMMON, **variables}
    assert container == {"name": "calico-node", **probes}
