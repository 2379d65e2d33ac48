# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a box, and the steps that make it and take it away."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _vagrant_box as vagrant_box
from ansible_collections.reftopo.lab.plugins.module_utils._node_model import Write
from ansible_collections.reftopo.lab.plugins.module_utils._vm_plan import VmImage
from ansible_collections.reftopo.lab.plugins.module_utils._vm_seed import MAGIC

GOLDEN = Path(__file__).parent / "golden"
IMAGE = VmImage("/cache/vm-images/abc", "abc", "console=ttyS0 quiet", b"initrd")
BOX = vagrant_box.Box("/cache", IMAGE, "qemu")
THERE = vagrant_box.Observed(version="20260101.100000", booted=True, defined=True, active=True)


@pytest.mark.parametrize("driver", ["qemu", "kvm"])
def test_how_libvirt_starts_it(driver: str):
    box = dataclasses.replace(BOX, driver=driver)
    text = box.files()["Vagrantfile"].replace(box.key, "KEY")
    assert text == (GOLDEN / f"Vagrantfile.{driver}").read_text()


def test_what_vagrant_reads_of_it():
    assert json.loads(BOX.files()["metadata.json"]) == {"provider": "libvirt", "format": "qcow2", "virtual_size": 20}
    catalog = json.loads(vagrant_box.catalog(BOX, "20260101.100000"))
    assert catalog["name"] == "reftopo/node"
    assert catalog["versions"][0]["version"] == "20260101.100000"
    url = catalog["versions"][0]["providers"][0]["url"]
    assert url == f"file:///cache/vagrant-boxes/{BOX.key}/reftopo-node.box"


@pytest.mark.parametrize(
    "change", [{"driver": "kvm"}, {"image": IMAGE._replace(key="other")}, {"image": IMAGE._replace(arguments="quiet")}]
)
def test_every_input_changes_the_key(change: dict):
    other = dataclasses.replace(BOX, **change)
    assert other.key != BOX.key
    assert other.kernel != BOX.kernel


def test_its_initrd_is_told_of_no_interface_and_no_file():
    boot = BOX.boot_file()
    assert boot.startswith(b"initrd")
    assert boot.index(MAGIC) % 4 == 0
    assert [name for name in (b"seed/interfaces\0", b"seed/root\0", b"seed/routes\0") if name in boot] == [
        b"seed/interfaces\0",
        b"seed/root\0",
    ]


def lines(steps: list) -> str:
    return "".join(f"{step}\n" for step in steps).replace(BOX.key, "KEY")


def test_a_new_box():
    steps = vagrant_box.plan(BOX, vagrant_box.Observed(), "20260101.100000")
    assert lines(steps) == (GOLDEN / "new.txt").read_text()
    written = [step.path for step in steps if isinstance(step, Write)]
    assert written[-1] == BOX.initrd, "what says that the kernel is in its place is written after it"


def test_nothing_is_done_again():
    assert vagrant_box.plan(BOX, THERE, "") == []


def test_a_pool_that_is_off_is_started():
    steps = vagrant_box.plan(BOX, dataclasses.replace(THERE, active=False), "")
    assert lines(steps) == "virsh --connect=qemu:///system --quiet pool-start reftopo-vagrant\n"


def test_all_of_it_is_taken_away():
    steps = vagrant_box.plan_absent(THERE, [BOX.kernel, "/var/log/libvirt/qemu/reftopo-vagrant.cp1.x.log"])
    assert lines(steps) == (GOLDEN / "absent.txt").read_text()


def test_nothing_is_taken_away_where_nothing_is():
    assert vagrant_box.plan_absent(vagrant_box.Observed(), []) == []
