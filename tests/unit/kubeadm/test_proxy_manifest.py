# SPDX-License-Identifier: GPL-3.0-or-later
"""kube-proxy's manifest: which nodes have a configuration of their own, what remakes pods, which file a pod reads."""

from __future__ import annotations

import hashlib
import pathlib
import subprocess

import jinja2
import pytest
import yaml

TEMPLATES = pathlib.Path(__file__).parents[3] / "roles/kubernetes/templates"
PLAIN = {"cp1": "nftables", "w1": "nftables"}
FOLDER, PROGRAM = "/var/lib/kube-proxy", "/usr/local/bin/kube-proxy"


def rendered(modes, providers=None, **cluster):
    """The manifest's text for nodes with these modes; nodes are containers unless it is said."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, autoescape=False)
    environment.filters["hash"] = lambda text, kind: hashlib.new(kind, text.encode()).hexdigest()
    containers = [node for node in modes if (providers or {}).get(node, "container") == "container"]
    usual = {"proxy_mode": "nftables", "control_plane": ["cp1"], "endpoint": "192.0.2.1:6443", "kubernetes": "v1.0.0"}
    settings = {**usual, "pod_cidr": "10.0.0.0/16", "proxy_modes": modes, **cluster}
    template = environment.get_template("kube-proxy.yaml.j2")
    return template.render(kubernetes_cluster=settings, __kubernetes_containers=containers)


def one(text, kind):
    return next(item for item in yaml.safe_load_all(text) if item["kind"] == kind)


def configurations(text):
    """Each file with a configuration of kube-proxy."""
    files = one(text, "ConfigMap")["data"].items()
    return {name: yaml.safe_load(content) for name, content in files if name != "kubeconfig"}


def remade_for(text):
    """What pods are made again for when it changes."""
    return one(text, "DaemonSet")["spec"]["template"]["metadata"]["annotations"]


def test_a_plain_worker_changes_nothing():
    assert rendered(PLAIN) == rendered({**PLAIN, "w2": "nftables"})
    assert list(configurations(rendered(PLAIN))) == ["default"]


@pytest.mark.parametrize(
    ("modes", "providers", "own"),
    [
        ({**PLAIN, "w2": "iptables"}, None, {"w2.conf": ("iptables", True)}),
        ({"cp1": "iptables", "w1": "nftables"}, None, {"cp1.conf": ("iptables", True)}),
        (PLAIN, {"cp1": "container", "w1": "vm"}, {"w1.conf": ("nftables", False)}),
        (PLAIN, {"cp1": "vm", "w1": "vm"}, {}),
        ({"cp1": "nftables", "w1": "ipvs"}, {"cp1": "container", "w1": "vm"}, {"w1.conf": ("ipvs", False)}),
    ],
    ids=["another mode", "of the control plane", "another provider", "another for all", "both"],
)
def test_a_node_that_differs_has_a_file_and_pods_are_made_again(modes, providers, own):
    text = rendered(modes, providers, proxy_scheduler="lc")
    found = configurations(text)
    assert found.pop("default")["mode"] == "nftables"
    assert {name: (file["mode"], "conntrack" in file) for name, file in found.items()} == own
    assert all(file.get("ipvs") == ({"scheduler": "lc"} if file["mode"] == "ipvs" else None) for file in found.values())
    assert (remade_for(text) != remade_for(rendered(PLAIN, proxy_scheduler="lc"))) == bool(own or providers)


def test_with_a_load_balancer_only_one_node_answers_arp_for_addresses_of_ipvs():
    modes = {"cp1": "nftables", "w1": "ipvs"}
    text = rendered(modes, proxy_scheduler="rr", load_balancer={"pool": "192.0.2.240/29"})
    found = configurations(text)
    assert "ipvs" not in found["default"]
    assert found["w1.conf"]["ipvs"] == {"scheduler": "rr", "strictARP": True}
    assert remade_for(text) != remade_for(rendered(modes, proxy_scheduler="rr"))


def test_another_mode_or_scheduler_makes_pods_again():
    ipvs = {"cp1": "nftables", "w1": "ipvs"}
    texts = [
        rendered(PLAIN),
        rendered(dict.fromkeys(PLAIN, "iptables"), proxy_mode="iptables"),
        *(rendered(ipvs, proxy_scheduler=scheduler) for scheduler in ("rr", "lc")),
    ]
    assert len({str(remade_for(text)) for text in texts}) == len(texts)


@pytest.mark.parametrize(("node", "file"), [("w1", "default"), ("w2", "w2.conf")])
def test_a_pod_reads_its_nodes_own_file_or_else_the_default(tmp_path, node, file):
    text = rendered({**PLAIN, "w2": "iptables"})
    for name, content in one(text, "ConfigMap")["data"].items():
        (tmp_path / name).write_text(content)
    container = one(text, "DaemonSet")["spec"]["template"]["spec"]["containers"][0]
    command = [word.replace(FOLDER, str(tmp_path)).replace(PROGRAM, "echo") for word in container["command"]]
    done = subprocess.run(command, env={"NODE_NAME": node}, capture_output=True, text=True, check=True)
    assert done.stdout == f"--config={tmp_path}/{file} --hostname-override={node}\n"
