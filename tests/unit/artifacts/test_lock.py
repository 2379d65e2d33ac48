# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's own lock fits its files, and every error of a lock, word for word: golden/lock-<case>.txt."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_converge import read_sources
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_lock import parse_lock
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import ArtifactError
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_plan import plan_build

GOLDEN = Path(__file__).parent / "golden"
FILES = Path(__file__).parents[3] / "roles/artifacts/files"
OWN = yaml.safe_load((FILES / "lock.yml").read_text())

Change = Callable[[dict[str, Any]], Any]
CASES: dict[str, Change] = {
    "empty": lambda data: data.clear(),
    "unknown-keys": lambda data: (
        data.update(extra=1),
        data["modules"]["tools"].update(flags=[]),
        data["debian"]["debian"].update(mirror="x"),
    ),
    "missing-keys": lambda data: (data["toolchain"].pop("sha256"), data["binaries"]["tool"].pop("destination")),
    "wrong-types": lambda data: (
        data["modules"]["tools"].update(cgo="yes", tags="a,b", symbols=["x"], leave_out={"a": "b"}),
        data["modules"]["tunnel"].update(instead={"a": ["b"]}),
        data["downloads"]["tools"].update(sha256=1),
        data["images"].update({"example.org/agent:v1": "latest"}),
    ),
    "references": lambda data: (
        data["binaries"]["tool"].update(module="tols", download="nothing"),
        data["binaries"]["agent"].update(download="tools"),
        data["images"]["example.org/agent:v1"].update(programs={"agent": "none"}),
        data["modules"]["tunnel"].update(files={"a": "b"}),
        data["files"].update(note={"destination": "/note", "module": "tools"}),
    ),
    "digests": lambda data: (
        data["toolchain"].update(sha256=["short"]),
        data["downloads"]["tools"].update(sha256="AB" * 32),
        data["images"]["example.org/agent:v1"].update(digest="sha512:00"),
        data["images"]["example.org/sub/pause:3"].update(digest="00" * 32),
        data["debian"]["debian"].update(sha256={"a_1_amd64.deb": "AB"}),
    ),
    "cnis": lambda data: (
        data["images"]["example.org/agent:v1"].update(cni="calico"),
        data["binaries"]["tool"].update(cni="flanel"),
    ),
    "addons": lambda data: (
        data["images"]["example.org/agent:v1"].update(addon="metallb"),
        data["binaries"]["tool"].update(addon="metalb"),
    ),
    "image-names": lambda data: data["images"].update(
        {"agent": {}, "example.net/x/pause:4": {}, "example.net/y/pause:4": {"folder": "other"}}
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_errors(case: str, data: dict[str, Any]) -> None:
    CASES[case](data)
    with pytest.raises(ArtifactError) as error:
        parse_lock(data)
    assert f"{error.value}\n" == (GOLDEN / f"lock-{case}.txt").read_text()


def test_every_golden_file_has_its_case() -> None:
    assert {path.stem for path in GOLDEN.glob("lock-*.txt")} == {f"lock-{case}" for case in CASES}


def test_own_lock_fits_the_files() -> None:
    plan = plan_build(parse_lock(OWN), read_sources(str(FILES)), "go1.26.6", "x86_64")
    assert {"registry.k8s.io/kube-proxy:v1.37.2", "registry.k8s.io/pause:3.10.2"} <= set(plan.manifest["images"])
    assert {path.name for path in (FILES / "go").iterdir()} == set(OWN["modules"])
    shorts = {image.short for image in parse_lock(OWN).images.values()}
    assert {path.name for path in (FILES / "images").iterdir()} == {*shorts, "debian"}


@pytest.mark.parametrize("name", OWN["modules"])
def test_go_mod_compiles_the_version_that_the_lock_names(name: str) -> None:
    text = (FILES / "go" / name / "go.mod").read_text()
    assert f" {OWN['modules'][name]['version']}" in text
    assert f"module reftopo.lab/artifacts/{name}\n" in text
    assert (FILES / "go" / name / "go.sum").stat().st_size > 0


@pytest.mark.parametrize(("module", "least"), [("metallb", 20), ("traefik", 10)])
def test_an_add_on_is_compiled_from_what_kubernetes_is_compiled_from(module: str, least: int) -> None:
    """Of each module that go.mod keeps from being newer it has the version that Kubernetes has."""
    kubernetes, text = ((FILES / "go" / name / "go.mod").read_text() for name in ("kubernetes", module))
    excluded = re.findall(r"^\t(\S+) \S+$", text[text.index("exclude (") :], re.M)
    assert len(set(excluded)) > least
    for other in excluded:
        line = re.search(rf"^\t{re.escape(other)} v\S+ // indirect$", text, re.M)
        assert line and line[0] in kubernetes, other


def test_ingress_nginx_has_kubernetes_libraries() -> None:
    kubernetes, text = ((FILES / "go" / name / "go.mod").read_text() for name in ("kubernetes", "ingress-nginx"))
    libraries = re.findall(r"^\tk8s.io/(?!ingress-nginx)\S+ .*$", text, re.M)
    assert len(libraries) > 5 and all(line in kubernetes for line in libraries)


@pytest.mark.parametrize("name", OWN["modules"])
def test_symbols_carry_the_version(name: str) -> None:
    module = OWN["modules"][name]
    versions = [v for s, v in module.get("symbols", {}).items() if re.search(r"(gitV|V|\.v)ersion$", s)]
    assert all(version == module["version"] for version in versions)


@pytest.mark.parametrize("name", OWN["images"])
def test_containerfile_copies_what_the_image_holds(name: str) -> None:
    image = parse_lock(OWN).images[name]
    text = (FILES / "images" / image.short / "Containerfile").read_text()
    lines = re.findall(r"^COPY (?:--chown=\S+ )?(?!--)(.*) \S+$", text, re.M)
    beside = {path.name for path in (FILES / "images" / image.short).iterdir()} - {"Containerfile"}
    assert {word for line in lines for word in line.split()} == {*image.programs, *beside}
    layers = {f"localhost/reftopo/{layer}" for layer in OWN["debian"]}
    assert set(re.findall(r"^FROM (\S+)", text, re.M)) <= {"scratch", *layers}
    assert "RUN" not in text


def test_downloads_are_of_the_version_that_the_lock_names() -> None:
    for entry in OWN["downloads"].values():
        assert entry["version"].lstrip("v").split("-")[0] in entry["url"]
