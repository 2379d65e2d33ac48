# SPDX-License-Identifier: GPL-3.0-or-later
"""A user who is not root: what comes of a sudo that refuses, one that is not there, and one that works."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from topologies import ROOT, Topology

TEXT = """\
name: t-permission
description: Two namespaces on one bridge.
segments:
  lan: {cidr: 198.18.81.0/24}
namespaces:
  left: {segment: lan}
  right: {segment: lan}
"""
REFUSES = "echo 'sudo: a password is required' >&2; exit 1"
WORKS = 'while [ "$1" != /bin/sh ]; do shift; done; exec "$@"'
ADVICE = "Run this as root, allow this user sudo, or have Ansible ask"


def preflight(folder: Path, script: str | None) -> tuple[int, str]:
    """Run the playbook as by a user whose sudo is this script: (exit status, everything it prints)."""
    topology, sudo = Topology("t-permission", folder / "inventories", folder / "log"), folder / "sudo"
    topology.write(TEXT)
    if script:
        sudo.write_text(f"#!/bin/sh\n{script}\n")
        sudo.chmod(0o755)
    options = ["-e", "ansible_become=true", "-e", f"ansible_become_exe={sudo}"]
    done = subprocess.run(
        topology.command(["playbooks/preflight.yml"], *options),
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_BECOME_ALLOW_SAME_USER": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(("script", "why"), [(REFUSES, "a password is required"), (None, "not found")])
def test_who_cannot_become_root_is_told_why_and_what_to_do(tmp_path: Path, script: str | None, why: str):
    code, output = preflight(tmp_path, script)
    assert code == 2
    told = output[output.index("This user cannot become root") :]
    assert why in told
    assert ADVICE in told


def test_who_can_is_not_held_up(tmp_path: Path):
    code, output = preflight(tmp_path, WORKS)
    assert code == 0, output
    assert ADVICE not in output
