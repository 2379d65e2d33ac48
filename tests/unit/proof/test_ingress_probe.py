# SPDX-License-Identifier: GPL-3.0-or-later
"""The web server of pods and the requests to it, by each other: bare, by TLS, and by WebSocket."""

from __future__ import annotations

import base64
import pathlib
import ssl
import threading
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _probe_web as web
from ansible_collections.reftopo.lab.plugins.module_utils._probe_web_ask import Job, ask, common_name
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ingress_lab import authority


@pytest.fixture
def serve() -> t.Iterator[t.Callable[..., int]]:
    """Serves on a port of this machine, which it returns; with a context by TLS."""
    servers = []

    def start(context: ssl.SSLContext | None = None) -> int:
        handler = type("Handler", (web.Handler,), {"name": "one"})
        server = web.Server(("127.0.0.1", 0), handler)
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return int(server.server_address[1])

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def job(port: int, url: str, **parts: t.Any) -> Job:
    given = {"address": "127.0.0.1", "port": port, "url": url, "headers": {}, "key": "k1", "timeout": 2}
    return {**given, "websocket": False, **parts}


def test_a_pod_says_what_it_was_asked(serve: t.Callable[..., int]) -> None:
    headers = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http"}
    result = ask(job(serve(), "http://ONE.test/path", headers=headers))
    wanted = {"observed": "answered", "status": 200, "pod": "one", "host": "ONE.test"}
    assert result == {**wanted, "forwarded": ["192.0.2.1"], "scheme": "http"}


def test_a_websocket_says_the_same_again_and_by_whom(serve: t.Callable[..., int]) -> None:
    assert ask(job(serve(), "http://one.test/", websocket=True)) == {
        "observed": "answered",
        "status": 101,
        "pod": "one",
    }


def test_nobody_is_refused(serve: t.Callable[..., int]) -> None:
    port = serve()
    assert ask(job(port, "https://one.test/", authority=""))["observed"] == "error"
    assert ask(job(1, "http://one.test/"))["observed"] == "refused"


def test_the_authority_answers_for_the_name_that_was_asked(serve: t.Callable[..., int], tmp_path: pathlib.Path) -> None:
    signed, secrets = authority(["a.test"], "lab")
    port = serve(context_of(secrets[0]["data"], tmp_path))
    other = authority(["a.test"], "lab")[0]
    asked = {
        "right": ask(job(port, "https://a.test/", authority=signed)),
        "by SNI": ask(job(port, "https://b.test/", authority=signed, sni="a.test")),
        "other name": ask(job(port, "https://b.test/", authority=signed)),
        "other authority": ask(job(port, "https://a.test/", authority=other)),
        "websocket": ask(job(port, "https://a.test/", authority=signed, websocket=True)),
    }
    assert {name: result.get("trusted") for name, result in asked.items()} == {
        "right": True,
        "by SNI": True,
        "other name": False,
        "other authority": False,
        "websocket": True,
    }
    assert {(result["certificate"], result["pod"]) for result in asked.values()} == {("a.test", "one")}


def context_of(data: dict[str, str], folder: pathlib.Path) -> ssl.SSLContext:
    for name, text in data.items():
        (folder / name).write_bytes(base64.b64decode(text))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return context


def test_frames_are_those_of_rfc_6455() -> None:
    # 5.7: "Hello", as a server sends it and as a client does; 1.3: the key and what is answered to it
    plain, hidden = bytes.fromhex("810548656c6c6f"), bytes.fromhex("818537fa213d7f9f4d5158")
    assert web.frame("Hello") == plain
    assert web.frame("Hello", hidden[2:6]) == hidden
    assert [web.receive(reader(one)) for one in (plain, hidden)] == ["Hello", "Hello"]
    assert web.accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def reader(data: bytes) -> t.Callable[[int], bytes]:
    """Hands bytes out one by one, as a network may."""
    left = iter(data)
    return lambda _length: bytes([next(left)])


@pytest.mark.parametrize("data", ["8805", "817e0000"])
def test_other_frames_are_no_text(data: str) -> None:
    with pytest.raises(ValueError, match="is no short text"):
        web.receive(reader(bytes.fromhex(data)))


def test_a_certificate_without_a_name_has_none() -> None:
    assert common_name(b"") == ""
