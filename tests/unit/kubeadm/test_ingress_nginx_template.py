# SPDX-License-Identifier: GPL-3.0-or-later
"""What is applied of ingress-nginx: without a webhook, by its own user, and called as the check looks for it."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_nginx_objects as proof
from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parents[3] / "roles/kubernetes/templates"


def rendered() -> dict[tuple[str, str], dict]:
    """The template's objects by kind and name, as Ansible's module template has them."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), trim_blocks=True, undefined=StrictUndefined, autoescape=False
    )
    text = environment.get_template("ingress/nginx.yaml.j2").render(
        kubernetes_cluster={"endpoint": "192.0.2.11:6443"}, __kubernetes_ingress_nginx_image="registry/nginx:1"
    )
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(text)}


def test_objects_are_called_as_the_check_looks_for_them() -> None:
    made = rendered()
    deployment, service = (made[kind, proof.CONTROLLER] for kind in ("Deployment", "Service"))
    assert {one["metadata"]["namespace"] for one in (deployment, service)} == {proof.HOME}
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"] == labels
    assert made["IngressClass", proof.CLASS]["spec"]["controller"] == "k8s.io/ingress-nginx"
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["args"][0] == proof.PROGRAM
    assert f"--ingress-class={proof.CLASS}" in container["args"]
    assert f"--publish-service={proof.HOME}/{proof.CONTROLLER}" in container["args"]
    assert f"--configmap={proof.HOME}/{proof.CONTROLLER}" in container["args"]
    assert made["ConfigMap", proof.CONTROLLER]["data"]["worker-processes"] == "2"


def test_clients_addresses_are_kept() -> None:
    spec = rendered()["Service", proof.CONTROLLER]["spec"]
    assert (spec["type"], spec["externalTrafficPolicy"]) == ("LoadBalancer", "Local")
    assert {one["name"]: (one["port"], one["targetPort"]) for one in spec["ports"]} == {
        "http": (80, "http"),
        "https": (443, "https"),
    }


def test_there_is_no_webhook_and_no_root() -> None:
    made = rendered()
    assert not [kind for kind, _name in made if "Webhook" in kind]
    pod = made["Deployment", proof.CONTROLLER]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert not [one for one in container["args"] if "webhook" in one]
    assert "--enable-annotation-validation=true" in container["args"]  # in its place
    assert (container["securityContext"]["runAsUser"], container["securityContext"]["runAsNonRoot"]) == (101, True)
    assert {one["name"]: one["value"] for one in container["env"] if "value" in one} == {
        "KUBERNETES_SERVICE_HOST": "192.0.2.11",
        "KUBERNETES_SERVICE_PORT": "6443",
    }
