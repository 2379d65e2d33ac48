# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of a Debian machine with systemd and SSH that has nothing of a node, for a container and for a VM."""

from __future__ import annotations

import hashlib
import json
import shutil
import typing as t
from pathlib import Path

import yaml
from ansible_collections.reftopo.lab.plugins.module_utils import _node_image as node_image
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import Runner
from ansible_collections.reftopo.lab.plugins.module_utils._vm_image import VmRecipe, load_image
from ansible_collections.reftopo.lab.plugins.module_utils._vm_image_apply import VmImageBuilder
from real_nodes import NODES, VMS, packages_of
from topologies import ROOT, sh

ROLES = ROOT / "roles"
# How one logs in, and what of systemd starts in a container.
COPIED = (
    "etc/ssh/sshd_config.d/node.conf",
    "etc/systemd/journald.conf.d/node.conf",
    "etc/systemd/system-preset/00-node.preset",
)
ADMIN = "admin"  # who may log in beside root
# A user with sudo and without a password, opened by root's key. At its first use sudo leaves a file there.
ADD_ADMIN = f"""\
useradd --create-home --shell /bin/sh --password '*' {ADMIN}
echo '{ADMIN} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{ADMIN}
cp --recursive /root/.ssh /home/{ADMIN}/
chown --recursive {ADMIN}: /home/{ADMIN}/.ssh
runuser --user={ADMIN} -- sudo true
"""
OF_A_NODE = "rootfs/etc/systemd/system/node-setup.service.d"  # in what a VM gets beside the image
# In place of the one that is installed nowhere then: whoever becomes a node has to get it, and give it back.
PACKAGE = """\
Package: ethtool
Version: 1:1-test
Architecture: all
Maintainer: nobody <nobody@example.org>
Description: stands in for the package of this name
"""


def container_image(work: Path) -> Path:
    """An image of packages; those are kept for the next run of the tests. `work` is an empty folder."""
    for path in COPIED:
        (work / "files/rootfs" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROLES / "node_image/files/rootfs" / path, work / "files/rootfs" / path)
    (work / "files/rootfs/etc/ssh/sshd_config.d/admin.conf").write_text(f"AllowUsers {ADMIN}\n")
    _package(work / "files/rootfs/srv/packages", work / "package")
    recipe = node_image.Recipe(
        suite="trixie",
        packages=(*_variables("node_image")["packages"], "sudo"),
        architecture=sh("dpkg", "--print-architecture").strip(),
        masked_units=tuple(_variables("node_image")["masked_units"]),
        artifacts="/nowhere",
        manifest={"key": "none", "binaries": {}, "images": {}},
        files=str(work / "files"),
        files_digest="hosts",
    )
    base, folder = packages_of(recipe), NODES / "hosts"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "containerd").mkdir(parents=True)
    for argv in node_image.image_commands(recipe, str(base), str(folder / "rootfs")):
        sh(*argv)
    manifest = {"key": "hosts", "artifacts": "none", "containerd": "none", "images": []}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def vm_image(image: Path, runner: Runner, work: Path) -> str:
    """The same with a kernel, made anew each time; `work` is an empty folder."""
    shutil.copytree(ROLES / "vm_image/files", work / "files")
    shutil.rmtree(work / "files" / OF_A_NODE)
    VMS.mkdir(parents=True, exist_ok=True)
    masked = tuple(_variables("vm_image")["masked_units"])
    recipe = VmRecipe("trixie", str(image), load_image(str(image)), masked, str(work / "files"), "hosts")
    builder = VmImageBuilder(recipe, str(VMS), "", runner)
    shutil.rmtree(builder.path, ignore_errors=True)
    builder.build()
    return builder.path


def _variables(role: str) -> dict[str, t.Any]:
    """A role's own variables, without the beginning of their names."""
    given = yaml.safe_load((ROLES / role / "vars/main.yml").read_text())
    return {name.removeprefix(f"__{role}_"): value for name, value in given.items()}


def _package(folder: Path, build: Path) -> None:
    """A package archive with one package (deb-control(5), sources.list(5)), and apt's source for it."""
    folder.mkdir(parents=True)
    (build / "DEBIAN").mkdir(parents=True)
    (build / "DEBIAN/control").write_text(PACKAGE)
    (build / "usr/share/t-ethtool").mkdir(parents=True)
    (build / "usr/share/t-ethtool/file").write_text("a package's file\n")
    sh("dpkg-deb", "--root-owner-group", "--build", str(build), str(folder / "ethtool.deb"))
    data = (folder / "ethtool.deb").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    (folder / "Packages").write_text(f"{PACKAGE}Filename: ./ethtool.deb\nSize: {len(data)}\nSHA256: {digest}\n")
    sources = folder.parents[1] / "etc/apt/sources.list.d/test.list"
    sources.parent.mkdir(parents=True)
    sources.write_text("deb [trusted=yes] file:/srv/packages ./\n")
