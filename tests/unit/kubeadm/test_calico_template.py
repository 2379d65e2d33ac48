# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kustomization beside Calico's manifest says, by backend: each is what Calico's own manifests have for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment, StrictUndefined

TEMPLATES = Path(__file__).parents[3] / "roles/kubernetes/templates"
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
    "vxlan across segments alone": (
        {"backend": "vxlan", "vni": 4096, "port": 4789, "mtu": 1450, "direct_routing": True},
        {"calico_backend": "vxlan", "veth_mtu": "1450"},
        {
            "FELIX_VXLANVNI": "4096",
            "FELIX_VXLANPORT": "4789",
            "CALICO_IPV4POOL_IPIP": "Never",
            "CALICO_IPV4POOL_VXLAN": "CrossSubnet",
        },
        PROBES,
    ),
    "ipip": (
        {"backend": "ipip", "mtu": 1480, "direct_routing": False},
        {"calico_backend": "vxlan", "veth_mtu": "1480"},
        {
            "FELIX_PROGRAMCLUSTERROUTES": "Enabled",
            "CALICO_IPV4POOL_IPIP": "Always",
            "CALICO_IPV4POOL_VXLAN": "Never",
        },
        PROBES,
    ),
    "ipip across segments alone": (
        {"backend": "ipip", "mtu": 1480, "direct_routing": True},
        {"calico_backend": "vxlan", "veth_mtu": "1480"},
        {
            "FELIX_PROGRAMCLUSTERROUTES": "Enabled",
            "CALICO_IPV4POOL_IPIP": "CrossSubnet",
            "CALICO_IPV4POOL_VXLAN": "Never",
        },
        PROBES,
    ),
}


BGP = {"backend": "bgp", "as_number": 64513, "mtu": 1400}
PEERS = {"tor": {"as_number": 64514, "address": "172.30.24.201"}}
SECRET = {"secretKeyRef": {"name": "bgp-password", "key": "password"}}


def rendered(name: str, cni: dict, signs: bool = False, slow: tuple[str, ...] = ()) -> str:
    """A template as Ansible's module template has it."""
    made = Environment(trim_blocks=True, undefined=StrictUndefined, autoescape=False)
    made.filters["to_json"] = json.dumps
    cluster = {"endpoint": "172.30.24.11:6443", "pod_cidr": "10.244.0.0/16", "service_cidr": "10.96.0.0/16", "cni": cni}
    return made.from_string((TEMPLATES / name).read_text()).render(
        kubernetes_cluster=cluster,
        __kubernetes_calico_manifest="/usr/share/calico.yaml",
        __kubernetes_speaks="peers" in cni or signs,
        __kubernetes_signs=signs,
        __kubernetes_bgp_file="/bgp.yaml",
        __kubernetes_bgp_secret_file="/bgp-password.yaml",
        __kubernetes_slow=slow,
        __kubernetes_stores="endpoint" in cni,
        __kubernetes_etcd_secret_file="/calico-etcd-secrets.yaml",
    )


@pytest.mark.parametrize("case", CASES)
def test_what_the_topology_says_of_calico(case: str):
    cni, settings, variables, probes = CASES[case]
    made = yaml.safe_load(rendered("cni/calico.yaml.j2", cni))
    assert made["resources"] == ["/usr/share/calico.yaml"]
    config, daemon = (yaml.safe_load(patch["patch"]) for patch in made["patches"])
    assert config["data"] == settings
    (container,) = daemon["spec"]["template"]["spec"]["containers"]
    assert {one["name"]: one["value"] for one in container.pop("env")} == {**COMMON, **variables}
    assert container == {"name": "calico-node", **probes}


def test_emulated_machines_are_asked_less_often():
    made = yaml.safe_load(rendered("cni/calico.yaml.j2", BGP, slow=("cp1",)))
    dummy, daemon, *patient = (yaml.safe_load(patch["patch"]) for patch in made["patches"])
    assert [one["metadata"]["name"] for one in patient] == ["calico-node", "calico-kube-controllers"]
    for one in patient:
        (container,) = one["spec"]["template"]["spec"]["containers"]
        assert container["name"] == one["metadata"]["name"]
        assert {probe["periodSeconds"] for probe in (container["livenessProbe"], container["readinessProbe"])} == {60}
    assert "livenessProbe" not in daemon["spec"]["template"]["spec"]["containers"][0], "the commands stay Calico's"


def test_peers_and_a_password_are_objects_of_their_own():
    signed = {**BGP, "password": True, "peers": PEERS}
    text = rendered("cni/calico.yaml.j2", signed, signs=True)
    assert yaml.safe_load(text)["resources"] == ["/usr/share/calico.yaml", "/bgp.yaml", "/bgp-password.yaml"]
    assert "FELIX_SERVICELOOPPREVENTION, value: Reject" in text
    configuration, peer, role, binding = yaml.safe_load_all(rendered("bgp.yaml.j2", signed, signs=True))
    assert configuration["spec"] == {"serviceClusterIPs": [{"cidr": "10.96.0.0/16"}], "nodeMeshPassword": SECRET}
    assert peer["metadata"] == {"name": "tor"}
    told = {"peerIP": "172.30.24.201", "asNumber": 64514, "keepOriginalNextHop": True}
    assert peer["spec"] == {**told, "password": SECRET}
    assert (role["kind"], binding["kind"], binding["subjects"][0]["name"]) == ("Role", "RoleBinding", "calico-node")


def test_either_may_be_without_the_other():
    resources = yaml.safe_load(rendered("cni/calico.yaml.j2", {**BGP, "peers": PEERS}))["resources"]
    assert resources == ["/usr/share/calico.yaml", "/bgp.yaml"]
    configuration, peer = yaml.safe_load_all(rendered("bgp.yaml.j2", {**BGP, "peers": PEERS}))
    assert configuration["spec"] == {"serviceClusterIPs": [{"cidr": "10.96.0.0/16"}]}
    assert "password" not in peer["spec"]
    configuration, *others = yaml.safe_load_all(rendered("bgp.yaml.j2", {**BGP, "password": True}, signs=True))
    assert configuration["spec"] == {"nodeMeshPassword": SECRET}
    assert [one["kind"] for one in others] == ["Role", "RoleBinding"]


def test_an_etcd_of_its_own_is_said_where_its_manifest_leaves_it_open():
    """The files are those that the manifest mounts the Secret as; its data come by a file of mode 0600."""
    made = yaml.safe_load(rendered("cni/calico.yaml.j2", {**BGP, "endpoint": "https://172.30.24.11:6666"}))
    config, secret, _daemon = made["patches"]
    data = yaml.safe_load(config["patch"])["data"]
    assert data["etcd_endpoints"] == "https://172.30.24.11:6666"
    assert {data[f"etcd_{name}"] for name in ("ca", "cert", "key")} == {
        f"/calico-secrets/etcd-{name}" for name in ("ca", "cert", "key")
    }
    assert secret == {"path": "/calico-etcd-secrets.yaml"}
