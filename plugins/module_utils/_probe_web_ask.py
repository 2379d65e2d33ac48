# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to an ingress controller: a list of jobs in, a list of results out.

This module util is PRIVATE to the collection. It is sent to a machine as text, so it needs nothing but Python.

A job has address, port, url (whose host is asked for by the header Host, and in TLS by SNI), headers, key (which is
put into the query), websocket and timeout (seconds a step); of TLS also authority (PEM) and sni, where that is another.

A result has observed: answered, refused, timeout, unreachable or error. Of an answer it has status and, from a pod's
own server, pod, host, forwarded (the lines of X-Forwarded-For) and scheme (X-Forwarded-Proto); of TLS certificate: the
name that it is for, and trusted: whether the authority signed it for the name that was asked for.
"""

from __future__ import annotations

import base64
import concurrent.futures
import http.client
import json
import os
import re
import socket
import ssl
import sys
import typing as t
import urllib.parse
import zlib

from ansible_collections.reftopo.lab.plugins.module_utils._probe_protocols import observed
from ansible_collections.reftopo.lab.plugins.module_utils._probe_web import accept, frame, receive

Job = dict[str, t.Any]
Result = dict[str, t.Any]
PARALLEL = 16
COMMON_NAME = b"\x06\x03\x55\x04\x03"  # the object identifier 2.5.4.3 in DER (RFC 5280, appendix A.1)


def common_name(certificate: bytes) -> str:
    """The name that a certificate is for; its issuer's comes before it."""
    found = [match.end() for match in re.finditer(re.escape(COMMON_NAME), certificate)]
    if not found:
        return ""
    start, length = found[-1] + 2, certificate[found[-1] + 1]
    return certificate[start : start + length].decode(errors="replace")


def encrypted(job: Job, name: str, verify: bool) -> ssl.SSLSocket:
    """A connection by TLS. When it is verified, the authority must have signed the certificate for the name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if verify:
        context.load_verify_locations(cadata=job["authority"])
    else:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain = socket.create_connection((job["address"], job["port"]), job["timeout"])
    try:
        return context.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise


def connect(job: Job, url: urllib.parse.SplitResult, result: Result) -> socket.socket:
    """A connection to the controller; of TLS, what is known of the certificate goes into the result."""
    if url.scheme != "https":
        return socket.create_connection((job["address"], job["port"]), job["timeout"])
    name = job.get("sni") or str(url.hostname)
    try:
        sock, result["trusted"] = encrypted(job, name, verify=True), True
    except ssl.SSLCertVerificationError:
        sock, result["trusted"] = encrypted(job, name, verify=False), False
    result["certificate"] = common_name(sock.getpeercert(binary_form=True) or b"")
    return sock


def told(body: bytes) -> Result:
    """What a pod's own server says; nothing of the controller's own answers."""
    try:
        answer = json.loads(body)
        headers = answer["headers"]
    except (ValueError, KeyError, TypeError):
        return {}
    return {
        "pod": answer["pod"],
        "host": headers["host"][0],
        "forwarded": headers.get("x-forwarded-for", []),
        "scheme": ",".join(headers.get("x-forwarded-proto", [])),
    }


def talk(connection: http.client.HTTPConnection, path: str, job: Job, headers: dict[str, str]) -> Result:
    """Ask for a WebSocket, and say the key on it; the server's name comes back before it."""
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
    connection.request(
        "GET", path, headers={**headers, **upgrade, "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13"}
    )
    sock, response = connection.sock, connection.getresponse()
    if response.status != http.HTTPStatus.SWITCHING_PROTOCOLS:
        return {"status": response.status}
    if response.headers["Sec-WebSocket-Accept"] != accept(key):
        raise ValueError("the answer is not to the key that was sent")
    sock.sendall(frame(job["key"], os.urandom(4)))
    name, _space, echo = receive(sock.recv).partition(" ")
    if echo != job["key"]:
        raise ValueError(f"echo of {job['key']!r} came back as {echo[:60]!r}")
    return {"status": response.status, "pod": name}


def ask(job: Job) -> Result:
    """Run one job."""
    url = urllib.parse.urlsplit(job["url"])
    path, headers = f"{url.path}?key={job['key']}", {"Host": url.netloc, **job["headers"]}
    connection, result = http.client.HTTPConnection(job["address"], job["port"]), Result(observed="answered")
    try:
        connection.sock = connect(job, url, result)
        if job["websocket"]:
            return {**result, **talk(connection, path, job, headers)}
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return {**result, "status": response.status, **told(response.read())}
    except Exception as problem:  # pylint: disable=broad-except
        return {"observed": observed(problem), "detail": f"{type(problem).__name__}: {problem}"}
    finally:
        connection.close()


def main() -> None:
    """The last argument: a JSON list of jobs, packed; results go to standard output."""
    jobs = json.loads(zlib.decompress(base64.b64decode(sys.argv[-1])))
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        sys.stdout.write(json.dumps(list(pool.map(ask, jobs))))


if __name__ == "__main__":
    main()
