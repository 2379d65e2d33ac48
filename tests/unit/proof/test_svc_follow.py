# SPDX-License-Identifier: GPL-3.0-or-later
"""What is concluded of a Deployment that was scaled and rolled, from what its Service answered all the while."""

from __future__ import annotations

import dataclasses
import http.server
import socket
import subprocess
import threading

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _probe_server as server
from ansible_collections.reftopo.lab.plugins.module_utils import _probe_steady as steady
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_svc_follow as follow
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Endpoint, Probe, ProofError
from service_network import ENDS, outcomes

OLD, NEW = {"old-1": "10.244.1.4", "old-2": "10.244.1.5"}, {"new-1": "10.244.1.6", "new-2": "10.244.1.7"}
REQUESTS = {"a-w1": [("old-1", 20), ("new-2", 1), ("old-2", 4), ("new-1", 30)]}
FLOW = [("old-2", 40), ("timeout", 2), ("new-1", 30)]
ROLLED = follow.Rolled(OLD, NEW, REQUESTS, FLOW, ({"10.244.1.5"}, {"10.244.1.6"}))


def changed(**parts) -> follow.Rolled:
    return dataclasses.replace(ROLLED, **parts)


def test_a_rollout_that_loses_nothing():
    assert follow.roll_faults(ROLLED) == []
    assert follow.flow_faults(ROLLED) == []
    assert follow.control_faults(ROLLED) == ["no request failed although all pods were ended before new ones began"]


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        ([("old-1", 20), ("refused", 1), ("new-1", 30)], "a-w1: of 51 requests failed: refused 1"),
        (
            [("old-1", 20), ("timeout", 2), ("error", 1), ("new-1", 30)],
            "a-w1: of 53 requests failed: timeout 2, error 1",
        ),
        ([("old-1", 20), ("new-1", 1)], "a-w1: only 21 requests were made, must be 40 or more"),
        ([("new-1", 50)], "a-w1: no pod of before answered"),
        ([("new-1", 20), ("old-1", 50)], "a-w1: the last answer was old-1, of no new pod"),
        ([("old-1", 20), ("web", 1), ("new-1", 30)], "a-w1: of 51 requests failed: web 1"),
    ],
)
def test_what_a_rolling_update_must_not_do(found, fault):
    assert follow.roll_faults(changed(requests={"a-w1": found})) == [fault]


def test_requests_are_told_with_how_many_failed():
    lost = [("old-1", 20), ("refused", 2), ("timeout", 1), ("new-1", 30)]
    told = follow.series(changed(requests={**REQUESTS, "a-cp1": lost}, flow_from="a-cp1"))
    assert [(one["from"], one["protocol"], one["asked"], one["failed"], one["ok"]) for one in told] == [
        ("a-w1", "tcp", 55, 0, True),
        ("a-cp1", "tcp", 53, 3, False),
        ("a-cp1", "udp", 72, 2, True),
    ]
    assert told[1]["detail"] == "of 53 requests failed: refused 2, timeout 1"
    assert told[1]["runs"] == [list(run) for run in lost]
    assert {tuple(one["before"] + one["after"]) for one in told} == {("old-1", "old-2", "new-1", "new-2")}
    assert {one["control"] for one in told} == {None}


@pytest.mark.parametrize(("lost", "ok"), [([], False), ([("refused", 3)], True)])
def test_of_the_control_some_requests_are_to_fail(lost, ok):
    found = {"a-w1": [("old-1", 20), *lost, ("new-1", 30)], "a-cp1": [("old-1", 20), ("new-1", 30)]}
    told = follow.series(changed(requests=found), "strategy Recreate")
    assert [(one["from"], one["expect"], one["ok"]) for one in told] == [
        ("a-w1", "some fail", ok),
        ("a-cp1", "some fail", ok),
    ]
    assert {one["control"] for one in told} == {"strategy Recreate"}


def test_pods_that_stayed_show_nothing():
    assert follow.roll_faults(changed(new={**NEW, "old-1": "10.244.1.4"})) == ["old-1 was not made anew"]


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ({"flow": [("old-1", 4), ("old-2", 4), ("new-1", 4)]}, "with one pod of before, but met ['old-1', 'old-2']"),
        ({"flow": [("old-1", 40), ("timeout", 9)]}, "its last answer was timeout, of no new pod"),
        ({"tracked": (set(), {"10.244.1.6"})}, "did not have it before, so says nothing"),
        ({"tracked": ({"10.244.1.5"}, {"10.244.1.5", "10.244.1.6"})}, "still leads to 10.244.1.5"),
    ],
)
def test_what_a_flow_must_not_do(parts, fault):
    (told,) = follow.flow_faults(changed(**parts))
    assert fault in told


@pytest.mark.parametrize(("word", "seen"), [("refused", True), ("timeout", True), ("error", False)])
def test_only_a_failure_that_the_network_tells_is_a_control(word, seen):
    found = changed(requests={"a-w1": [("old-1", 4), (word, 3), ("new-1", 4)]})
    assert bool(follow.control_faults(found)) != seen


def scaled(replicas: int, pods: tuple[str, ...], *ends: str, misled: tuple[str, ...] = ()) -> follow.Scaled:
    target = Endpoint("moving", "services", None, "10.96.1.1", ports={"tcp": 80}, answers=pods)
    expect = ("ok",) if pods else ("refused",)
    probes = [Probe("services", ENDS["pods"][0], target, "tcp", expect) for _try in range(4)]
    return follow.Scaled(replicas, pods, ends, list(misled), outcomes(probes))


def test_a_service_follows_its_deployment():
    assert follow.scale_faults([scaled(2, ("p", "q"), "1", "2"), scaled(0, ())]) == []


def test_what_does_not_follow_is_told():
    alone = dataclasses.replace(scaled(2, ("p", "q"), "1", "2"), pods=("p", "q", "r"))
    assert follow.scale_faults([alone]) == ["2 replicas: tcp from a-cp1: r never answered"]
    late = scaled(0, (), "1", misled=("w1: to 1",))
    assert follow.scale_faults([late]) == ["0 replicas: the API has 1 ready endpoints", "0 replicas: w1: to 1"]
    assert follow.scale_faults([dataclasses.replace(late, ends=(), misled=[], outcomes=[])])[0].endswith("was asked")


# `conntrack -L -p udp` of a node, shortened.
TRACKED = """\
udp      17 119 src=10.244.0.2 dst=10.96.1.1 sport=40001 dport=80 src=10.244.1.5 dst=10.244.0.2 sport=8081 dport=40001 \
[ASSURED] mark=0 use=1
udp      17 29 src=10.244.0.2 dst=10.96.0.10 sport=4 dport=53 src=10.244.1.9 dst=10.244.0.2 sport=53 dport=4 mark=0
tcp      6 119 src=10.244.0.2 dst=10.96.1.1 sport=4 dport=80 src=10.244.1.7 dst=10.244.0.2 sport=8080 dport=4 [ASSURED]
"""


def test_connection_tracking_tells_where_a_service_leads():
    assert follow.tracked(TRACKED, "10.96.1.1", 80) == {"10.244.1.5"}
    assert follow.tracked("", "10.96.1.1", 80) == set()


def test_what_asked_all_the_while_is_read_or_broke():
    assert follow.runs('[["old-1", 3], ["refused", 1]]') == [("old-1", 3), ("refused", 1)]
    with pytest.raises(ProofError, match="broke: 'Traceback"):
        follow.runs("Traceback")


@pytest.fixture
def served():
    """The probe server on localhost, and its ports."""
    server.HttpHandler.name = server.UdpHandler.name = "me"
    tcp = server.TcpServer(("127.0.0.1", 0), server.HttpHandler)
    udp = server.socketserver.ThreadingUDPServer(("127.0.0.1", 0), server.UdpHandler)
    for one in (tcp, udp):
        threading.Thread(target=one.serve_forever, daemon=True).start()
    yield {"tcp": tcp.server_address[1], "udp": udp.server_address[1]}
    for one in (tcp, udp):
        one.shutdown()
        one.server_close()


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_the_steady_asker_tells_who_answers(served, protocol):
    ask = {"tcp": steady.by_tcp, "udp": steady.by_udp}[protocol]("127.0.0.1", served[protocol])
    runs: list[list] = []
    for _try in range(3):
        steady.note(runs, steady.answer(ask))
    assert runs == [["me", 3]]


def test_the_steady_asker_tells_what_comes_in_place_of_an_answer():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    runs: list[list] = []
    for word in (
        steady.answer(steady.by_udp("127.0.0.1", port)),
        steady.answer(steady.by_tcp("127.0.0.1", port)),
        "me",
    ):
        steady.note(runs, word)
    assert runs == [["refused", 2], ["me", 1]]


def test_a_broken_server_is_an_error():
    class Broken(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(500)

        def log_message(self, *dummy) -> None:
            pass

    with server.TcpServer(("127.0.0.1", 0), Broken) as broken:
        threading.Thread(target=broken.handle_request, daemon=True).start()
        assert steady.answer(steady.by_tcp("127.0.0.1", broken.server_address[1])) == "error"


def test_the_steady_asker_runs_by_itself_and_says_when_there_is_no_such_pod():
    target = Endpoint("moving", "services", None, "127.0.0.1", ports={"tcp": 1})
    command = commands.steady(Endpoint("a", "pods", "w1", "192.0.2.7"), "tcp", target, 0.05)
    done = subprocess.run(["sh", "-c", command], input="", capture_output=True, text=True, check=False)
    assert "no network namespace here has the address 192.0.2.7" in done.stderr
    assert steady.ASKING not in done.stderr
