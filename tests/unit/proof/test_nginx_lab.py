# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole check of how ingress-nginx follows, by a small cluster that does as it must, or in one thing otherwise."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import types
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_nginx as proof
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_nginx_lab as lab_of
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_nginx_objects as made
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, ProofError
from nginx_pod import printed

PORTS = [{"name": scheme, "containerPort": port} for scheme, port in (("http", 80), ("https", 443))]
ADDRESSES = {"one": "10.244.1.5", "two": "10.244.0.5", "controller": "10.244.1.9"}


def pod(name: str, ready: bool = True) -> Data:
    conditions = [{"type": "Ready", "status": str(ready)}]
    status = {"podIP": ADDRESSES[name], "conditions": conditions}
    return {
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"nodeName": "w1", "containers": [{"image": "agnhost", "ports": PORTS}]},
        "status": status,
    }


class Cluster:
    """Answers kubectl and requests as ingress-nginx would; `otherwise` names what it does wrong."""

    def __init__(self, otherwise: str = "") -> None:
        self.otherwise = otherwise
        self.ingresses, self.members = {made.FIRST: made.ingress(made.FIRST)}, ["one"]
        self.servers, self.endpoints = [made.FIRST], ["one"]
        self.generation, self.stopped, self.ready = 1, False, True
        self.log = ""

    def run(self, command: str) -> str:
        if "label pod" in command:
            self.members = re.findall(rf"label pod (\w+) {made.IN}=yes", command)
        elif " apply " in command or " delete " in command:
            self.change(command)
        elif " logs " in command:
            return self.log
        elif " get " in command:
            return self.get(command)
        elif command.startswith("python3"):
            return json.dumps({host: self.answers(host) * count for host, count in asked(command).items()})
        elif made.NEXT in shlex.split(command)[-1]:
            workers = [100 * self.generation, 100 * self.generation + 1]
            return printed(self.servers, workers, [ADDRESSES[name] for name in self.endpoints])
        self.follow()
        return ""

    def get(self, command: str) -> str:
        if " get namespaces " in command:
            return ""
        mine = f"--namespace={made.NAMESPACE}" in command
        return json.dumps({"items": [pod("one"), pod("two", self.ready)] if mine else [pod("controller")]})

    def change(self, command: str) -> None:
        for item in json.loads(shlex.split(command)[2])["items"]:
            name = item["metadata"]["name"]
            if " delete " in command:
                del self.ingresses[name]
            else:
                self.ingresses[name] = item

    def follow(self) -> None:
        """What the controller's program does when something has changed."""
        if self.stopped and self.otherwise != "followed while stopped":
            return
        if made.BROKEN in self.ingresses and self.otherwise != "broken is skipped":
            if self.otherwise != "no warning":
                self.log += f'nginx: [emerg] pcre2_compile() failed in "^{made.BAD_PATH}"\n'
            return
        bad = (made.BROKEN,) if self.otherwise == "refused is taken" else (made.BROKEN, made.REFUSED)
        wanted = [name for name in self.ingresses if name not in bad]
        other = self.endpoints != self.members and self.otherwise == "reloads for endpoints"
        if (wanted != self.servers and self.otherwise != "never reloads") or other:
            self.generation += 1
        self.servers, self.endpoints = wanted, list(self.members)

    def answers(self, host: str) -> list[str]:
        if host.partition(".")[0] not in self.servers:
            return ["404"]
        return [f"200 {name}" for name in self.endpoints] or ["503"]


def asked(command: str) -> dict[str, int]:
    return t.cast("dict[str, int]", json.loads(shlex.split(command)[-1]))


@pytest.fixture
def prove(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[Cluster], proof.Seen]:
    """Runs a whole check of a cluster, in which a command that is held stops the program and lets it go on."""

    def of(cluster: Cluster) -> proof.Seen:
        @contextlib.contextmanager
        def hold(wanted: list[tuple[t.Any, str, str]]) -> t.Iterator[list[t.Any]]:
            stops = "kill -STOP" in wanted[0][1]
            assert stops == ("kill -CONT" in wanted[0][1])
            cluster.stopped = stops
            yield []
            cluster.stopped = False
            cluster.follow()

        monkeypatch.setattr(lab_of, "held_together", hold)
        topology = {"nodes": {"cp1": {}, "w1": {}}}
        return lab_of.prove(
            t.cast("t.Any", types.SimpleNamespace(topology=topology, objects=[pod("one")], control_plane=cluster))
        )

    for name in ("FOLLOWED", "STILL", "READY"):
        monkeypatch.setattr(lab_of, name, 0.0)
    return of


def wrong(seen: proof.Seen) -> set[str]:
    return {claim.key for claim in proof.claims({}) if proof.faults(claim, seen)}


def test_all_claims_hold_of_a_controller_that_does_as_it_must(prove: t.Callable[[Cluster], proof.Seen]) -> None:
    seen = prove(Cluster())
    assert {claim.key: proof.faults(claim, seen) for claim in proof.claims({})} == {key: [] for key in proof.TOLD}


@pytest.mark.parametrize(
    ("otherwise", "claims"),
    [
        ("never reloads", {"reload", "skipped", "waits", "caught-up"}),
        ("reloads for endpoints", {"followed"}),
        ("refused is taken", {"skipped", "waits", "caught-up"}),
        ("broken is skipped", {"stuck", "warned", "waits"}),
        ("no warning", {"warned"}),
        ("followed while stopped", {"alone", "caught-up"}),
    ],
)
def test_what_it_does_otherwise_is_noticed(
    prove: t.Callable[[Cluster], proof.Seen], otherwise: str, claims: set[str]
) -> None:
    seen = prove(Cluster(otherwise))
    assert wrong(seen) == claims


def test_pods_that_are_not_ready_end_the_suite(prove: t.Callable[[Cluster], proof.Seen]) -> None:
    cluster = Cluster()
    cluster.ready = False
    with pytest.raises(ProofError, match="are not ready"):
        prove(cluster)
