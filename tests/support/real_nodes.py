# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests that make nodes on this machine have in common."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from ansible_collections.reftopo.lab.plugins.module_utils import _node_image as node_image
from topologies import sh

CACHE = Path(os.environ.get("REFTOPO_CACHE", Path.home() / ".cache/reftopo")) / "test"
NODES, VMS = CACHE / "nodes", CACHE / "vms"  # images of container nodes, and of virtual machines


def run_command(argv: list[str], handle_exceptions: bool = True) -> tuple[int, str, str]:
    """What AnsibleModule.run_command does."""
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout, result.stderr


def packages_of(recipe: node_image.Recipe) -> Path:
    """The root file system with a recipe's packages alone; it is kept for the next run of the tests."""
    base = NODES / f"base-{recipe.base_key()}"
    NODES.mkdir(parents=True, exist_ok=True)
    if not base.exists():
        mirror = node_image.debian_mirror(sh("apt-get", "indextargets", f"--format={node_image.TARGETS}"))
        options = node_image.apt_options(sh("apt-config", "dump"))
        shutil.rmtree(f"{base}.partial", ignore_errors=True)
        for argv in node_image.base_commands(recipe, f"{base}.partial", mirror, options):
            sh(*argv)
        os.rename(f"{base}.partial", base)
    return base
