# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.
"""Container images: built from a Containerfile on Debian packages, or pulled; saved under their upstream names."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import ArtifactError, Debian, Image
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_run import Run, checked
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_store import key_of

LAYER_IMAGE = "localhost/reftopo/{}"  # what our Containerfiles call a layer of Debian packages
INDEXES = ("apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)")
LEFT_OUT = (
    *("etc/apt", "var/lib/apt", "var/cache/apt"),  # name the mirror
    *("etc/hostname", "etc/resolv.conf"),  # copies of this machine's, and container engines bring their own
    *("usr/share/doc", "usr/share/man", "usr/share/locale"),
)
EPOCH = "0"  # every file's and image's time, so that equal content gives equal archives


def debian_sources(run: Run, suite: str) -> list[str]:
    """apt lines for a suite on the mirrors that this machine uses for its own Debian; none on other distributions.

    mmdebstrap(1) adds what it is given to the new root file system's sources, and takes deb.debian.org without any.
    """
    code, out, _err = run([*INDEXES, "Identifier: Packages"])
    lines = []
    for line in sorted(set(out.splitlines())) if code == 0 else []:
        origin, label, uri = line.split()
        if origin == "Debian":
            suites = [f"{suite}-security"] if label == "Debian-Security" else [suite, f"{suite}-updates"]
            lines += [f"deb {uri} {name} main" for name in suites]
    return lines


def debian_command(debian: Debian, sources: t.Sequence[str], tar: str, packages: str) -> list[str]:
    """mmdebstrap that only unpacks packages, writes the names of their files to ``packages``, and checks digests.

    With --variant=extract no script of a package runs, and of the hooks only this kind. mmdebstrap cannot clean up
    after apt then, as apt's files are gone. Devices are left out too: the container engine makes them.
    """
    digests = "".join(f"{digest}  {name}\n" for name, digest in sorted(debian.sha256.items()))
    check = f'cd "$1"/var/cache/apt/archives && printf %s {shlex.quote(digests)} | sha256sum --check --quiet >&2'
    hooks = [
        f'ls "$1"/var/cache/apt/archives > {shlex.quote(packages)}',
        *([check] if digests else []),
        f'cd "$1" && rm -rf {" ".join(LEFT_OUT)}',
        *(f'ln -sf {target} "$1"{path}' for path, target in sorted(debian.links.items())),
    ]
    return [
        *("mmdebstrap", "--quiet", "--variant=extract", "--skip=cleanup/apt,cleanup/mmdebstrap,output/dev"),
        f"--include={','.join(debian.packages)}",
        *(f"--extract-hook={hook}" for hook in hooks),
        *(debian.suite, tar, *sources),
    ]


def make_debian(run: Run, debian: Debian, target: str) -> None:
    """Debian packages as ``debian.tar``, and ``packages.json``: their versions, by name.

    Where the lock has digests, those packages are what images take files of; the others only came with them.
    """
    sources, listed = debian_sources(run, debian.suite), os.path.join(target, "packages")
    command = debian_command(debian, sources, os.path.join(target, "debian.tar"), listed)
    checked(run, f"Unpacking Debian {debian.suite} packages", command, environ_update={"SOURCE_DATE_EPOCH": EPOCH})
    with open(listed, encoding="utf-8") as stream:
        versions = package_versions(debian.sha256 or stream.read().split())
    with open(os.path.join(target, "packages.json"), "w", encoding="utf-8") as stream:
        json.dump(versions, stream, indent=1)


def package_versions(names: t.Iterable[str]) -> dict[str, str]:
    """Versions by package name, from the names in apt's archive: ``name_version_arch.deb``, an epoch's colon as %3a."""
    parts = (name.split("_") for name in names if name.endswith(".deb"))
    return {part[0]: part[1].replace("%3a", ":") for part in parts}


class Podman:
    """podman with a store of its own, so that nothing of ours shows up among the user's images.

    The driver vfs is slower than overlay by a few copies, but needs no mounts: a killed run leaves plain files.
    """

    def __init__(self, run: Run, home: str, runtime: str) -> None:
        self.run = run
        self.options = [
            *("--root", home, "--runroot", runtime, "--tmpdir", f"{runtime}/tmp"),
            *("--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "none"),
        ]

    def __call__(self, what: str, *arguments: str) -> str:
        """Output of podman with these arguments, which has to succeed."""
        return checked(self.run, what, ["podman", *self.options, *arguments])

    def build(self, tag: str, containerfile: str, context: str) -> None:
        """Build one image; no registry is asked for a base."""
        fixed = ["--quiet", "--layers=false", "--timestamp", EPOCH, "--pull=never"]
        self(f"Building {tag}", "build", *fixed, "--tag", tag, "--file", containerfile, context)

    def save(self, name: str, path: str) -> None:
        """Write an image as an archive with its name in it, which ``ctr images import`` and ``podman load`` take."""
        self(f"Saving {name}", "save", "--quiet", "--format", "docker-archive", "--output", path, name)

    def pull(self, reference: str, insecure: bool) -> list[str]:
        """Pull an image; returns the digests it is known under: its own, and its index's if it has one."""
        tls = ["--tls-verify=false"] if insecure else []
        self(f"Pulling {reference}", "pull", "--quiet", *tls, reference)
        out = self(f"Inspecting {reference}", "image", "inspect", "--format", "{{json .RepoDigests}}", reference)
        return [digest.rsplit("@", 1)[1] for digest in json.loads(out)]


def runtime_folder(home: str) -> str:
    """Folder for what podman keeps while it runs: at most 50 characters, says podman, and only we may write there."""
    parent = "/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", home)
    return os.path.join(parent, f"reftopo-{key_of(home)}")


@contextlib.contextmanager
def podman_store(run: Run, home: str) -> t.Iterator[Podman]:
    """A podman whose store lives as long as the block; a killed run's is removed first.

    The caller holds a lock on ``home``.
    """
    folders = (runtime_folder(home), home)
    _remove(folders)
    try:
        yield Podman(run, home, folders[0])
    finally:
        _remove(folders)


def _remove(folders: t.Iterable[str]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def build_image(podman: Podman, image: Image, folder: str, programs: t.Mapping[str, str], target: str) -> None:
    """Build ``folder``'s Containerfile with what is beside it, programs and files (name: path); write ``image.tar``."""
    context = os.path.join(target, "context")
    shutil.copytree(folder, context, ignore=lambda _folder, _names: ["Containerfile"])
    for name, path in programs.items():
        if os.path.isdir(path):
            shutil.copytree(path, os.path.join(context, name), copy_function=os.link)
        else:
            os.link(path, os.path.join(context, name))
    podman.build(image.name, os.path.join(folder, "Containerfile"), context)
    podman.save(image.name, os.path.join(target, "image.tar"))
    shutil.rmtree(context)


def build_debian(podman: Podman, debian: Debian, folder: str, tar_folder: str) -> None:
    """Build a layer of Debian packages, which other images are FROM."""
    podman.build(LAYER_IMAGE.format(debian.name), os.path.join(folder, "Containerfile"), tar_folder)


def pull_image(podman: Podman, image: Image, reference: str, insecure: bool, target: str) -> None:
    """Pull an image, hold it against the lock's digest, and write ``image.tar``.

    Raises:
        ArtifactError: the digest is another one.
    """
    digests = podman.pull(reference, insecure)
    if image.digest and image.digest not in digests:
        raise ArtifactError(
            f"{reference}: digest mismatch.\n  the lock has {image.digest}\n  pulled was {', '.join(digests)}\n"
            f"Nothing was kept. If the image was released anew, correct images.{image.name}.digest in the lock;"
            " if it was not, somebody changed it on the way."
        )
    if reference != image.name:
        podman(f"Naming {image.name}", "tag", reference, image.name)
    podman.save(image.name, os.path.join(target, "image.tar"))
