# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes have what their cluster's CNI and add-ons need and nothing of others, neither made nor fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_converge import read_sources
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_lock import parse_lock
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import ADDONS, CNIS, ArtifactError, of_cluster
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_plan import (
    Locate,
    Plan,
    Sources,
    plan_build,
    plan_fetch,
)

FILES = Path(__file__).parents[3] / "roles/artifacts/files"
OWN = yaml.safe_load((FILES / "lock.yml").read_text())
COMMON = {"registry.k8s.io/kube-proxy:v1.37.2", "registry.k8s.io/pause:3.10.2"}
ROUTER = {"destination": "/usr/share/router.yaml", "module": "router", "download": "router.yaml", "cni": "calico"}


@pytest.fixture
def data(data: dict[str, Any]) -> dict[str, Any]:
    """The small lock with something for clusters of one CNI: a binary and its image, a file, a layer."""
    tunneld = {"destination": "/tunneld", "module": "tunnel", "image": "example.org/tunnel:v2", "member": "tunneld"}
    data["debian"]["bird"] = {"suite": "bookworm", "packages": ["bird=1"], "sha256": {"bird_1_amd64.deb": "ab" * 32}}
    data["modules"]["router"] = {"version": "v3", "path": "example.org/router", "files": {"router.yaml": "a.yaml"}}
    data["downloads"]["router.yaml"] = {"version": "v3", "url": "https://example.org/router.yaml", "sha256": None}
    data["binaries"]["tunneld"] = {**tunneld, "cni": "flannel"}
    data["files"]["router.yaml"] = ROUTER
    data["images"]["example.org/tunnel:v2"] = {"programs": {"tunneld": "tunnel"}, "cni": "flannel"}
    data["images"]["example.org/router:v3"] = {"programs": {"router": "router"}, "cni": "calico"}
    return data


@pytest.fixture
def sources(sources: Sources) -> Sources:
    """Their files."""
    sources.go["router"] = {"go.mod": "module router\n\ngo 1.26.0\n"}  # type: ignore[index]
    sources.images["tunnel"] = {"Containerfile": "FROM scratch\nCOPY tunneld /\n"}  # type: ignore[index]
    sources.images["router"] = {  # type: ignore[index]
        "Containerfile": "FROM localhost/reftopo/bird AS bird\nFROM localhost/reftopo/debian\nCOPY router /\n"
    }
    return sources


@pytest.fixture
def with_addon(data: dict[str, Any], sources: Sources) -> dict[str, Any]:
    """The same with something for clusters with an add-on."""
    data["modules"]["balancer"] = {"version": "v4"}
    data["images"]["example.org/balancer:v4"] = {"programs": {"balancer": "balancer"}, "addon": "metallb"}
    sources.go["balancer"] = {"go.mod": "module balancer\n\ngo 1.26.0\n"}  # type: ignore[index]
    sources.images["balancer"] = {"Containerfile": "FROM scratch\nCOPY balancer /\n"}  # type: ignore[index]
    return data


def labels(plan: Plan) -> list[str]:
    return [item.label for item in plan.items]


def built(data: dict[str, Any], sources: Sources, cni: str) -> Plan:
    return plan_build(of_cluster(parse_lock(data), cni), sources, "go1.26.6", "x86_64")


def test_build(data: dict[str, Any], sources: Sources) -> None:
    common = ["image agent v1", "image pause 3"]
    assert labels(built(data, sources, "flannel")) == [
        *("go tools v1.2.3", "go tunnel v2.0.0", "debian trixie", *common, "image tunnel v2")
    ]
    assert labels(built(data, sources, "calico")) == [
        *("go tools v1.2.3", "go router v3", "debian trixie", "debian bookworm", *common, "image router v3")
    ]


def test_fetch(data: dict[str, Any]) -> None:
    common = ["pull agent v1", "pull pause 3"]
    assert labels(plan_fetch(of_cluster(parse_lock(data), "flannel"), "upstream", Locate())) == [
        *("download tools v1.2.3", *common, "pull tunnel v2"),
        *("member tool v1.2.3", "member agent v1", "member tunneld v2"),
    ]
    assert labels(plan_fetch(of_cluster(parse_lock(data), "calico"), "upstream", Locate())) == [
        *("download tools v1.2.3", "download router.yaml v3", *common, "pull router v3"),
        *("member tool v1.2.3", "member agent v1", "member router.yaml v3"),
    ]


@pytest.mark.parametrize("cni", CNIS)
def test_an_addon_is_only_where_it_is_wanted(with_addon: dict[str, Any], sources: Sources, cni: str) -> None:
    lock = parse_lock(with_addon)
    without, with_it = (
        plan_build(of_cluster(lock, cni, addons), sources, "go1.26.6", "x86_64") for addons in ((), ADDONS)
    )
    assert without.key != with_it.key
    assert {item.folder for item in without.items} < {item.folder for item in with_it.items}
    assert set(labels(with_it)) - set(labels(without)) == {"go balancer v4", "image balancer v4"}


def test_files_are_apart_from_programs(data: dict[str, Any], sources: Sources) -> None:
    plan = built(data, sources, "calico")
    entry = {"path": "files/router.yaml", "version": "v3", "destination": "/usr/share/router.yaml"}
    assert plan.manifest["files"] == {"router.yaml": entry}
    assert "router.yaml" not in plan.manifest["binaries"]
    item, name = plan.files["files/router.yaml"]
    assert (item.label, name) == ("go router v3", "router.yaml")
    assert built(data, sources, "flannel").manifest["files"] == {}


def test_pinned_packages_are_of_one_kind_of_machine(data: dict[str, Any], sources: Sources) -> None:
    flannel, calico = (of_cluster(parse_lock(data), cni) for cni in CNIS)
    plan_build(flannel, sources, "go1.26.6", "aarch64")
    with pytest.raises(ArtifactError) as error:
        plan_build(calico, sources, "go1.26.6", "aarch64")
    assert str(error.value) == (
        "debian.bird.sha256: has bird_1_amd64.deb, and this machine is arm64."
        " Take another source, or pin arm64's packages in the lock."
    )


CHANGES: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "a digest of a layer": ("debian", "bird", {"sha256": {"bird_1_amd64.deb": "cd" * 32}}, "debian-bookworm"),
    "the files of a module": ("modules", "router", {"files": {"router.yaml": "b.yaml"}}, "go-router"),
    "lines left out": ("modules", "router", {"leave_out": {"router.yaml": ["x"]}}, "go-router"),
    "other lines": ("modules", "router", {"instead": {"router.yaml": {"x": "y"}}}, "go-router"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_only_one_cni_s_artifacts_change(data: dict[str, Any], sources: Sources, case: str) -> None:
    section, name, change, made = CHANGES[case]
    before = {cni: built(data, sources, cni) for cni in CNIS}
    data[section][name].update(change)
    after = {cni: built(data, sources, cni) for cni in CNIS}
    assert after["flannel"].key == before["flannel"].key
    new = {item.folder for item in after["calico"].items} - {item.folder for item in before["calico"].items}
    assert {folder.rsplit("-", 1)[0] for folder in new} == {made, "image-router"}


@pytest.mark.parametrize("cni", CNIS)
def test_own_lock(cni: str) -> None:
    plan = plan_build(of_cluster(parse_lock(OWN), cni), read_sources(str(FILES)), "go1.26.6", "x86_64")
    (other,) = set(CNIS) - {cni}
    names = {*plan.manifest["images"], *plan.manifest["files"], *plan.manifest["binaries"], *labels(plan)}
    assert set(plan.manifest["images"]) >= COMMON
    assert [name for name in names if cni in name]
    assert [name for name in names if any(word in name for word in (other, *ADDONS))] == []


def test_own_lock_with_ingress_nginx() -> None:
    """The last release upstream; of the newest commit that Go's proxies have where it is built."""
    lock = of_cluster(parse_lock(OWN), "flannel", ["nginx"])
    plan = plan_build(lock, read_sources(str(FILES)), "go1.26.6", "x86_64")
    image = "registry.k8s.io/ingress-nginx/controller:v1.15.1"
    assert plan.manifest["images"][image] == {"path": "images/ingress-nginx.tar"}
    assert {"go ingress-nginx v0.0.0-20240708192948-52c50467d67d", "image ingress-nginx v1.15.1"} <= set(labels(plan))
    order = [item.name for item in plan.items if item.kind == "go"]
    assert order.index("kubernetes") < order.index("ingress-nginx")
    assert OWN["modules"]["ingress-nginx"]["tags"] == OWN["modules"]["kubernetes"]["tags"]


def test_own_lock_with_metallb() -> None:
    lock = of_cluster(parse_lock(OWN), "flannel", ["metallb"])
    plan = plan_build(lock, read_sources(str(FILES)), "go1.26.6", "x86_64")
    images = {f"quay.io/metallb/{name}:v0.16.2" for name in ("controller", "speaker")}
    assert set(plan.manifest["images"]) >= {*COMMON, *images}
    assert plan.manifest["files"]["metallb.yaml"]["version"] == "v0.16.2"
    # Go finds what Kubernetes has compiled when it compiles MetalLB.
    order = [item.name for item in plan.items if item.kind == "go"]
    assert order.index("kubernetes") < order.index("metallb")
    assert OWN["modules"]["metallb"]["tags"] == OWN["modules"]["kubernetes"]["tags"]
