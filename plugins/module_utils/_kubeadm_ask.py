# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks an API server whether it answers already, at little cost for either side.

On an emulated machine a handshake of TLS takes both sides seconds. One that is given up was for nothing, and the next
one comes on top: so it is waited for longer each time, and no list of authorities is read that nobody asks.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import socket
import ssl
import time
import typing as t

CONNECT, PATIENCE, LONGEST = 2.0, 2.0, 30.0  # seconds: for a connection, for an answer at first, and at last
POLL_INTERVAL, LONGEST_PAUSE = 0.2, 10.0  # seconds


class Slow(Exception):
    """A server that took the connection did not answer in time."""


def ask(endpoint: str, path: str, patience: float) -> str:
    """What speaks against it that an anonymous GET of a path succeeds; empty when nothing does.

    Raises:
        Slow: the server gave no answer for so many seconds.
    """
    host, dummy, port = endpoint.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT) as connection:
            return _get(connection, path, patience)
    except OSError as error:
        return str(error)


def _get(connection: socket.socket, path: str, patience: float) -> str:
    connection.settimeout(patience)
    try:
        with _context().wrap_socket(connection) as wire:
            wire.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            status = wire.makefile("rb").readline().decode(errors="replace").strip()
    except socket.timeout as error:
        raise Slow(f"no answer within {patience:g} s") from error
    return "" if status.split()[1:2] == ["200"] else status or "closed without an answer"


def _context() -> ssl.SSLContext:
    """Without authorities: no secret is sent, so no certificate is needed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def pause(asked: float) -> float:
    """Seconds until the next question when one took so many: an emulated machine is to have time for other things."""
    return min(max(POLL_INTERVAL, 4 * asked), LONGEST_PAUSE)


def wait(endpoint: str, path: str, goes_on: t.Callable[[], bool]) -> str:
    """Ask until the API answers; what spoke against it when that did not go on, empty where it answered."""
    problem, patience = "not asked", PATIENCE
    while goes_on():
        began = time.monotonic()
        try:
            problem = ask(endpoint, path, patience)
        except Slow as error:
            problem, patience = str(error), min(2 * patience, LONGEST)
        if not problem:
            return ""
        time.sleep(pause(time.monotonic() - began))
    return problem
