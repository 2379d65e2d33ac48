# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes on a host, from the artifacts' manifest and the roles' files."""

from __future__ import annotations

import hashlib

from ansible_collections.reftopo.lab.plugins.plugin_utils._existing_contents import SANDBOX, contents

PAUSE = "registry.k8s.io/pause:3.10.2"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def made(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_everything_has_a_place_a_digest_and_a_mode(tmp_path):
    made(tmp_path / "bin/kubelet", "program")
    made(tmp_path / "bin/etcd", "other")
    made(tmp_path / "images/pause.tar", "archive")
    script = made(tmp_path / "files/setup", "#!/bin/sh", 0o755)
    unit = made(tmp_path / "files/unit", "[Unit]")
    manifest = {
        "binaries": {
            "kubelet": {"path": "bin/kubelet", "sha256": sha256("program"), "destination": "/usr/bin/kubelet"},
            "etcd": {"path": "bin/etcd", "sha256": sha256("other"), "destination": "/usr/bin/etcd"},
        },
        "images": {PAUSE: {"path": "images/pause.tar", "sha256": sha256("archive")}},
    }
    files = {"/usr/local/lib/setup": str(script), "/etc/unit": str(unit)}
    found = contents(manifest, str(tmp_path), ["etcd"], files)
    assert {path: (one["sha256"], one["mode"], one["size"]) for path, one in found.files.items()} == {
        "/usr/bin/kubelet": (sha256("program"), "0755", 7),
        "/usr/local/lib/setup": (sha256("#!/bin/sh"), "0755", 9),
        "/etc/unit": (sha256("[Unit]"), "0644", 6),
        SANDBOX: (next(iter(found.texts)), "0644", len(next(iter(found.texts.values())))),
    }
    assert found.images == {PAUSE: {"sha256": sha256("archive"), "mode": "0644", "size": 7}}
    assert found.local[sha256("archive")] == str(tmp_path / "images/pause.tar")
    ((digest, text),) = found.texts.items()
    assert digest == sha256(text)
    assert f"sandbox = '{PAUSE}'" in text


def test_without_artifacts_there_are_the_roles_files_alone(tmp_path):
    unit = made(tmp_path / "unit", "[Unit]")
    found = contents({}, "", [], {"/etc/unit": str(unit)})
    assert set(found.files) == {"/etc/unit"}
    assert found.images == found.texts == {}
