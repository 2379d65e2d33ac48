# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server for probes where there is no pod: it answers the probe agent's three questions as agnhost's netexec does.

This module util is PRIVATE to the collection. It is sent to a machine as text, so it needs nothing but Python. It runs
until its standard input closes, which also happens when whoever started it is killed.
"""

from __future__ import annotations

import http.server
import socketserver
import sys
import threading
import typing as t
import urllib.parse

READY = "reftopo: listening"


def answer(question: str, argument: str, name: str, client: tuple[str, int]) -> str | None:
    """The answer to echo, hostname and clientip; None to anything else."""
    answers = {"echo": argument, "hostname": name, "clientip": f"{client[0]}:{client[1]}"}
    return answers.get(question)


class HttpHandler(http.server.BaseHTTPRequestHandler):
    """GET /echo?msg=TEXT, /hostname, /clientip."""

    protocol_version = "HTTP/1.1"  # keeps the connection, so that one client address asks all questions
    wbufsize = -1  # one segment for an answer, else the second waits for a delayed acknowledgement
    name = ""

    def do_GET(self) -> None:
        """Answer one request."""
        url = urllib.parse.urlsplit(self.path)
        message = urllib.parse.parse_qs(url.query).get("msg", [""])[0]
        text = answer(url.path.lstrip("/"), message, self.name, self.client_address)
        body = (text or "").encode()
        self.send_response(404 if text is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *dummy: t.Any) -> None:
        """Nobody reads a log of probes."""


class TcpServer(socketserver.ThreadingTCPServer):
    """Not http.server's own server, which asks the DNS for the name of the address that it is bound to."""

    allow_reuse_address = True
    daemon_threads = True


class UdpHandler(socketserver.BaseRequestHandler):
    """`echo TEXT`, `hostname`, `clientip`."""

    name = ""

    def handle(self) -> None:
        """Answer one datagram."""
        data, sock = self.request
        question, _space, argument = data.decode(errors="replace").partition(" ")
        text = answer(question, argument, self.name, self.client_address)
        if text is not None:
            sock.sendto(text.encode(), self.client_address)


def main() -> None:
    """Arguments: the name to answer by, the address, the TCP port, the UDP port.

    Bound to any address, UDP would answer from the one nearest to the client, which need not be the one it asked.
    """
    name, address, tcp_port, udp_port = sys.argv[-4:]
    HttpHandler.name = UdpHandler.name = name
    servers = [
        TcpServer((address, int(tcp_port)), HttpHandler),
        socketserver.ThreadingUDPServer((address, int(udp_port)), UdpHandler),
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stderr.write(READY + "\n")
    sys.stderr.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
