# SPDX-License-Identifier: GPL-3.0-or-later
"""What flannel's container does besides flanneld: a node's CNI configuration, once flannel has its subnet."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parents[3] / "roles/kubernetes/templates/cni"
CLUSTER = {
    "endpoint": "192.0.2.11:6443",
    "pod_cidr": "10.244.0.0/16",
    "proxy_mode": "nftables",
    "cni": {"backend": "vxlan", "vni": 1, "port": 8472},
}


def container() -> dict:
    """flannel's container, as Ansible's module template has it."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), trim_blocks=True, undefined=StrictUndefined, autoescape=False
    )
    environment.filters |= {"to_json": json.dumps, "hash": lambda _text, _kind: "0"}
    text = environment.get_template("flannel.yaml.j2").render(
        kubernetes_cluster=CLUSTER, __kubernetes_flannel_image="registry/flannel:1"
    )
    (found,) = (one for one in yaml.safe_load_all(text) if one["kind"] == "DaemonSet")
    return found["spec"]["template"]["spec"]["containers"][0]


def test_the_configuration_comes_with_the_subnet_and_again(tmp_path: Path) -> None:
    *shell, script = container()["startupProbe"]["exec"]["command"]
    run, cni, given = (tmp_path / name for name in ("run", "cni", "given"))
    for folder in (run, cni, given):
        folder.mkdir()
    (given / "cni-conf.json").write_text("{}")
    for path, folder in {"/run/flannel": run, "/etc/cni/net.d": cni, "/etc/kube-flannel": given}.items():
        script = script.replace(path, str(folder))
    with pytest.raises(subprocess.TimeoutExpired):  # it waits
        subprocess.run([*shell, script], check=False, timeout=0.3)
    assert list(cni.iterdir()) == []
    (run / "subnet.env").write_text("FLANNEL_SUBNET=10.244.0.1/24\n")
    for _time in range(2):
        subprocess.run([*shell, script], check=True, timeout=60)
        assert [path.name for path in cni.iterdir()] == ["10-flannel.conflist"]


def test_nothing_hangs_on_a_hook_that_the_kubelet_runs_once() -> None:
    assert "lifecycle" not in container()
