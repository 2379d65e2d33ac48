# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node as a libvirt domain: the text that defines it, and what a definition tells.

https://libvirt.org/formatdomain.html

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import glob
import hashlib
import os
import uuid
from xml.etree import ElementTree

from ansible_collections.reftopo.lab.plugins.module_utils._file import read_text
from ansible_collections.reftopo.lab.plugins.module_utils._vm_model import Domain, Vm

DEFINITIONS = "/etc/libvirt/qemu"
KVM, EMULATION = "kvm", "qemu"
# The mark of a topology in a domain's metadata.
NAMESPACE = "urn:reftopo:node"
# Emulated, the newest models' vector instructions cost more than they bring; KVM shows the host's own processor.
EMULATED_MODEL = "Nehalem"
# MiB of translated instructions. When they are full all are forgotten, which with 256 happened to a node several times
# a minute; a cluster's nodes fill most of this in minutes. What is not used takes no memory.
TRANSLATIONS = 1024

Element = ElementTree.Element


def machine_id(vm: Vm) -> str:
    """A node's ID (machine-id(5)), the same whenever it starts."""
    return hashlib.sha256(vm.domain.encode()).hexdigest()[:32]


def definition(vm: Vm, kernel: str, arguments: str, accelerator: str) -> str:
    """The domain of a node, with the digest of what it is made of; the accelerator is the host's matter."""
    digest = hashlib.sha256(_text(_domain(vm, kernel, arguments, "", "")).encode()).hexdigest()
    return _text(_domain(vm, kernel, arguments, accelerator, digest))


def digest_of(text: str) -> str:
    """The digest in a definition."""
    return parse(text).digest


def parse(text: str) -> Domain:
    """What a definition, of any owner, tells."""
    domain = ElementTree.fromstring(text)
    mark = domain.find(f"metadata/{{{NAMESPACE}}}node")
    marks = {} if mark is None else mark.attrib
    return Domain(
        name=domain.findtext("name", ""),
        owner=marks.get("topology", ""),
        digest=marks.get("digest", ""),
        accelerator=domain.get("type", ""),
    )


def definitions() -> list[Domain]:
    """All domains of libvirt's system connection, those of others included, as they are defined.

    They are files, so that libvirt's daemon need not run.
    """
    return [parse(read_text(path) or "<domain/>") for path in sorted(glob.glob(f"{DEFINITIONS}/*.xml"))]


def has_process(domain: Domain) -> bool:
    """Whether libvirt has started a domain and not seen its end."""
    return os.path.exists(f"/run/libvirt/qemu/{domain.name}.pid")


def _text(domain: Element) -> str:
    ElementTree.indent(domain)
    return ElementTree.tostring(domain, encoding="unicode") + "\n"


def _domain(vm: Vm, kernel: str, arguments: str, accelerator: str, digest: str) -> Element:
    domain = Element("domain", {"type": accelerator})
    _add(domain, "name", vm.domain)
    _add(domain, "uuid", str(uuid.UUID(machine_id(vm))))
    mark = {"topology": vm.owner, "node": vm.name, "digest": digest}
    ElementTree.SubElement(_add(domain, "metadata"), f"{{{NAMESPACE}}}node", mark)
    _add(domain, "memory", str(vm.size.memory), unit="MiB")
    _add(domain, "vcpu", str(vm.size.cpus if accelerator == KVM else vm.size.emulated_cpus))
    system = _add(domain, "os")
    _add(system, "type", "hvm", arch="x86_64", machine="q35")
    _add(system, "kernel", kernel)
    _add(system, "initrd", vm.initrd)
    _add(system, "cmdline", f"{arguments} systemd.machine_id={machine_id(vm)}")
    features = _add(domain, "features")
    _add(features, "acpi")
    _add(features, "apic")
    if accelerator != KVM:
        _add(_add(features, "tcg"), "tb-cache", str(TRANSLATIONS), unit="MiB")
    domain.append(_processor(accelerator))
    _add(domain, "clock", offset="utc")
    _add(domain, "on_crash", "destroy")
    domain.append(_devices(vm))
    # The machines' files are in the cache, which may be in a home folder that libvirt's own user cannot enter.
    _add(_add(domain, "seclabel", type="static", model="dac", relabel="no"), "label", "+0:+0")
    return domain


def _processor(accelerator: str) -> Element:
    if accelerator == KVM:
        return Element("cpu", {"mode": "host-passthrough"})
    processor = Element("cpu", {"mode": "custom", "match": "exact", "check": "none"})
    _add(processor, "model", EMULATED_MODEL, fallback="forbid")
    return processor


def _devices(vm: Vm) -> Element:
    devices = Element("devices")
    disk = _add(devices, "disk", type="file", device="disk")
    # What the guest flushes reaches the host's page cache, which outlives the machine but not the host; so may a lab.
    _add(disk, "driver", name="qemu", type="qcow2", cache="unsafe", discard="unmap")
    _add(disk, "source", file=vm.disk)
    _add(disk, "target", dev="vda", bus="virtio")
    for nic in vm.nics:
        interface = _add(devices, "interface", type="ethernet")
        _add(interface, "mac", address=nic.mac)
        _add(interface, "target", dev=nic.tap, managed="no")  # the tap is link_state's
        _add(interface, "model", type="virtio")
    serial = _add(devices, "serial", type="pty")
    _add(serial, "log", file=vm.console, append="on")
    _add(serial, "target", port="0")
    _add(_add(devices, "rng", model="virtio"), "backend", "/dev/urandom", model="random")
    _add(devices, "controller", type="usb", model="none")
    _add(devices, "memballoon", model="none")
    return devices


def _add(parent: Element, tag: str, text: str | None = None, **attributes: str) -> Element:
    child = ElementTree.SubElement(parent, tag, attributes)
    child.text = text
    return child
