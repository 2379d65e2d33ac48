# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry and a file server on the loopback address, for tests that take artifacts from a mirror."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REGISTRY_CONFIG = """
version: 0.1
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: 127.0.0.1:{port}}}
"""


def command(*argv: str | Path) -> str:
    """A command's output; a failure is the test's."""
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@contextlib.contextmanager
def registry_server(folder: Path) -> Iterator[str]:
    """Debian's registry server, unpacked rather than installed, so that no service of it is left; gives its address."""
    folder.mkdir()
    subprocess.run(["apt-get", "download", "docker-registry"], cwd=folder, check=True, capture_output=True)
    command("dpkg-deb", "-x", next(folder.glob("*.deb")), folder)
    config, port = folder / "config.yml", free_port()
    config.write_text(REGISTRY_CONFIG.format(root=folder / "data", port=port))
    with (folder / "log").open("w") as log:
        argv = [folder / "usr/bin/docker-registry", "serve", config]
        server = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(f"http://127.0.0.1:{port}/v2/")
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=10)


@contextlib.contextmanager
def file_server(folder: Path) -> Iterator[str]:
    """Serve a folder; gives its URL."""
    handler = functools.partial(QuietHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def free_port() -> int:
    """A TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url: str) -> None:
    """Return when a server answers."""
    until = time.monotonic() + 10
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except urllib.error.URLError:
            assert time.monotonic() < until, f"{url} does not answer"
            time.sleep(0.05)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Says nothing about requests."""

    def log_message(self, *_arguments: Any) -> None:
        """Nothing."""


def pack_release(folder: Path, members: dict[str, str | None], target: Path) -> None:
    """Write a release file: a program as it is, or an archive of programs under their members' names."""
    if None in members.values():
        (program,) = members
        os.link(folder / program, target)
        return
    stage = target.parent / "stage"
    for program, member in members.items():
        (stage / str(member)).parent.mkdir(parents=True, exist_ok=True)
        os.link(folder / program, stage / str(member))
    # As their publishers pack them: CNI's archive is made of ".", containerd's of "bin".
    tops = ["."] if any(str(member).startswith("./") for member in members.values()) else ["bin"]
    command("tar", "-C", stage, "-czf", target, *tops)
    shutil.rmtree(stage)
