# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A box of Vagrant's libvirt provider: what is in it, and the steps that make it and what it starts from.

https://vagrant-libvirt.github.io/vagrant-libvirt/boxes.html

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import os
import typing as t
from dataclasses import dataclass

from ansible_collections.reftopo.lab.plugins.module_utils._node_image import digest
from ansible_collections.reftopo.lab.plugins.module_utils._node_model import Command, Seed, Step, Write
from ansible_collections.reftopo.lab.plugins.module_utils._vm_domain import EMULATED_MODEL, KVM
from ansible_collections.reftopo.lab.plugins.module_utils._vm_image import DISK_SIZE
from ansible_collections.reftopo.lab.plugins.module_utils._vm_model import SIZE
from ansible_collections.reftopo.lab.plugins.module_utils._vm_plan import VIRSH, VmImage
from ansible_collections.reftopo.lab.plugins.module_utils._vm_seed import archive, behind

NAME = "reftopo/node"
MARK = "reftopo-vagrant"  # how the names of all begin that Vagrant has of us in libvirt
CATALOG, ARCHIVE = "reftopo-node.json", "reftopo-node.box"
BOOT = "/var/lib/libvirt/boot"  # libvirt's own place for kernels, which QEMU's user can read
VOLUMES = f"/var/lib/libvirt/{MARK}"  # of the pool with the box's disk and the machines'
POOL_FILE = f"/etc/libvirt/storage/{MARK}.xml"
NETWORK = "192.168.121.0/24"  # Vagrant's own, its plugin's default; the first address is the box's name server
# Without udev's names interfaces are called in the order in which Vagrant has them: the first one is Vagrant's own.
ARGUMENTS = "net.ifnames=0"

VAGRANTFILE = """\
# SPDX-License-Identifier: GPL-3.0-or-later
# How libvirt starts the box {name} on the machine where it was made: there is no boot loader in it.
Vagrant.configure("2") do |config|
  config.vm.boot_timeout = 900 # an emulated machine takes minutes on a busy host
  config.vm.synced_folder ".", "/vagrant", disabled: true # which would need rsync or NFS in the machine
  config.vm.provider :libvirt do |libvirt|
    libvirt.driver = "{driver}"
    libvirt.cpus = {cpus}
    {processor}
    libvirt.machine_type = "q35"
    libvirt.kernel = "{kernel}"
    libvirt.initrd = "{initrd}"
    libvirt.cmd_line = "{arguments}"
    libvirt.storage_pool_name = "{mark}"
    libvirt.management_network_name = "{mark}"
    libvirt.management_network_address = "{network}"
    libvirt.management_network_mode = "none" # nothing leaves by way of the host, as in all topologies
    libvirt.disk_driver cache: "unsafe"
    libvirt.graphics_type = "none"
    libvirt.memballoon_enabled = false
    libvirt.random model: "random"
  end
end
"""


@dataclass(frozen=True)
class Box:
    """A wanted box.

    Attributes:
        cache: the cache.
        image: what virtual machines boot from; its disk is the box's.
        driver: how libvirt runs machines here: ``kvm``, or ``qemu`` for emulation.
    """

    cache: str
    image: VmImage
    driver: str

    @property
    def key(self) -> str:
        """Key of all that it is made of."""
        return digest({"image": self.image.key, "files": self._files("", "")})

    @property
    def folder(self) -> str:
        """Where the box and its catalog are."""
        return os.path.join(self.cache, "vagrant-boxes", self.key)

    @property
    def kernel(self) -> str:
        """What its machines boot."""
        return f"{BOOT}/{MARK}-{self.key}.vmlinux"

    @property
    def initrd(self) -> str:
        """What its machines boot with."""
        return f"{BOOT}/{MARK}-{self.key}.initrd"

    def files(self) -> dict[str, str]:
        """The texts in the box."""
        return self._files(self.kernel, self.initrd)

    def _files(self, kernel: str, initrd: str) -> dict[str, str]:
        cpus, processor = SIZE.cpus, 'libvirt.cpu_mode = "host-passthrough"'
        if self.driver != KVM:
            cpus = SIZE.emulated_cpus
            processor = f'libvirt.cpu_mode = "custom"\n    libvirt.cpu_model = "{EMULATED_MODEL}"'
        arguments = f"{self.image.arguments} {ARGUMENTS}"
        names = {"name": NAME, "driver": self.driver, "cpus": cpus, "processor": processor}
        names |= {"mark": MARK, "network": NETWORK}
        metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": int(DISK_SIZE.rstrip("G"))}
        return {
            "Vagrantfile": VAGRANTFILE.format(kernel=kernel, initrd=initrd, arguments=arguments, **names),
            "metadata.json": json.dumps(metadata) + "\n",
        }

    def boot_file(self) -> bytes:
        """The image's initrd, told of no interfaces and no files: those of a box are Vagrant's matter."""
        return behind(self.image.initrd, archive({"seed/interfaces": ("", 0o644)}, empty=["seed/root"]))


@dataclass(frozen=True)
class Observed:
    """What there is on this machine.

    Attributes:
        version: of the box that was made; empty when there is none.
        booted: whether its kernel and initrd are in their place.
        defined: whether libvirt has the pool; ``active`` whether it can be used.
    """

    version: str = ""
    booted: bool = False
    defined: bool = False
    active: bool = False


def catalog(box: Box, version: str) -> str:
    """What `vagrant box add` takes: https://developer.hashicorp.com/vagrant/docs/boxes/format#box-metadata"""
    provider = {"name": "libvirt", "url": f"file://{box.folder}/{ARCHIVE}"}
    versions = [{"version": version, "providers": [provider]}]
    return json.dumps({"name": NAME, "description": "A Debian machine", "versions": versions}, indent=2) + "\n"


def plan(box: Box, observed: Observed, version: str) -> list[Step]:
    """Steps that make what is not there; a new box gets ``version``."""
    steps = [] if observed.version else _make(box, version)
    if not observed.booted:
        steps += [Command(("cp", box.image.kernel, box.kernel)), Write(box.initrd, Seed(box.boot_file()))]
    if not observed.defined:
        steps += [Command((*VIRSH, "pool-define-as", MARK, "dir", f"--target={VOLUMES}"))]
        steps += [Command((*VIRSH, "pool-build", MARK)), Command((*VIRSH, "pool-autostart", MARK))]
    return [*steps, *([] if observed.active else [Command((*VIRSH, "pool-start", MARK))])]


def _make(box: Box, version: str) -> list[Step]:
    """Make the box in a folder that gets its name when it is complete."""
    partial = f"{box.folder}.partial"
    disk = ("qemu-img", "convert", "-f", "raw", "-O", "qcow2", box.image.disk, f"{partial}/box.img")
    texts = box.files()
    pack = ("tar", "--create", f"--file={partial}/{ARCHIVE}", f"--directory={partial}", *sorted(texts), "box.img")
    return [
        Command(("rm", "--recursive", "--force", "--one-file-system", partial)),
        *(Write(f"{partial}/{name}", Seed(text)) for name, text in sorted(texts.items())),
        Command(disk),
        Command(pack),
        Command(("rm", f"{partial}/box.img")),
        Write(f"{partial}/{CATALOG}", Seed(catalog(box, version))),
        Command(("mv", "--no-target-directory", partial, box.folder)),
    ]


def plan_absent(observed: Observed, files: t.Iterable[str]) -> list[Step]:
    """Steps that take the pool with its volumes away, and files: kernels, initrds and what libvirt noted."""
    steps: list[Step] = [Command((*VIRSH, "pool-destroy", MARK))] if observed.active else []
    if observed.defined:
        steps.append(Command((*VIRSH, "pool-undefine", MARK)))
        steps.append(Command(("rm", "--recursive", "--force", "--one-file-system", VOLUMES)))
    return [*steps, *(Command(("rm", "--recursive", "--force", path)) for path in files)]
