# SPDX-License-Identifier: GPL-3.0-or-later
"""What is applied of MetalLB: the pool that the topology names, and the kustomization of its own manifest."""

from __future__ import annotations

from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parents[3] / "roles/kubernetes/templates"


def rendered(name: str) -> str:
    """A template as Ansible's module template has it."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), trim_blocks=True, undefined=StrictUndefined, autoescape=False
    )
    cluster = {"endpoint": "192.0.2.11:6443", "load_balancer": {"pool": "192.0.2.240/29"}}
    return environment.get_template(name).render(
        kubernetes_cluster=cluster, __kubernetes_metallb_manifest="/metallb.yaml"
    )


def test_the_pool_is_announced_by_arp():
    pool, advertisement = yaml.safe_load_all(rendered("load-balancer-pool.yaml.j2"))
    assert pool["spec"] == {"addresses": ["192.0.2.240/29"]}
    assert advertisement["kind"] == "L2Advertisement"
    assert advertisement["spec"] == {"ipAddressPools": [pool["metadata"]["name"]]}


def test_webhooks_and_metrics_are_left_out():
    made = yaml.safe_load(rendered("load-balancer.yaml.j2"))
    assert made["resources"] == ["/metallb.yaml", "/etc/kubernetes/reftopo/load-balancer-pool.yaml"]
    patches = [yaml.safe_load(patch["patch"]) for patch in made["patches"]]
    objects = {one["kind"]: one for one in patches if isinstance(one, dict)}
    assert [kind for kind, one in objects.items() if one.get("$patch") == "delete"] == [
        "ValidatingWebhookConfiguration",
        "Service",
        "Secret",
    ]
    containers = {
        kind: objects[kind]["spec"]["template"]["spec"]["containers"][0] for kind in ("Deployment", "DaemonSet")
    }
    api = {"KUBERNETES_SERVICE_HOST": "192.0.2.11", "KUBERNETES_SERVICE_PORT": "6443"}
    assert all({one["name"]: one["value"] for one in container["env"]} == api for container in containers.values())
    assert {kind: container["args"] for kind, container in containers.items()} == {
        "Deployment": ["--port=0", "--log-level=info", "--webhook-mode=disabled"],
        "DaemonSet": ["--port=0", "--log-level=info"],
    }
