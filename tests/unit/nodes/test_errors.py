# SPDX-License-Identifier: GPL-3.0-or-later
"""Every error of the node modules, word for word: golden/<case>.txt."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _node_apply as node_apply
from ansible_collections.reftopo.lab.plugins.module_utils import _node_converge as node_converge
from ansible_collections.reftopo.lab.plugins.module_utils import _node_image as node_image
from ansible_collections.reftopo.lab.plugins.module_utils import _node_plan as node_plan
from ansible_collections.reftopo.lab.plugins.module_utils._node_model import Container, Image, Node, Observed, Seed
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner

GOLDEN = Path(__file__).parent / "golden"
IMAGE = Image("/nowhere/node-images/abc", "abc")


def nodes(*names: str, key: str = "key") -> dict[str, Node]:
    seeds = {node_plan.HOST_KEY: Seed(key)}
    return {
        name: Node(name, f"reftopo.small.{name}", f"/run/netns/reftopo.small.{name}", "127.0.0.1", f"/c/{name}", seeds)
        for name in names
    }


def answers(code: int, out: str, err: str) -> Runner:
    return Runner(lambda argv, **kwargs: (code, out, err))


def in_the_way() -> None:
    observed = {
        "cp1": Observed(Container("reftopo.small.cp1", "1", "exited", {})),
        "w1": Observed(Container("reftopo.small.w1", "2", "running", {"reftopo.topology": "other"})),
        "w2": Observed(image="older"),
        "w3": Observed(image="abc"),
    }
    raise NodeError("\n".join(node_plan.conflicts("small", observed, IMAGE, nodes(*observed))))


def missing() -> None:
    observed = {"cp1": Observed(netns=7), "w1": Observed()}
    raise NodeError("\n".join(node_plan.prerequisites(observed, IMAGE, nodes(*observed, key=""))))


def incomplete_nodes() -> None:
    node_converge.wanted_nodes({"nodes": {"cp1": {"netns": "x"}, "w1": {}}})


def command_failed() -> None:
    output = "".join(f"line {number}\n" for number in range(1, 31))
    answers(125, output, "Error: no such container\n").change(["podman", "start", "a b"])


def command_missing() -> None:
    def run(argv: list[str], handle_exceptions: bool) -> tuple[int, str, str]:
        raise FileNotFoundError(argv[0])

    Runner(run).change(["mmdebstrap", "trixie"])


def ssh_silent() -> None:
    journal = "Nov 23 10:00:00 w1 sshd[7]: Bad configuration option\n"
    node = nodes("w1")["w1"]
    node_apply.wait_for_ssh({"w1": node.address}, 0, lambda name: node_apply.journal(answers(0, journal, ""), node))


def ssh_silent_and_container_gone() -> None:
    stopped = answers(255, "", "Error: can only create exec sessions on running containers")
    node = nodes("w1")["w1"]
    node_apply.wait_for_ssh({"w1": node.address}, 0, lambda name: node_apply.journal(stopped, node))


def artifacts_missing() -> None:
    node_image.load_manifest("/nowhere/artifacts")


def artifacts_incomplete() -> None:
    problems = [
        *node_image.manifest_problems({"key": "k"}),
        *node_image.manifest_problems({"key": "k", "binaries": {}, "images": {"registry.k8s.io/etcd:3.7": {}}}),
    ]
    raise NodeError("\n".join(problems))


CASES: list[Callable[[], None]] = [
    in_the_way,
    missing,
    incomplete_nodes,
    command_failed,
    command_missing,
    ssh_silent,
    ssh_silent_and_container_gone,
    artifacts_missing,
    artifacts_incomplete,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_error(case: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setattr(node_apply, "SSH_PORT", free.getsockname()[1])
    with pytest.raises(NodeError) as caught:
        case()
    assert f"{caught.value}\n" == (GOLDEN / f"{case.__name__}.txt").read_text()


def test_every_golden_file_has_a_case() -> None:
    elsewhere = {"image_not_imported", "disk_full"}  # test_image_builder.py, test_disk_full.py
    assert {path.stem for path in GOLDEN.iterdir()} == {case.__name__ for case in CASES} | elsewhere


def test_a_manifest_that_is_no_json_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(NodeError, match=f"cannot read {tmp_path}/manifest.json"):
        node_image.load_manifest(str(tmp_path))


def test_a_manifest_of_others_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"key": "k"}))
    with pytest.raises(NodeError, match=f"^artifacts: {tmp_path}/manifest.json: no binaries, images"):
        node_image.load_manifest(str(tmp_path))
