# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node image is made of, its content keys, and the commands that make it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
import json
import os
import typing as t
from dataclasses import dataclass

from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError

CONTAINERD = "/usr/bin/containerd"
CTR = "/usr/bin/ctr"
KEY_LENGTH = 16  # hexadecimal digits of SHA-256
DEBIAN = "http://deb.debian.org/debian"
TARGETS = "$(REPO_URI) $(ORIGIN) $(COMPONENT)"  # format of `apt-get indextargets` that `debian_mirror` reads
# Runs a command so that nothing it mounts or starts outlives it, nor it the module, however they end
ISOLATED = (
    *("setpriv", "--pdeathsig=KILL"),
    *("unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--mount-proc"),
)
# Parts of packages that no node needs
EXCLUDED = ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*")
# In the place of the artifacts' manifest, for an image without them: a machine that is no node yet.
NO_ARTIFACTS: t.Mapping[str, t.Any] = {"key": "", "binaries": {}, "images": {}}
# A service's start-up files that would be the same on every node, or hold the builder's own package index
FORGOTTEN = ("/etc/machine-id", "/etc/ssh/ssh_host_*", "/etc/apt/apt.conf.d/99mmdebstrap", "/etc/apt/sources.list")


@dataclass(frozen=True)
class Recipe:
    """Everything that a node image is made of.

    Attributes:
        suite: Debian's, for instance ``trixie``.
        packages: names, in any order.
        architecture: Debian's name of the machine's.
        masked_units: systemd units that never start.
        artifacts: folder of ``manifest``; empty where that is NO_ARTIFACTS.
        manifest: the artifacts' manifest, see docs/architecture.md.
        files: folder with ``rootfs/``, laid over the packages, and the script ``import-images``.
        files_digest: content digest of that folder.
    """

    suite: str
    packages: tuple[str, ...]
    architecture: str
    masked_units: tuple[str, ...]
    artifacts: str
    manifest: t.Mapping[str, t.Any]
    files: str
    files_digest: str

    def base_key(self) -> str:
        """Key of the packages' root file system, shared by images of different artifacts."""
        return digest({"suite": self.suite, "architecture": self.architecture, "packages": sorted(self.packages)})

    def key(self) -> str:
        """Key of the image."""
        return digest(
            {
                "base": self.base_key(),
                "artifacts": self.manifest["key"],
                "masked_units": sorted(self.masked_units),
                "files": self.files_digest,
            }
        )

    def sandbox_image(self) -> str:
        """Name of the artifacts' pause image, which holds a pod's namespaces."""
        return pause_image(self.manifest)


def pause_image(manifest: t.Mapping[str, t.Any]) -> str:
    """Name of the image of a manifest that holds a pod's namespaces."""
    return next(name for name in manifest["images"] if name.split(":")[0].endswith("/pause"))


def digest(value: t.Mapping[str, t.Any]) -> str:
    """A key of what something is made of."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:KEY_LENGTH]


def folder_digest(folder: str) -> str:
    """SHA-256 over the names, executable bits and contents of all files below a folder."""
    digest = hashlib.sha256()
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(root, name)
            with open(path, "rb") as stream:
                content = hashlib.sha256(stream.read()).hexdigest()
            executable = bool(os.stat(path).st_mode & 0o100)
            digest.update(f"{os.path.relpath(path, folder)}\0{executable}\0{content}\n".encode())
    return digest.hexdigest()


def has_manifest(folder: str) -> bool:
    """Whether the artifacts of a folder are complete."""
    return os.path.exists(os.path.join(folder, "manifest.json"))


def load_manifest(folder: str) -> dict[str, t.Any]:
    """The artifacts' manifest of a folder.

    Raises:
        NodeError: there is none, or it lacks what a node needs.
    """
    path = os.path.join(folder, "manifest.json")
    try:
        with open(path, encoding="utf-8") as stream:
            manifest: dict[str, t.Any] = json.load(stream)
    except (OSError, ValueError) as error:
        raise NodeError(f"artifacts: cannot read {path}: {error}. Run the role reftopo.lab.artifacts.") from error
    problems = list(manifest_problems(manifest))
    if problems:
        raise NodeError("\n".join(f"artifacts: {path}: {problem}" for problem in problems))
    return manifest


def manifest_problems(manifest: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """What keeps a node image from being made of these artifacts, one sentence each."""
    missing = [name for name in ("key", "binaries", "images") if name not in manifest]
    if missing:
        yield f"no {', '.join(missing)}. Remove the folder and run the role reftopo.lab.artifacts again."
        return
    destinations = {entry["destination"] for entry in manifest["binaries"].values()}
    for destination in (CONTAINERD, CTR):
        if destination not in destinations:
            yield f"no binary has the destination {destination}, which the image's containerd store is made with."
    if not any(name.split(":")[0].endswith("/pause") for name in manifest["images"]):
        yield "images: there is no pause image, which holds a pod's namespaces."


def debian_mirror(targets: str) -> str:
    """URI of the first Debian archive among the machine's own package sources, else Debian's own.

    Args:
        targets: output of ``apt-get indextargets`` in the format TARGETS.
    """
    for line in targets.splitlines():
        uri, origin, component = line.split()
        # apt knows an archive's origin only once its index was fetched; mirrors keep the archive's own path.
        unknown = origin == "$(ORIGIN)" and uri.rstrip("/").endswith("/debian")
        if component == "main" and (origin == "Debian" or unknown) and "security" not in uri:
            return uri
    return DEBIAN


def apt_options(dump: str) -> list[str]:
    """The machine's settings for fetching packages (proxies, for instance), from ``apt-config dump``."""
    return [line for line in dump.splitlines() if line.startswith("Acquire::") and not line.endswith(' "";')]


def base_commands(recipe: Recipe, rootfs: str, mirror: str, options: t.Sequence[str]) -> list[list[str]]:
    """Commands that unpack the packages into ``rootfs``.

    mmdebstrap runs outside of the new system, whose TLS trust and package sources do not matter then.
    """
    forget = " ".join(f'"$1"{path}' for path in FORGOTTEN)
    return [
        [
            *ISOLATED,
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            f"--architectures={recipe.architecture}",
            f"--include={','.join(sorted(recipe.packages))}",
            *(f"--aptopt={option}" for option in [*options, 'APT::Install-Recommends "false";']),
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED),
            # The machine's ID: an empty file is filled at each start, by what the container or machine is.
            f'--customize-hook=rm -f {forget} && touch "$1"/etc/machine-id',
            recipe.suite,
            rootfs,
            mirror,
        ]
    ]


def image_commands(recipe: Recipe, base: str, rootfs: str) -> list[list[str]]:
    """Commands that make ``rootfs`` from the packages, the artifacts and the files of the role."""
    binaries = [
        ["install", "-D", "--mode=0755", os.path.join(recipe.artifacts, entry["path"]), rootfs + entry["destination"]]
        for dummy, entry in sorted(recipe.manifest["binaries"].items())
    ]
    files = [
        ["install", "-D", "--mode=0644", os.path.join(recipe.artifacts, entry["path"]), rootfs + entry["destination"]]
        for dummy, entry in sorted(recipe.manifest.get("files", {}).items())
    ]
    # A node of a site with a mirror asks that for other images too: the folders' names are the registries'.
    mirror = ["cp", "--recursive", os.path.join(recipe.artifacts, "certs.d"), f"{rootfs}/etc/containerd/"]
    return [
        ["cp", "--archive", "--reflink=auto", base, rootfs],
        *binaries,
        *files,
        ["cp", "--recursive", os.path.join(recipe.files, "rootfs", "."), rootfs],
        *([mirror] if recipe.manifest.get("source") == "mirror" else []),
        ["chroot", rootfs, "systemctl", "--quiet", "preset-all"],
        ["chroot", rootfs, "systemctl", "--quiet", "set-default", "multi-user.target"],
        ["chroot", rootfs, "systemctl", "--quiet", "mask", *sorted(recipe.masked_units)],
    ]


def import_command(recipe: Recipe, rootfs: str, store: str) -> list[str]:
    """Command that makes ``store``, a /var/lib/containerd with all images; it prints the names of those in it."""
    archives = {os.path.join(recipe.artifacts, entry["path"]) for entry in recipe.manifest["images"].values()}
    script = os.path.join(recipe.files, "import-images")
    return [*ISOLATED, script, rootfs + CONTAINERD, rootfs + CTR, store, *sorted(archives)]


def sandbox_config(image: str) -> str:
    """containerd's configuration of the pause image.

    https://github.com/containerd/containerd/blob/main/docs/cri/config.md
    """
    return f"version = 3\n[plugins.'io.containerd.cri.v1.images'.pinned_images]\n  sandbox = '{image}'\n"
