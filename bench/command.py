# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that a benchmark runs and that must succeed, and topologies that it makes for itself."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[1]


def run(command: list[str], given: str | None = None) -> str:
    """A command's output; its failure ends the benchmark with what it printed.

    Its standard input is never the benchmark's: ssh may leave that one non-blocking, and Ansible then refuses it.
    """
    done = subprocess.run(command, check=False, cwd=ROOT, input=given or "", capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)[:300]} failed:\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def must_be_root() -> None:
    if os.geteuid():
        sys.exit("run it as root: it enters network namespaces")


@contextlib.contextmanager
def built(name: str, text: str, *playbooks: str) -> t.Iterator[str]:
    """A topology for as long as the block runs, from its file's text; yields the folder that is its inventory."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / name / "topology.yml"
        file.parent.mkdir()
        file.write_text(text)
        playbook = ["ansible-playbook", "-i", folder, "-e", f"topology={name}"]
        try:
            run([*playbook, *playbooks])
            yield folder
        finally:
            run([*playbook, "playbooks/destroy.yml"])
