# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words of the virtual machine nodes: what is wanted and what is there.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.reftopo.lab.plugins.module_utils._node_model import Seed

RUNNING = "running"  # as virsh calls it


@dataclass(frozen=True)
class Nic:
    """A network interface: its name and settings in the machine, and the tap on this host that carries it.

    Attributes:
        address: with prefix length.
        mtu: bytes.
    """

    name: str
    tap: str
    mac: str
    address: str
    mtu: int


@dataclass(frozen=True)
class Size:
    """What a machine gets of the host: processors, where they are emulated and where not, and memory in MiB."""

    cpus: int
    emulated_cpus: int
    memory: int


# kubeadm's own preflight demands 2 processors and 1700 MB of a control plane (kubernetes cmd/kubeadm/app/constants).
# QEMU makes simpler code for one processor, and it need not wait for others that the host does not run just then.
SIZES = {"control-plane": Size(2, 2, 2048)}
SIZE = Size(2, 1, 1024)


@dataclass(frozen=True)
class Vm:
    """A wanted node.

    Attributes:
        name: its host name.
        domain: name of its libvirt domain.
        owner: the topology.
        address: where SSH must answer, without prefix length.
        folder: its part of the cache.
        nics: the first one carries the default route.
        seeds: what files below its root must hold, by path.
        router: address that the default route goes by; empty where it has link scope.
        login: command that runs another one on it.
    """

    name: str
    domain: str
    owner: str
    address: str
    folder: str
    size: Size
    nics: tuple[Nic, ...]
    seeds: t.Mapping[str, Seed] = field(repr=False)
    router: str = ""
    login: tuple[str, ...] = ()

    @property
    def disk(self) -> str:
        """Its disk, which holds what differs from the image's."""
        return f"{self.folder}/disk.qcow2"

    @property
    def initrd(self) -> str:
        """What it boots with: the image's, and its own files behind that."""
        return f"{self.folder}/initrd"

    @property
    def definition(self) -> str:
        """The domain as libvirt is told."""
        return f"{self.folder}/domain.xml"

    @property
    def console(self) -> str:
        """What it wrote to its serial console."""
        return f"{self.folder}/console.log"


@dataclass(frozen=True)
class Domain:
    """A domain of libvirt.

    Attributes:
        owner: the topology whose mark it carries; empty when it is not ours.
        digest: of the definition that it was made from.
        accelerator: kvm, or qemu for emulation.
        state: as virsh names it.
    """

    name: str
    owner: str = ""
    digest: str = ""
    accelerator: str = ""
    state: str = "shut off"


@dataclass(frozen=True)
class Observed:
    """A node as it is.

    Attributes:
        domain: None when there is none.
        image: key of the image that its folder was made from; None when the folder is absent or unfinished.
        initrd: what it boots with.
        plugged: whether all its taps are there and have the machine at their other end.
    """

    domain: Domain | None = None
    image: str | None = None
    initrd: bytes = field(default=b"", repr=False)
    plugged: bool = False

    def describe(self) -> dict[str, str | None]:
        """What users are shown."""
        return {
            "domain": self.domain.state if self.domain else None,
            "image": self.image,
            "accelerator": self.domain.accelerator if self.domain else None,
        }
