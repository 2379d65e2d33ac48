# SPDX-License-Identifier: GPL-3.0-or-later
"""What BIRD says on its socket is read as birdc prints it."""

from __future__ import annotations

import socket
import threading

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _probe_bird as bird

GREETING = b"0001 BIRD 1.6.8 ready.\n"
PROTOCOLS = (
    b"2002-name     proto    table    state  since       info\n"
    b"1002-node0    BGP      master   up     12:00:00    Established   \n"
    b"1006-  Preference:     100\n"
    b"   BGP state:          Established\n"
    b"1006-\n"
    b"0000 \n"
)
ROUTES = (
    b"1007-10.244.1.64/26     via 172.30.24.11 on eth0 [node0 12:00:00] * (100) [AS64512i]\n"
    b"1012-\tBGP.as_path: 64512\n0000 \n"
)


@pytest.fixture
def path(tmp_path):
    """The socket of something that says what BIRD says, to one caller."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "bird.ctl"))
    server.listen()

    def serve() -> None:
        connection, _address = server.accept()
        with connection, connection.makefile("rb") as stream:
            connection.sendall(GREETING)
            for command in stream:
                connection.sendall(
                    {b"show protocols all\n": PROTOCOLS, b"show route all\n": ROUTES}.get(command, b"9001 no\n")
                )

    threading.Thread(target=serve, daemon=True).start()
    yield str(tmp_path / "bird.ctl")
    server.close()


def test_replies_are_read_as_they_are_printed(path):
    protocols, routes, wrong = bird.ask(path, ["show protocols all", "show route all", "what"])
    assert protocols.splitlines()[1].startswith("node0    BGP")
    assert protocols.splitlines()[3] == "  BGP state:          Established"
    assert protocols.endswith("\n")
    assert routes.splitlines()[1] == "\tBGP.as_path: 64512"
    assert wrong == "no"


def test_nobody_is_there_to_ask(tmp_path):
    assert not bird.answers(str(tmp_path / "bird.ctl"))


def test_a_program_in_memory_can_be_executed():
    descriptor = bird.in_memory(b"#!/bin/sh\n")
    with open(f"/proc/self/fd/{descriptor}", "rb") as stream:
        assert stream.read() == b"#!/bin/sh\n"
