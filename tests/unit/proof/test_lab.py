# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs what a machine is asked: the user that SSH knows, or root by sudo. A stand-in for sudo says that it ran."""

from __future__ import annotations

import os

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import Machine

SUDO = """\
#!/bin/sh
[ "$1" = -n ] && shift && BY=sudo exec "$@"
"""


@pytest.fixture(autouse=True)
def stand_in(tmp_path, monkeypatch):
    (tmp_path / "sudo").write_text(SUDO)
    (tmp_path / "sudo").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("BY", "user")


@pytest.mark.parametrize(("sudo", "by"), [(False, b"user"), (True, b"sudo")])
def test_a_command_and_one_that_is_held_run_as_the_same_user(sudo: bool, by: bytes):
    machine = Machine("h", None, ("sh", "-c"), sudo)
    assert machine.call("""printf %s "$BY's "; cat""", b"input") == by + b"'s input"
    with machine.held("""echo ready >&2; cat; printf %s "$BY's end" """, "ready") as held:
        held.give(b"input, ")
    assert held.output == b"input, " + by + b"'s end"
