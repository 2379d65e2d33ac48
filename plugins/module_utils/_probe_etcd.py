# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node's flanneld leased, and whom etcd answers; prints it as JSON. Changes nothing.

    python3 -m …._probe_etcd ENDPOINT [AUTHORITY CERTIFICATE KEY]

The three files are those of a client, by default flanneld's.

This module util is PRIVATE to the collection. It is sent to a machine as text, so beside the paths it needs nothing but
Python, and openssl for a certificate that no authority knows.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import typing as t
import urllib.parse

from ansible_collections.reftopo.lab.plugins.module_utils._flannel_etcd import (
    AUTHORITY,
    CERTIFICATE,
    FLANNEL,
    KEY,
    SUBNET_FILE,
)

TIMEOUT = 5.0  # seconds
# With TLS 1.3 a client is done before the server has looked at its certificate (RFC 8446, section 2): it must wait.
SECOND_THOUGHTS = 0.5
FLANNELS = tuple(f"{FLANNEL}/{name}" for name in (AUTHORITY, CERTIFICATE, KEY))
REQUEST = b"GET /health HTTP/1.0\r\n\r\n"
Chain = t.Optional[tuple[str, str]]


def stranger(folder: str) -> tuple[str, str]:
    """A certificate that only vouches for itself, and its key."""
    chain = (f"{folder}/stranger.crt", f"{folder}/stranger.key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    # No module runs this, so there is no run_command.
    # pylint: disable-next=ansible-bad-function
    subprocess.run(
        [*command, "-subj", "/CN=stranger", "-out", chain[0], "-keyout", chain[1]], check=True, capture_output=True
    )
    return chain


def asked(endpoint: str, authority: str, chain: Chain) -> dict[str, str]:
    """What etcd answers a client with this certificate: ok, refused (by an alert of TLS), or error."""
    url, context = urllib.parse.urlsplit(endpoint), ssl.create_default_context(cafile=authority)
    if chain:
        context.load_cert_chain(*chain)
    try:
        connection = socket.create_connection((url.hostname, url.port), timeout=TIMEOUT)
        with connection, context.wrap_socket(connection, server_hostname=url.hostname) as tls:
            return _health(tls)
    except ssl.SSLError as problem:
        alert = "_ALERT_" in (problem.reason or "")
        return {"observed": "refused" if alert else "error", "detail": str(problem.reason or problem)}
    except OSError as problem:
        return {"observed": "error", "detail": str(problem)}


def _health(tls: ssl.SSLSocket) -> dict[str, str]:
    tls.settimeout(SECOND_THOUGHTS)
    with contextlib.suppress(socket.timeout):
        tls.recv(1)
    tls.settimeout(TIMEOUT)
    tls.sendall(REQUEST)
    status = tls.recv(64).decode(errors="replace").partition("\r\n")[0]
    return {"observed": "ok" if " 200 " in f"{status} " else "error", "detail": status}


def facts(endpoint: str, authority: str, *own: str) -> dict[str, t.Any]:
    """flannel's subnet file as names and values, where there is one, and what each kind of client is answered."""
    file = pathlib.Path(SUBNET_FILE)
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    with tempfile.TemporaryDirectory() as folder:
        chains: dict[str, Chain] = {"certificate": t.cast(Chain, own), "none": None, "stranger": stranger(folder)}
        answers = {client: asked(endpoint, authority, chain) for client, chain in chains.items()}
    return {"subnet": dict(line.split("=", 1) for line in lines if "=" in line), "answers": answers}


if __name__ == "__main__":
    ENDPOINT, *IDENTITY = sys.argv[2:]  # behind what the bootstrap takes
    sys.stdout.write(json.dumps(facts(ENDPOINT, *(IDENTITY or FLANNELS))))
