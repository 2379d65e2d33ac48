# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server for pods behind an ingress controller: it says who it is and what it was asked, also by WebSocket.

This module util is PRIVATE to the collection. It is sent to a machine as text, so it needs nothing but Python. It runs
until its standard input closes, which also happens when whoever started it is killed.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import socketserver
import sys
import threading
import typing as t

READY = "reftopo: serving"
# RFC 6455: what a server adds to a client's key (1.3), and the first byte of a frame that is whole and text (5.2).
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT = 0x81
SHORT = 126  # a payload under this length needs no longer header


def accept(key: str) -> str:
    """What a server must answer to a client's key (RFC 6455, 4.2.2)."""
    return base64.b64encode(hashlib.sha1((key + MAGIC).encode(), usedforsecurity=False).digest()).decode()


def masked(payload: bytes, mask: bytes) -> bytes:
    """A payload masked, or one that is masked without it (RFC 6455, 5.3)."""
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def exactly(read: t.Callable[[int], bytes], length: int) -> bytes:
    """So many bytes of a stream, which may hand them out in parts."""
    found = b""
    while len(found) < length:
        part = read(length - len(found))
        if not part:
            raise ConnectionError("the other end closed the connection")
        found += part
    return found


def receive(read: t.Callable[[int], bytes]) -> str:
    """A short text from a stream of frames, masked or not."""
    kind, length = exactly(read, 2)
    if kind != TEXT or length & 0x7F >= SHORT:
        raise ValueError(f"a frame of kind {kind:#x} and length {length & 0x7F} is no short text")
    mask = exactly(read, 4) if length & 0x80 else bytes(4)
    return masked(exactly(read, length & 0x7F), mask).decode()


def frame(text: str, mask: bytes = b"") -> bytes:
    """A short text as one frame; a client's must be masked."""
    payload = text.encode()
    if len(payload) >= SHORT:
        raise ValueError(f"{len(payload)} bytes are too many for one short frame")
    head = bytes([TEXT, len(payload) | (0x80 if mask else 0)])
    return head + mask + (masked(payload, mask) if mask else payload)


class Handler(http.server.BaseHTTPRequestHandler):
    """GET of any path; with the header Upgrade a WebSocket, on which each text comes back behind the server's name."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one segment for an answer, else the second waits for a delayed acknowledgement
    name = ""

    def do_GET(self) -> None:
        """Answer one request."""
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._upgrade()
            return
        headers = {name.lower(): self.headers.get_all(name) for name in self.headers}
        told = {"pod": self.name, "path": self.path, "headers": headers, "client": self.client_address[0]}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _upgrade(self) -> None:
        self.send_response(101)
        for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade")):
            self.send_header(name, value)
        self.send_header("Sec-WebSocket-Accept", accept(self.headers["Sec-WebSocket-Key"]))
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        try:
            while True:
                self.wfile.write(frame(f"{self.name} {receive(self.rfile.read)}"))
                self.wfile.flush()
        except (OSError, ValueError):
            return  # the client has gone, or closes as RFC 6455 says

    def log_message(self, *dummy: t.Any) -> None:
        """Nobody reads a log of probes."""


class Server(socketserver.ThreadingTCPServer):
    """Not http.server's own server, which asks the DNS for the name of the address that it is bound to."""

    allow_reuse_address = True
    daemon_threads = True


def main() -> None:
    """Arguments: the name to answer by, and the port."""
    name, port = sys.argv[-2:]
    Handler.name = name
    threading.Thread(target=Server(("", int(port)), Handler).serve_forever, daemon=True).start()
    sys.stderr.write(READY + "\n")
    sys.stderr.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
