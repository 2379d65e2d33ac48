# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe agent's words for what the network says, and its way to pods and names."""

from __future__ import annotations

import errno
import io
import os
import socket
import socketserver
import struct
import threading
import time

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _probe_agent as agent
from ansible_collections.reftopo.lab.plugins.module_utils import _probe_dns as dns
from ansible_collections.reftopo.lab.plugins.module_utils import _probe_protocols as protocols
from ansible_collections.reftopo.lab.plugins.module_utils import _probe_server as server

FIB_TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.244.1.0/24 2 0 2
        |-- 10.244.1.0
           /24 link UNICAST
        |-- 10.244.1.2
           /32 host LOCAL
        |-- 10.244.1.255
           /32 link BROADCAST
     |-- 127.0.0.1
        /32 host LOCAL
"""
RESOLV_CONF = """# made by kubelet
search reftopo-verify.svc.cluster.local svc.cluster.local cluster.local
nameserver 10.96.0.10
options ndots:5
"""
CLUSTER = dns.Resolver("10.96.0.10", ["reftopo-verify.svc.cluster.local", "svc.cluster.local", "cluster.local"], 5)
NAME = b"\x07agnhost\x0creftopo-test\x00"


@pytest.mark.parametrize(
    ("problem", "word"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, ""), "refused"),
        (socket.timeout(), "timeout"),
        (TimeoutError(), "timeout"),
        (OSError(errno.ETIMEDOUT, ""), "timeout"),
        (OSError(errno.EHOSTUNREACH, ""), "unreachable"),
        (OSError(errno.ENETUNREACH, ""), "unreachable"),
        (OSError(errno.EMSGSIZE, ""), "too-big"),
        (PermissionError(errno.EPERM, ""), "error"),
        (ConnectionResetError(errno.ECONNRESET, ""), "error"),
        (OSError("no number"), "error"),
        (ValueError(), "error"),
    ],
)
def test_only_the_networks_own_words_are_results(problem, word):
    assert protocols.observed(problem) == word


def test_a_pod_is_found_by_its_address():
    assert agent.local_addresses(FIB_TRIE) == {"10.244.1.2", "127.0.0.1"}
    assert agent.namespace_file("10.244.1.2", {"10.244.1.2": ["7", "8"]}) == "/proc/7/ns/net"
    assert agent.namespace_file(None, {}) == f"/proc/{os.getpid()}/ns/net"
    assert agent.namespace_file("/run/netns/x", {}) == "/run/netns/x"


@pytest.mark.parametrize("namespace", ["10.244.9.9", "/no/such/file"])
def test_a_namespace_that_cannot_be_entered_is_an_error(namespace):
    job = {"namespace": namespace, "protocol": "tcp", "address": "127.0.0.1", "port": 1, "key": "k", "timeout": 0.1}
    assert agent.probe(job, {})["observed"] == "error"


def test_jobs_that_only_wait_hold_up_nobody(monkeypatch):
    """One at a time would take all of the silent ones ten seconds."""
    monkeypatch.setattr(agent, "enter", lambda _path: None)  # root's alone
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute, socket.socket() as closed:
        for sock in (mute, closed):
            sock.bind(("127.0.0.1", 0))
        common = {"namespace": None, "address": "127.0.0.1", "key": "k", "timeout": 0.5}
        quiet = {**common, "protocol": "udp", "port": mute.getsockname()[1], "silent": True}
        loud = {**common, "protocol": "tcp", "port": closed.getsockname()[1]}
        began = time.monotonic()
        found = agent.run([*[quiet] * 20, loud, quiet], parallel=1)
    assert [one["observed"] for one in found] == ["timeout"] * 20 + ["refused", "timeout"]
    assert time.monotonic() - began < 5


def test_what_resolv_conf_says():
    assert dns.parse_resolv_conf(RESOLV_CONF) == CLUSTER
    assert dns.parse_resolv_conf("nameserver 1.1.1.1\nnameserver 2.2.2.2\n") == dns.Resolver("1.1.1.1", [], 1)
    with pytest.raises(ValueError, match="names no nameserver"):
        dns.parse_resolv_conf("search x\n")


@pytest.mark.parametrize(
    ("name", "first", "count"),
    [
        ("agnhost", "agnhost.reftopo-verify.svc.cluster.local.", 4),
        ("agnhost.reftopo-verify.svc.cluster.local.", "agnhost.reftopo-verify.svc.cluster.local.", 1),
        ("a.b.c.d.e.f", "a.b.c.d.e.f.", 4),
    ],
)
def test_the_search_list_is_walked_in_order(name, first, count):
    names = dns.candidates(name, CLUSTER)
    assert (names[0], len(names)) == (first, count)


def response(code: int, *records: bytes) -> bytes:
    header = struct.pack("!6H", 0x1234, 0x8180 | code, 1, len(records), 0, 0)
    return header + NAME + struct.pack("!2H", 1, 1) + b"".join(records)


def record(kind: int, data: bytes) -> bytes:
    """A resource record whose name points back to the question's."""
    return b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 30, len(data)) + data


def test_addresses_are_read_from_behind_other_records():
    message = response(0, record(5, b"\x01x\x00"), record(1, bytes([10, 96, 0, 9])))
    assert dns.dns_answer(message) == (0, ["10.96.0.9"])
    assert dns.dns_answer(response(dns.NXDOMAIN)) == (3, [])


@pytest.mark.parametrize(
    ("kind", "record_data", "told"),
    [
        ("cname", b"\x01x\xc0\x0c", ["x.agnhost.reftopo-test."]),
        ("srv", struct.pack("!3H", 0, 100, 8080) + b"\x03one\xc0\x0c", ["8080 one.agnhost.reftopo-test."]),
        ("dns", bytes([10, 96, 0, 9]), ["10.96.0.9"]),
    ],
)
def test_records_are_read_by_their_kind(kind, record_data, told):
    others = [record(number, b"\x01y\x00") for number in (2, 12)]
    number = dns.RECORDS[kind]
    assert dns.dns_answer(response(0, *others, record(number, record_data)), number) == (0, told)


def test_a_name_that_points_at_itself_is_no_name():
    with pytest.raises(ValueError, match="points at itself"):
        dns.dns_answer(response(0, record(5, b"\xc0\x32")), 5)


def test_a_question_names_every_label():
    assert dns.dns_query(0x1234, "agnhost.reftopo-test.")[12:] == NAME + b"\x00\x01\x00\x01"
    assert dns.dns_query(0x1234, "agnhost.reftopo-test.", dns.RECORDS["srv"])[12:] == NAME + b"\x00\x21\x00\x01"


@pytest.mark.parametrize("data", [b"", b"\x45", b"\x00\x01\xf2\x03\xf4\xf5\xf6\xf7"])
def test_a_checksum_over_its_own_message_is_zero(data):
    even = data + bytes(len(data) % 2)
    assert protocols.checksum(even + struct.pack("!H", protocols.checksum(even))) == 0


def test_only_the_reply_to_this_request_counts():
    reply = bytearray(bytes([0x45]) + bytes(19) + protocols.echo_request(7, b"key"))
    assert not protocols.is_echo_reply(bytes(reply), 7, b"key")  # our own request, looped back
    reply[20] = 0
    assert protocols.is_echo_reply(bytes(reply), 7, b"key")
    assert not protocols.is_echo_reply(bytes(reply), 8, b"key")
    assert not protocols.is_echo_reply(bytes(reply), 7, b"other")


@pytest.fixture
def ports():
    """Our own server, on ports that are free."""
    server.HttpHandler.name = server.UdpHandler.name = "outside"
    running = [
        server.TcpServer(("127.0.0.1", 0), server.HttpHandler),
        socketserver.ThreadingUDPServer(("127.0.0.1", 0), server.UdpHandler),
    ]
    for one in running:
        threading.Thread(target=one.serve_forever, daemon=True).start()
    yield {"tcp": running[0].server_address[1], "udp": running[1].server_address[1]}
    for one in running:
        one.shutdown()
        one.server_close()


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_the_server_is_asked_for_key_name_and_source(ports, protocol):
    job = {"address": "127.0.0.1", "port": ports[protocol], "key": "reftopo1", "timeout": 2}
    assert agent.PROBES[protocol](job) == {"observed": "ok", "server": "outside", "source": "127.0.0.1"}


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_wrong_echo_is_no_answer(ports, protocol, monkeypatch):
    monkeypatch.setattr(server, "answer", lambda *_words: "somebody else's")
    job = {"address": "127.0.0.1", "port": ports[protocol], "key": "reftopo1", "timeout": 2}
    with pytest.raises(ValueError, match="echo of 'reftopo1' came back as"):
        agent.PROBES[protocol](job)


def test_a_status_is_no_answer(ports, monkeypatch):
    monkeypatch.setattr(server, "answer", lambda *_words: None)
    with pytest.raises(ValueError, match="status 404"):
        protocols.tcp({"address": "127.0.0.1", "port": ports["tcp"], "key": "k", "timeout": 2})


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_nothing_listens(protocol):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        agent.PROBES[protocol]({"address": "127.0.0.1", "port": port, "key": "k", "timeout": 2})


def test_the_jobs_are_the_last_argument_and_how_many_at_a_time_the_one_before(monkeypatch):
    packed = "eJyLjgUAARUAuQ=="  # [] as the suite packs it
    monkeypatch.setattr(agent.sys, "argv", ["-c", "files", "32", packed])
    monkeypatch.setattr(agent.sys, "stdout", io.StringIO())
    agent.main()
    assert agent.sys.stdout.getvalue() == "[]"
