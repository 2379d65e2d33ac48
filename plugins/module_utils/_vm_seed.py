# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a virtual machine node is told at each boot: an archive behind the image's initrd, which that one unpacks.

The kernel unpacks any number of archives one after the other (Documentation/driver-api/early-userspace/
buffer-format.rst). Files there need no network, no second disk and no service that would delay the boot.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import re
import stat
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._node_common import HOSTS, HOSTS_BEGIN
from ansible_collections.reftopo.lab.plugins.module_utils._node_model import Seed
from ansible_collections.reftopo.lab.plugins.module_utils._vm_model import Vm

MAGIC = b"070701"  # cpio's "new ASCII" format, cpio(5)
ALIGNMENT = 4  # bytes, of names and contents
END = "TRAILER!!!"
PEERS = re.compile(
    re.escape(HOSTS_BEGIN.encode()) + rb"[^\0]*?(?=\0|" + MAGIC + rb")"
)  # up to padding or the next header


def seed(vm: Vm) -> bytes:
    """The archive of a node: its interfaces, its routes, and the files that differ from the image's."""
    first = vm.nics[0]
    files = {
        "seed/interfaces": ("".join(f"{nic.mac} {nic.name} {nic.address} {nic.mtu}\n" for nic in vm.nics), 0o644),
        # Link scope where there is no router: nothing answers for a foreign address, so no packet can leave by way of
        # the host, yet service addresses have a route until kube-proxy's rules see them.
        "seed/routes": (f"default {f'via {vm.router}' if vm.router else f'dev {first.name} scope link'}\n", 0o644),
        **{f"seed/root{path}": (given.content, given.mode) for path, given in vm.seeds.items()},
    }
    return archive(files)


def archive(files: t.Mapping[str, tuple[str | bytes, int]], empty: t.Iterable[str] = ()) -> bytes:
    """An archive of files (content and mode by path), the folders that they are in, and empty folders."""
    folders = {name[:end] for name in files for end, letter in enumerate(name) if letter == "/"} | set(empty)
    entries = [(folder, b"", stat.S_IFDIR | _folder_mode(folder)) for folder in sorted(folders)]
    for name, (text, mode) in sorted(files.items()):
        entries.append((name, text.encode() if isinstance(text, str) else text, stat.S_IFREG | mode))
    return b"".join(_entry(number, *entry) for number, entry in enumerate([*entries, (END, b"", 0)]))


def _folder_mode(folder: str) -> int:
    """ssh takes no keys from a folder that others may look into."""
    return 0o700 if folder.endswith(("/root/root", "/.ssh")) else 0o755


def _entry(number: int, name: str, content: bytes, mode: int) -> bytes:
    """One file: a header of thirteen numbers, the name and the content, all of them root's and of no time."""
    links, owner, group, time, device, checksum = 1, 0, 0, 0, (0, 0, 0, 0), 0
    path = name.encode() + b"\0"
    numbers = (number, mode, owner, group, links, time, len(content), *device, len(path), checksum)
    header = MAGIC + b"".join(b"%08X" % value for value in numbers)
    return _aligned(header + path) + _aligned(content)


def _aligned(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % ALIGNMENT)


def boot_file(initrd: bytes, vm: Vm) -> bytes:
    """What a node boots with."""
    return behind(initrd, seed(vm))


def behind(initrd: bytes, more: bytes) -> bytes:
    """An initrd, and an archive that is unpacked after it. It begins at a multiple of four bytes."""
    return _aligned(initrd) + more


def differs_in_peers_alone(initrd: bytes, image: bytes, vm: Vm) -> bool:
    """Whether what a node boots with is as it must be, but for who else is a node: it need not start anew for that."""
    found = PEERS.search(initrd, len(image))
    if not found:
        return False
    then = {**vm.seeds, HOSTS: Seed(found.group().decode())}
    return boot_file(image, dataclasses.replace(vm, seeds=then)) == initrd
