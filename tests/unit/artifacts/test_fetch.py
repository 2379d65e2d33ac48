# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads, digests and members, from files instead of a network; error texts word for word: golden/fetch-*.txt."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import urllib.error
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _artifact_fetch as fetch
from ansible_collections.reftopo.lab.plugins.module_utils import _artifact_image as image
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import ArtifactError, Image, Lock

GOLDEN = Path(__file__).parent / "golden"
URL = "https://example.org/tool"
RIGHT = hashlib.sha256(b"content").hexdigest()


class Web:
    """Stands in for open_url: what is at which URL, and what was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | OSError] = {}
        self.asked: list[str] = []

    def __call__(self, url: str, **_options: Any) -> io.BytesIO:
        self.asked.append(url)
        page = self.pages.get(url, urllib.error.URLError("no route to host"))
        if isinstance(page, OSError):
            raise page
        return io.BytesIO(page)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    """An empty web."""
    web = Web()
    monkeypatch.setattr(fetch, "open_url", web)
    return web


@pytest.mark.parametrize("sha256", [RIGHT, None])
def test_download(web: Web, tmp_path: Path, sha256: str | None) -> None:
    web.pages[URL] = b"content"
    fetch.download(URL, sha256, "downloads.tool.sha256", str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == b"content"


def mismatch(web: Web, tmp_path: Path) -> None:
    web.pages[URL] = b"other"
    fetch.download(URL, RIGHT, "downloads.tool.sha256", str(tmp_path / "file"))


def unreachable(web: Web, tmp_path: Path) -> None:
    fetch.download(URL, RIGHT, "downloads.tool.sha256", str(tmp_path / "file"))


def no_member(web: Web, tmp_path: Path) -> None:
    archive(tmp_path / "tool.tgz", {"./tool": b"x"})
    fetch.take_member(str(tmp_path / "tool.tgz"), "bin/tool", str(tmp_path / "out"))


def image_mismatch(web: Web, tmp_path: Path) -> None:
    def run(argv: list[str], **_options: Any) -> tuple[int, str, str]:
        return 0, json.dumps(["mirror/agent@sha256:11", "mirror/agent@sha256:22"]), ""

    locked = Image("example.org/agent:v1", digest="sha256:33")
    podman = image.Podman(run, "/home", "/run/x")
    image.pull_image(podman, locked, "mirror/agent:v1", insecure=False, target=str(tmp_path))


ERRORS = {
    "mismatch": mismatch,
    "unreachable": unreachable,
    "no-member": no_member,
    "image-mismatch": image_mismatch,
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(web: Web, tmp_path: Path, case: str) -> None:
    with pytest.raises(ArtifactError) as error:
        ERRORS[case](web, tmp_path)
    assert f"{error.value}\n".replace(str(tmp_path), "TMP") == (GOLDEN / f"fetch-{case}.txt").read_text()


def archive(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def test_member_of_an_archive_is_executable(tmp_path: Path) -> None:
    archive(tmp_path / "tool.tgz", {"./tool": b"program"})
    fetch.take_member(str(tmp_path / "tool.tgz"), "./tool", str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == b"program"
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755


def test_download_without_member_is_the_program(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"program")
    fetch.take_member(str(tmp_path / "file"), None, str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == b"program"


def test_last_layer_that_has_the_file_wins(tmp_path: Path) -> None:
    for layer, content in (("1.tar", b"old"), ("2.tar", b"new"), ("3.tar", b"")):
        archive(tmp_path / layer, {"agent" if content else "other": content})
    layers = {name: (tmp_path / name).read_bytes() for name in ("1.tar", "2.tar", "3.tar")}
    manifest = json.dumps([{"Layers": list(layers)}]).encode()
    archive(tmp_path / "image.tar", {"manifest.json": manifest, **layers})
    fetch.take_from_image(str(tmp_path / "image.tar"), "agent", str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == b"new"


def http_error(code: int) -> OSError:
    return urllib.error.HTTPError("url", code, "text", Message(), None)


@pytest.mark.parametrize(
    ("file", "registry", "answers"),
    [
        (b"", b"", True),
        (b"", http_error(401), True),
        (b"", http_error(403), False),
        (http_error(401), b"", False),
        (b"", urllib.error.URLError("refused"), False),
        (TimeoutError(), b"", False),
    ],
)
def test_upstream_answers(
    web: Web, lock: Lock, file: bytes | OSError, registry: bytes | OSError, answers: bool
) -> None:
    web.pages = {"https://example.org/tools.tgz": file, "https://example.org/v2/": registry}
    assert fetch.upstream_answers(lock) is answers


def test_image_is_named_and_saved_when_a_digest_fits(tmp_path: Path) -> None:
    calls = []

    def run(argv: list[str], **_options: Any) -> tuple[int, str, str]:
        calls.append([word for word in argv if word in ("pull", "inspect", "tag", "save")])
        return 0, json.dumps(["mirror/agent@sha256:11", "mirror/agent@sha256:33"]), ""

    locked = Image("example.org/agent:v1", digest="sha256:33")
    podman = image.Podman(run, "/home", "/run/x")
    image.pull_image(podman, locked, "mirror/agent:v1", insecure=True, target=str(tmp_path))
    assert calls == [["pull"], ["inspect"], ["tag"], ["save"]]
