# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node sees of the cluster's DNS: who is asked, and where kube-proxy's rules are."""

from __future__ import annotations

import contextlib
import socketserver
import threading
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _dns_probe as probe
from ansible_collections.reftopo.lab.plugins.module_utils._probe_dns_server import Handler

SERVICE, CORE, CLIENT = "10.96.0.10", "10.244.0.2", "10.244.1.7"
NFT = "map service-ips { elements = { 10.96.0.10 . udp . 53 : goto service-x } }"
IPTABLES = "-A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m comment --comment x -m udp --dport 53 -j KUBE-SVC-X"
VIRTUAL = "UDP  0A60000A:0035 rr"


@pytest.mark.parametrize(
    ("nft", "iptables", "ipvs", "modes"),
    [
        ((0, NFT, ""), (0, "", ""), "", ["nftables"]),
        ((1, "", "No such file"), (0, IPTABLES, ""), "", ["iptables"]),
        ((1, "", ""), (0, "", ""), VIRTUAL, ["ipvs"]),
        ((0, NFT.replace("0.10", "0.1"), ""), (0, "", ""), "", []),
    ],
    ids=["nftables", "iptables", "ipvs", "another service's"],
)
def test_where_rules_are(monkeypatch, nft, iptables, ipvs, modes):
    monkeypatch.setattr(probe, "read", lambda _path: ipvs)
    assert probe.rules(lambda command: nft if command[0] == "nft" else iptables, SERVICE) == modes


def test_everybody_asks_everybody():
    asked = probe.questions([None, CLIENT], [SERVICE, CORE])
    assert [(one.source, one.server) for one in asked] == [
        (None, SERVICE),
        (None, CORE),
        (CLIENT, SERVICE),
        (CLIENT, CORE),
    ]


def test_a_pod_that_is_not_here_is_an_error_and_no_silence():
    found = probe.ask(probe.Question(CLIENT, SERVICE), "a.", 0.1, {})
    assert found["observed"] == "error"
    assert "no network namespace here has the address" in found["detail"]


@contextlib.contextmanager
def serving(records: dict[str, str]) -> t.Iterator[int]:
    """The server of a check at a free port, which is told."""
    handler = type("Knowing", (Handler,), {"records": records})
    with socketserver.UDPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    ("name", "detail"), [("a.", "code 0, 192.0.2.1"), ("b.", "code 3, no address")], ids=["a name", "no such name"]
)
def test_an_answer_is_one_whatever_it_says(monkeypatch, name, detail):
    monkeypatch.setattr(probe, "enter", lambda _path: None)
    with serving({"a.": "192.0.2.1"}) as port:
        monkeypatch.setattr(probe, "PORT", port)
        found = probe.ask(probe.Question(None, "127.0.0.1"), name, 5.0, {})
    assert found == {"from": None, "server": "127.0.0.1", "observed": "ok", "detail": detail}
