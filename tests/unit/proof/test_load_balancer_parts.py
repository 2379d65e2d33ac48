# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the load balancer's proof: services and what the cluster says of them, questions by ARP, speakers."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils import _probe_arp as arp
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_load_balancer_objects as made
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data

TOPOLOGY: Data = {
    "cluster": {"control_plane": ["cp1"], "workers": ["w1", "w2"]},
    "nodes": {"cp1": {}, "w1": {}, "w2": {}},
}


def test_what_the_cluster_says_is_read():
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "podIP": "10.0.0.2"}
    event = {"reason": "AllocationFailed", "message": "no", "involvedObject": {"name": "a"}}
    items = [
        {"kind": "Service", "metadata": {"name": "a"}, "status": {"loadBalancer": {}}},
        {
            "kind": "Service",
            "metadata": {"name": "b"},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.240"}]}},
        },
        {"kind": "Pod", "metadata": {"name": "p"}, "status": ready},
        {"kind": "Pod", "metadata": {"name": "q"}, "status": {**ready, "conditions": []}},
        {"kind": "Event", "metadata": {"name": "e"}, "source": {"component": made.SOURCE}, **event},
        {"kind": "Event", "metadata": {"name": "f"}, "source": {"component": "endpoint-slice-controller"}, **event},
    ]
    found = made.state(items)
    assert found.services == {"a": "", "b": "192.0.2.240"}
    assert found.pods == {"p": "10.0.0.2", "q": ""}
    assert found.told == {"a": ["AllocationFailed: no"]}


def test_objects_are_the_services_of_the_claims():
    found = made.objects(TOPOLOGY, "image", "192.0.2.2")
    services = {one["metadata"]["name"]: one for one in found if one["kind"] == "Service"}
    assert set(services) == {"anywhere", "local-w1", "local-w2", "elsewhere", "foreign"}
    policies = {name: one["spec"].get("externalTrafficPolicy") for name, one in services.items()}
    assert policies == {
        "anywhere": "Cluster",
        "local-w1": "Local",
        "local-w2": "Local",
        "elsewhere": None,
        "foreign": None,
    }
    assert services["elsewhere"]["metadata"]["annotations"] == {made.WANTED: "192.0.2.2"}
    assert all(made.MARK in one["metadata"]["labels"] for one in found)


class Wire:
    """A wire on which each request is answered by some machines, and once by nobody's own accord."""

    def __init__(self, answers: dict[str, list[bytes]]) -> None:
        self.answers, self.waiting = answers, [b"too short", b"\xff" * 60]

    def getsockname(self) -> tuple[t.Any, ...]:
        return ("eth0", 0x0806, 0, 1, bytes.fromhex("020000000001"))

    def settimeout(self, _left: float) -> None:
        pass

    def send(self, frame: bytes) -> None:
        asked = ".".join(map(str, frame[38:42]))
        for mac in self.answers.get(asked, []):
            answer = bytearray(frame)
            answer[20:22], answer[22:28], answer[28:32] = b"\x00\x02", mac, frame[38:42]
            self.waiting.append(bytes(answer))

    def recv(self, _size: int) -> bytes:
        if not self.waiting:
            raise TimeoutError
        return self.waiting.pop(0)


def test_everybody_who_answers_arp_counts():
    one, other = bytes.fromhex("02aa00000001"), bytes.fromhex("02aa00000002")
    wire = Wire({"192.0.2.240": [one, other], "192.0.2.241": [one], "192.0.2.1": [other]})
    found = arp.ask(wire, "192.0.2.201", ["192.0.2.240", "192.0.2.241", "192.0.2.242"])
    assert found == {
        "192.0.2.240": ["02:aa:00:00:00:01", "02:aa:00:00:00:02"],
        "192.0.2.241": ["02:aa:00:00:00:01"],
        "192.0.2.242": [],
    }


def test_a_request_is_one_of_rfc_826():
    frame = arp.request(bytes.fromhex("020000000001"), "192.0.2.201", "192.0.2.240")
    assert (
        frame.hex()
        == "ffffffffffff0200000000010806" + "0001080006040001" + "020000000001" + "c00002c9" + 12 * "0" + "c00002f0"
    )
    assert arp.claim(frame) == ("192.0.2.201", "02:00:00:00:00:01")


def test_speakers_are_taken_away_and_given_back():
    command = commands.unstaff("kubectl -n x", "daemonset/speaker")
    before, _cat, after = command.partition("cat >/dev/null; ")
    assert '"reftopo.lab/nowhere": ""' in before
    assert '"reftopo.lab/nowhere": null' in after
