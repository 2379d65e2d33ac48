# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made for a lock, when it has to be made again, and where a mirror is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_lock import parse_lock
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import ArtifactError, Lock
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_plan import (
    Locate,
    Plan,
    Sources,
    plan_build,
    plan_fetch,
    unpinned,
)


def build(lock: Lock, sources: Sources, go: str = "go1.26.6", arch: str = "x86_64") -> Plan:
    return plan_build(lock, sources, go, arch)


def folders(plan: Plan) -> set[str]:
    return {item.folder for item in plan.items}


def test_build_makes_what_others_need_first(lock: Lock, sources: Sources) -> None:
    plan = build(lock, sources)
    assert [item.label for item in plan.items] == [
        "go tools v1.2.3",
        "go tunnel v2.0.0",
        "debian trixie",
        "image agent v1",
        "image pause 3",
    ]
    made: list[Any] = []
    for item in plan.items:
        assert all(need in made for need in item.needs)
        made.append(item)


def test_manifest_has_the_contract_s_form(lock: Lock, sources: Sources) -> None:
    plan = build(lock, sources)
    assert plan.manifest == {
        "key": plan.key,
        "source": "build",
        "binaries": {
            "tool": {"path": "bin/tool", "version": "v1.2.3", "destination": "/usr/bin/tool"},
            "agent": {"path": "bin/agent", "version": "v1.2.3", "destination": "/usr/bin/agent"},
        },
        "files": {},
        "images": {
            "example.org/agent:v1": {"path": "images/agent.tar"},
            "example.org/sub/pause:3": {"path": "images/pause.tar"},
        },
    }
    assert {path: (item.label, name) for path, (item, name) in plan.files.items()} == {
        "bin/tool": ("go tools v1.2.3", "tool"),
        "bin/agent": ("go tools v1.2.3", "agent"),
        "images/agent.tar": ("image agent v1", "image.tar"),
        "images/pause.tar": ("image pause 3", "image.tar"),
    }


# What is changed, and which items are then other ones.
CHANGES: dict[str, tuple[Callable[[dict[str, Any], Sources], Any], set[str]]] = {
    "nothing": (lambda data, sources: None, set()),
    "go.sum": (lambda data, sources: sources.go["tools"].update({"go.sum": "x"}), {"go-tools", "image-agent"}),
    "tags": (lambda data, sources: data["modules"]["tools"].update(tags=["a"]), {"go-tools", "image-agent"}),
    "a module no image has": (lambda data, sources: data["modules"]["tunnel"].update(cgo=False), {"go-tunnel"}),
    "a Containerfile": (
        lambda data, sources: sources.images["pause"].update(Containerfile="FROM scratch\n#"),
        {"image-pause"},
    ),
    "Debian's packages": (
        lambda data, sources: data["debian"]["debian"]["packages"].append("kmod"),
        {"debian-trixie", "image-agent"},
    ),
    "Debian's Containerfile": (
        lambda data, sources: sources.images["debian"].update(Containerfile="FROM scratch\n"),
        {"image-agent"},
    ),
    "upstream's digests": (lambda data, sources: data["downloads"]["tools"].update(sha256=None), set()),
}


@pytest.mark.parametrize("case", CHANGES)
def test_only_what_depends_on_a_change_is_made_again(case: str, data: dict[str, Any], lock: Lock, sources: Sources):
    before = build(lock, sources)
    change, expected = CHANGES[case]
    change(data, sources)
    after = build(parse_lock(data), sources)
    assert {folder.rsplit("-", 1)[0] for folder in folders(after) - folders(before)} == expected
    assert (after.key == before.key) == (not expected)


def test_another_go_or_machine_makes_other_programs(lock: Lock, sources: Sources) -> None:
    plans = [build(lock, sources), build(lock, sources, go="go1.27.0"), build(lock, sources, arch="aarch64")]
    assert len({plan.key for plan in plans}) == 3
    assert len({folder for plan in plans for folder in folders(plan) if folder.startswith("go-tools")}) == 3


def test_destination_is_part_of_the_key_but_of_no_item(data: dict[str, Any], lock: Lock, sources: Sources) -> None:
    before = build(lock, sources)
    data["binaries"]["tool"]["destination"] = "/opt/tool"
    after = build(parse_lock(data), sources)
    assert after.key != before.key
    assert folders(after) == folders(before)


@pytest.mark.parametrize(("part", "name"), [("go", "tools"), ("images", "pause")])
def test_missing_file_is_named(lock: Lock, sources: Sources, part: str, name: str) -> None:
    getattr(sources, part)[name].clear()
    with pytest.raises(ArtifactError, match=rf"there is no file {part}/{name}/"):
        build(lock, sources)


def test_upstream_takes_programs_out_of_archives_and_images(lock: Lock) -> None:
    plan = plan_fetch(lock, "upstream", Locate())
    assert [item.label for item in plan.items] == [
        "download tools v1.2.3",
        "pull agent v1",
        "pull pause 3",
        "member tool v1.2.3",
        "member agent v1",
    ]
    assert plan.items[0].params["url"] == "https://example.org/tools.tgz"
    assert plan.items[2].params["reference"] == "example.org/sub/pause:3"
    assert plan.manifest["binaries"]["agent"]["version"] == "v1"
    assert plan.texts == {}


def test_mirror_keeps_paths(lock: Lock) -> None:
    plan = plan_fetch(lock, "mirror", Locate("http://10.0.0.1:5000/lab", "http://10.0.0.1/files/"))
    assert plan.items[0].params["url"] == "http://10.0.0.1/files/example.org/tools.tgz"
    assert plan.items[2].params["reference"] == "10.0.0.1:5000/lab/sub/pause:3"
    assert plan.items[2].params["insecure"]
    assert list(plan.texts) == ["certs.d/example.org/hosts.toml"]
    assert plan.key != plan_fetch(lock, "upstream", Locate()).key


HOSTS = {
    "mirror.example:5000": 'server = "https://mirror.example:5000"\n\n[host."https://mirror.example:5000"]\n'
    'capabilities = ["pull", "resolve"]\n',
    "http://mirror.example/lab/": 'server = "http://mirror.example/v2/lab"\n\n[host."http://mirror.example/v2/lab"]\n'
    'capabilities = ["pull", "resolve"]\noverride_path = true\n',
}


@pytest.mark.parametrize("registry", HOSTS)
def test_hosts_toml(registry: str) -> None:
    assert Locate(registry).hosts_toml() == HOSTS[registry]


def test_unpinned_names_what_has_no_digest(data: dict[str, Any]) -> None:
    assert unpinned(parse_lock(data)) == []
    data["downloads"]["tools"]["sha256"] = None
    del data["images"]["example.org/sub/pause:3"]["digest"]
    assert unpinned(parse_lock(data)) == ["downloads.tools.sha256", "images.example.org/sub/pause:3.digest"]
