# SPDX-License-Identifier: GPL-3.0-or-later
"""How the API is asked whether it answers already: cheaply, and with patience where it is slow."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _kubeadm_ask as kubeadm_ask
from topologies import sh


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port that takes connections, of which nobody answers any."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def endpoint(server: socket.socket) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    """A server's, with a certificate that nobody vouches for."""
    key, certificate = str(tmp_path / "key"), str(tmp_path / "crt")
    made = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=nobody", "-days", "1")
    sh("openssl", "req", "-x509", *made, "-keyout", key, "-out", certificate)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return server


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nok", ""),
        (b"HTTP/1.0 500 Internal Server Error\r\n\r\n", "HTTP/1.0 500 Internal Server Error"),
        (b"", "closed without an answer"),
    ],
)
def test_an_answer(listener: socket.socket, context: ssl.SSLContext, answer: bytes, problem: str):
    asked = []

    def serve() -> None:
        connection, dummy = listener.accept()
        with connection, context.wrap_socket(connection, server_side=True) as wire:
            asked.append(wire.recv(1000))
            wire.sendall(answer)

    server = threading.Thread(target=serve)
    server.start()
    assert kubeadm_ask.ask(endpoint(listener), "/readyz", 10) == problem
    server.join()
    assert asked == [b"GET /readyz HTTP/1.0\r\n\r\n"]


def test_nobody_listens(listener: socket.socket):
    there = endpoint(listener)
    listener.close()
    assert "refused" in kubeadm_ask.ask(there, "/readyz", 10)


def test_who_takes_the_connection_and_is_silent_is_slow(listener: socket.socket):
    with pytest.raises(kubeadm_ask.Slow, match=r"no answer within 0\.05 s"):
        kubeadm_ask.ask(endpoint(listener), "/readyz", 0.05)


class Server:
    """Is slow so many times, then refuses, then answers; keeps what was asked and how long was waited between."""

    def __init__(self, slow: int) -> None:
        self.slow, self.refuses = slow, 1
        self.patience: list[float] = []
        self.clock, self.pauses = 0.0, [0.0]

    def ask(self, dummy: str, path: str, patience: float) -> str:
        self.patience.append(patience)
        if self.slow:
            self.slow, self.clock = self.slow - 1, self.clock + patience
            raise kubeadm_ask.Slow("slow")
        self.refuses -= 1
        return "refused" if self.refuses >= 0 else ""

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture
def patched(monkeypatch: pytest.MonkeyPatch):
    def patch(server: Server) -> Server:
        monkeypatch.setattr(kubeadm_ask, "ask", server.ask)
        monkeypatch.setattr(kubeadm_ask.time, "monotonic", lambda: server.clock)
        monkeypatch.setattr(kubeadm_ask.time, "sleep", server.sleep)
        return server

    return patch


def test_a_slow_one_is_given_more_time_and_left_alone_longer(patched):
    server = patched(Server(slow=5))
    assert kubeadm_ask.wait("cp1:6443", "/readyz", lambda: True) == ""
    assert server.patience == [2, 4, 8, 16, 30, 30, 30]
    assert server.pauses[1:] == [8, 10, 10, 10, 10, 0.2]


def test_one_that_refuses_at_once_is_asked_often(patched):
    server = patched(Server(slow=0))
    assert kubeadm_ask.wait("cp1:6443", "/readyz", lambda: True) == ""
    assert server.pauses[1:] == [0.2]


def test_what_spoke_against_it_is_told_in_the_end(patched):
    server = patched(Server(slow=100))
    assert kubeadm_ask.wait("cp1:6443", "/readyz", lambda: len(server.patience) < 3) == "slow"
    assert kubeadm_ask.wait("cp1:6443", "/readyz", lambda: False) == "not asked"
