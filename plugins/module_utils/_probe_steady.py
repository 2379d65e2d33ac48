# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a server for its name again and again until standard input closes; then prints who answered, in order.

This module util is PRIVATE to the collection. It is sent to a machine as text, so it needs nothing but Python. Its
arguments are the address of the pod it asks from, tcp or udp, the address, the port, and the seconds between an answer
and the next question. By TCP each question is a new connection; by UDP all are one flow, from one port. It prints a
JSON list of runs of the same: a server's name, or the word for what came in its place, and how often.
"""

from __future__ import annotations

import http.client
import json
import select
import socket
import sys
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._probe_agent import enter, namespace_file, pods
from ansible_collections.reftopo.lab.plugins.module_utils._probe_protocols import (
    IP_RECVERR,
    http_get,
    observed,
    udp_ask,
)

ASKING = "reftopo: asking"
PATIENCE = 1.0  # seconds until silence is called a timeout


def by_tcp(address: str, port: int) -> t.Callable[[], str]:
    """A question by a connection of its own."""

    def ask() -> str:
        connection = http.client.HTTPConnection(address, port, timeout=PATIENCE)
        try:
            return http_get(connection, "/hostname")
        finally:
            connection.close()

    return ask


def by_udp(address: str, port: int) -> t.Callable[[], str]:
    """A question from a socket that all share, which lives as long as the program."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(PATIENCE)
    sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    sock.connect((address, port))
    return lambda: udp_ask(sock, "hostname")


def answer(ask: t.Callable[[], str]) -> str:
    """A server's name, or the word for what came in its place."""
    try:
        return ask()
    except Exception as problem:  # pylint: disable=broad-except
        return observed(problem)


def note(runs: list[list[t.Any]], word: str) -> None:
    """One answer more."""
    if runs and runs[-1][0] == word:
        runs[-1][1] += 1
    else:
        runs.append([word, 1])


def main() -> None:
    """Ask until the input closes."""
    source, protocol, address, port, pause = sys.argv[-5:]
    enter(namespace_file(source, pods()))
    ask = {"tcp": by_tcp, "udp": by_udp}[protocol](address, int(port))
    runs: list[list[t.Any]] = []
    note(runs, answer(ask))
    sys.stderr.write(ASKING + "\n")
    sys.stderr.flush()
    while not select.select([sys.stdin], [], [], float(pause))[0]:
        note(runs, answer(ask))
    sys.stdout.write(json.dumps(runs))


if __name__ == "__main__":
    main()
