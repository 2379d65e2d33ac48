# SPDX-License-Identifier: GPL-3.0-or-later
"""What is applied of ingress controllers: it has the names that the check of it goes by."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.plugin_utils._ingress_controllers import CONTROLLERS
from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROLE = Path(__file__).parents[3] / "roles/kubernetes"


def objects(name: str) -> list[dict]:
    """A controller's manifest as Ansible's module template has it."""
    environment = Environment(
        loader=FileSystemLoader(ROLE / "templates/ingress"),
        trim_blocks=True,
        undefined=StrictUndefined,
        autoescape=False,
    )
    text = environment.get_template(f"{name}.yaml.j2").render(
        kubernetes_cluster={"endpoint": "192.0.2.11:6443"},
        __kubernetes_traefik_image="example.org/traefik:v0",
        __kubernetes_ingress_nginx_image="example.org/ingress-nginx/controller:v0",
    )
    return list(yaml.safe_load_all(text))


def of_kind(name: str, kind: str) -> dict:
    (found,) = [one for one in objects(name) if one["kind"] == kind]
    return found


@pytest.mark.parametrize("name", CONTROLLERS)
def test_it_is_what_the_check_asks_for(name):
    controller, service, pods = CONTROLLERS[name], of_kind(name, "Service"), of_kind(name, "Deployment")
    assert of_kind(name, "IngressClass")["metadata"]["name"] == name
    assert service["metadata"] == {"name": controller.service, "namespace": controller.namespace}
    assert (service["spec"]["type"], service["spec"]["externalTrafficPolicy"]) == ("LoadBalancer", "Local")
    labels = pods["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == controller.labels
    assert controller.labels.items() <= labels.items()
    (container,) = pods["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert set(controller.ports.values()) <= set(ports)
    targets = {port["port"]: port["targetPort"] for port in service["spec"]["ports"]}
    assert targets == {80: controller.ports["http"], 443: controller.ports["https"]}


@pytest.mark.parametrize("name", CONTROLLERS)
def test_no_class_is_the_default(name):
    assert "annotations" not in of_kind(name, "IngressClass")["metadata"]


def test_traefik_asks_the_api_itself_and_nobody_outside():
    (container,) = of_kind("traefik", "Deployment")["spec"]["template"]["spec"]["containers"]
    api = {"KUBERNETES_SERVICE_HOST": "192.0.2.11", "KUBERNETES_SERVICE_PORT": "6443"}
    assert {one["name"]: one["value"] for one in container["env"]} == api
    assert container["image"] == "example.org/traefik:v0"
    assert {"--global.checkNewVersion=false", "--global.sendAnonymousUsage=false"} <= set(container["args"])


def test_traefik_may_change_nothing_but_the_status_of_ingresses():
    rules = of_kind("traefik", "ClusterRole")["rules"]
    changing = [rule for rule in rules if not set(rule["verbs"]) <= {"get", "list", "watch"}]
    assert changing == [{"apiGroups": ["networking.k8s.io"], "resources": ["ingresses/status"], "verbs": ["update"]}]
