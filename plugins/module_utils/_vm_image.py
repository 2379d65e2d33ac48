# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a VM image is made of, its content keys, the commands that make it, and how its users start from it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import os
import struct
import typing as t
from dataclasses import dataclass

from ansible_collections.reftopo.lab.plugins.module_utils._node_image import ISOLATED, digest
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError

ARCHITECTURE = "amd64"  # the only one whose kernel has an entry point for being started without a boot loader (PVH)
KERNEL = "linux-image-cloud-amd64"  # Debian's, for virtual machines: few drivers, the same network modules
PACKAGES = (KERNEL, "busybox-static")
# Modules that the initrd loads: what the root file system and the network are behind, and randomness, for which sshd
# would wait until the kernel has collected its own. A VM without the random device starts too, later.
INITRD_MODULES = ("virtio_blk", "virtio_net", "virtio-rng")
INITRD_COMMANDS = ("cpio", "find", "grep", "insmod", "ip", "mount", "poweroff", "sh", "switch_root", "umount")
DISK_SIZE = "20G"  # of which a new image takes what is in it
MODULES = "usr/lib/modules"
STARTED = ("vmlinux", "initrd", "disk.raw")  # the files that VMs start from

# Kernel command line of a VM node, to which whoever starts one adds `systemd.machine_id=`: most of it is for machines
# that emulate. The initrd knows the root file system.
COMMAND_LINE = " ".join(
    (
        "console=ttyS0",
        "quiet",
        "panic=1",  # starts again after a second: nobody looks at a node that stands still
        "mitigations=off",  # a lab's processes need no protection from each other, and it costs each system call
        # QEMU keeps what it translated by its address: a program that is somewhere else each time is translated anew.
        "norandmaps",
        "init_on_alloc=0",
        "lsm=capability",  # AppArmor has no profiles here, and systemd would compile a program for the bpf module
        "rcupdate.rcu_expedited=1",  # a grace period is a wait for all CPUs, of which systemd's cgroups cause hundreds
        "cryptomgr.notests",
        # Emulated timers are late when the machine is busy. That is no reason to give up or to take slower ones.
        "no_timer_check",
        "tsc=reliable",
    )
)

# https://docs.kernel.org/arch/x86/boot.html, "The Real-Mode Kernel Header"
_SETUP_SECTORS = 0x1F1
_MAGIC = (0x202, b"HdrS")
_PAYLOAD = 0x248
_ZSTD = b"\x28\xb5\x2f\xfd"  # https://datatracker.ietf.org/doc/html/rfc8878#section-3.1.1


@dataclass(frozen=True)
class VmRecipe:
    """Everything that a VM image is made of.

    Attributes:
        suite: Debian's, for instance ``trixie``.
        image: folder of the node image.
        manifest: that image's manifest.
        masked_units: systemd units that never start, besides those of the node image.
        files: folder with ``init``, ``pack-initrd``, and ``rootfs/``, which is laid over the node image.
        files_digest: content digest of that folder.
    """

    suite: str
    image: str
    manifest: t.Mapping[str, t.Any]
    masked_units: tuple[str, ...]
    files: str
    files_digest: str

    def kernel_key(self) -> str:
        """Key of the packages, shared by images of different node images."""
        return digest({"suite": self.suite, "architecture": ARCHITECTURE, "packages": sorted(PACKAGES)})

    def key(self) -> str:
        """Key of the image."""
        return digest(
            {
                "kernel": self.kernel_key(),
                "image": self.manifest["key"],
                "masked_units": sorted(self.masked_units),
                "files": self.files_digest,
            }
        )


def load_image(folder: str) -> dict[str, t.Any]:
    """The manifest of a node image.

    Raises:
        NodeError: there is none.
    """
    path = os.path.join(folder, "manifest.json")
    try:
        with open(path, encoding="utf-8") as stream:
            manifest: dict[str, t.Any] = json.load(stream)
    except (OSError, ValueError) as error:
        raise NodeError(f"image: cannot read {path}: {error}. Run the role reftopo.lab.node_image.") from error
    return manifest


def packages_command(recipe: VmRecipe, folder: str, mirror: str, options: t.Sequence[str]) -> list[str]:
    """Command that unpacks the kernel and busybox, without installing them, into ``folder``."""
    return [
        *ISOLATED,
        "mmdebstrap",
        "--quiet",
        "--variant=extract",
        f"--architectures={ARCHITECTURE}",
        f"--include={','.join(PACKAGES)}",
        *(f"--aptopt={option}" for option in [*options, 'APT::Install-Recommends "false";']),
        recipe.suite,
        folder,
        mirror,
    ]


def kernel_payload(image: bytes, name: str) -> bytes:
    """The compressed vmlinux in a kernel image that is made for boot loaders.

    Args:
        name: of the image, for errors.

    Raises:
        NodeError: there is none, or none that `zstd` can decompress.
    """
    place, magic = _MAGIC
    if image[place : place + len(magic)] != magic:
        raise NodeError(f"{name} is no Linux kernel image: it has no header {magic.decode()} at {place:#x}.")
    offset, length = struct.unpack_from("<II", image, _PAYLOAD)
    start = (image[_SETUP_SECTORS] + 1) * 512 + offset
    # The last four bytes are the uncompressed length, which is for the kernel's own decompressor.
    payload = image[start : start + length - 4]
    if not payload or len(payload) != length - 4:
        raise NodeError(f"{name} lacks its payload of {length} bytes. Remove vm-images from the cache and run again.")
    if not payload.startswith(_ZSTD):
        raise NodeError(f"{name} is not compressed with zstd: its payload starts with {payload[:4].hex()}.")
    return payload


def module_order(dependencies: str, names: t.Sequence[str]) -> list[str]:
    """Paths of modules in an order in which they can be loaded, those that they need included.

    Args:
        dependencies: text of modules.dep: each line a module, a colon, and all that it needs, the nearest first.
        names: of the modules.

    Raises:
        NodeError: a module is not there.
    """
    table = {path: needed.split() for path, needed in (line.split(":") for line in dependencies.splitlines())}
    by_name = {os.path.basename(path).split(".")[0]: path for path in table}
    missing = sorted(set(names) - set(by_name))
    if missing:
        raise NodeError(f"{KERNEL} has no module {', '.join(missing)}, which a VM's initrd loads.")
    order = [path for name in names for path in [*reversed(table[by_name[name]]), by_name[name]]]
    return list(dict.fromkeys(order))


def staging_commands(recipe: VmRecipe, kernel: str, release: str, staging: str) -> list[list[str]]:
    """Commands that make ``staging``, a folder with everything that is on a node's disk.

    Its files are those of the node image, by links: what is to differ must be another file, not that one with other
    content.
    """
    rootfs = os.path.join(recipe.image, "rootfs")
    store = os.path.join(recipe.image, "containerd")
    return [
        ["cp", "--archive", "--link", rootfs, staging],
        ["cp", "--archive", "--link", store, f"{staging}/var/lib/containerd"],
        ["mkdir", "--parents", f"{staging}/{MODULES}"],
        ["cp", "--archive", "--link", f"{kernel}/{MODULES}/{release}", f"{staging}/{MODULES}/"],
        # kubeadm's preflight checks read what the kernel was made with.
        ["cp", "--archive", "--link", f"{kernel}/boot/config-{release}", f"{staging}/boot/"],
        ["cp", "--recursive", "--remove-destination", os.path.join(recipe.files, "rootfs", "."), staging],
        ["chroot", staging, "depmod", release],
        ["chroot", staging, "systemctl", "--quiet", "preset-all"],
        ["chroot", staging, "systemctl", "--quiet", "mask", *sorted(recipe.masked_units)],
    ]


def disk_command(staging: str, disk: str) -> list[str]:
    """Command that makes the disk with all that is in ``staging``.

    What of the disk was never written reads as zeros already, so nobody needs to fill tables with them, neither here
    nor, with the mount option noinit_itable, in the VM.
    """
    features = "lazy_itable_init=1,lazy_journal_init=1,nodiscard"
    return ["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-E", features, "-d", staging, disk, DISK_SIZE]


def fingerprint(folder: str) -> dict[str, dict[str, int]]:
    """Sizes and modification times of the files that VMs start from; a missing file has none."""
    found = {}
    for name in STARTED:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            status = os.stat(path)
            found[name] = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
    return found


def load_vm_image(folder: str) -> dict[str, t.Any] | None:
    """The manifest of a VM image, or None when there is no such image; a call takes no time.

    Raises:
        NodeError: its files are not those that were made.
    """
    try:
        with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as stream:
            manifest: dict[str, t.Any] = json.load(stream)
    except FileNotFoundError:
        return None
    found = fingerprint(folder)
    changed = [name for name in STARTED if found.get(name) != manifest["files"][name]]
    if changed:
        raise NodeError(
            f"{', '.join(os.path.join(folder, name) for name in changed)}: changed since the image was made. "
            f"Destroy the VMs that run from it, remove {folder} and run the role reftopo.lab.vm_image."
        )
    return manifest
