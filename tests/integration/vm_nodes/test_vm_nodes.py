# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual machine: predicted, made, found again, killed, replugged, refused, removed. The tests are one story."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rare_tests
from ansible_collections.reftopo.lab.plugins.module_utils import _vm_libvirt as vm_libvirt
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError
from topologies import sh

VIRSH = ("virsh", "--connect=qemu:///system", "--quiet")


def test_what_is_predicted_is_done_and_nothing_is_left_to_do(lab: Any):
    predicted = lab.converge(check_mode=True)
    assert not lab.folder.exists()
    assert lab.converge() == predicted
    assert lab.converge(check_mode=True) == lab.converge() == []


def test_the_machine_is_who_it_was_told_to_be(lab: Any):
    assert lab.ssh("hostname").strip() == "a"
    assert lab.ssh("getent", "hosts", "b").split() == ["198.51.100.12", "b"]
    assert f"inet {lab.address}/24" in lab.ssh("ip", "address", "show", "eth0")
    assert "mtu 1400" in lab.ssh("ip", "link", "show", "eth0")
    assert lab.ssh("ip", "route", "show", "default").strip() == "default dev eth0 scope link"
    failed = "systemctl list-units --failed --plain --no-legend; journalctl --no-pager --priority=err"
    assert lab.ssh(f"systemctl is-system-running --wait || {{ {failed}; }}") == "running\n"


def test_a_new_neighbour_is_told_to_a_machine_that_runs(lab: Any):
    before = lab.boot()
    more = {**lab.params["nodes"], "c": {"provider": "container", "address": "198.51.100.13"}}
    steps = lab.converge(nodes=more)
    assert [step.split()[0] for step in steps] == ["ssh", "write"]
    assert lab.converge(nodes=more) == []
    assert lab.ssh("getent", "hosts", "c").split() == ["198.51.100.13", "c"]
    assert lab.converge() != []
    assert "198.51.100.13" not in lab.ssh("cat", "/etc/hosts")
    assert lab.boot() == before


def test_its_kernel_has_what_this_one_may_lack(lab: Any):
    lab.ssh("modprobe", "--all", "ipip", "ip_vs", "ip_vs_rr", "vxlan", "dummy", "8021q", "bonding")


@pytest.mark.slow
def test_it_passes_the_rare_tests_which_other_kernels_cannot(lab: Any):
    """All that are marked, wherever they are, and none else; the control is told as failed."""
    lab.converge()  # for when this is the only test that was asked for
    tests = rare_tests.marked()
    outcomes = rare_tests.run(lab.reach, tests)
    if os.environ.get("REFTOPO_RECORD"):
        rare_tests.fetch_recordings(lab.reach)
    control = f"{rare_tests.CONTROL}::test_control"
    assert set(outcomes) == {*tests, control}
    assert "ip link add name t-control type reftopo_none" in outcomes.pop(control)
    assert {name: said for name, said in outcomes.items() if said} == {}


def test_its_secrets_are_for_root_alone(lab: Any):
    readable = [path.name for path in lab.folder.iterdir() if path.stat().st_mode & 0o077]
    assert not {"initrd", "domain.xml"} & set(readable)
    assert lab.ssh("stat", "--format=%a", "/etc/ssh/ssh_host_ed25519_key").strip() == "600"


def test_a_killed_machine_comes_back_as_it_was_and_by_itself(lab: Any):
    lab.ssh("echo kept >/etc/kept && sync")
    before = lab.boot()
    sh(*VIRSH, "destroy", lab.domain)
    assert lab.converge(check_mode=True) == [f"{' '.join(VIRSH)} start {lab.domain}"]
    sh(*VIRSH, "start", lab.domain)  # by its owner, not by the module
    assert lab.converge() == []
    assert lab.boot() != before
    assert lab.ssh("cat", "/etc/kept") == "kept\n"


def test_a_machine_whose_tap_was_made_anew_is_started_on_it(lab: Any):
    sh("ip", "link", "delete", lab.tap)
    lab.add_tap()
    assert [step.split()[3] for step in lab.converge()] == ["destroy", "start"]
    assert lab.converge() == []


def test_an_image_that_was_changed_is_refused(lab: Any):
    disk = Path(lab.params["image"]) / "disk.raw"
    before = disk.stat()
    disk.touch()
    with pytest.raises(NodeError, match=r"disk\.raw"):
        lab.converge()
    os.utime(disk, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert lab.converge() == []


def test_a_machine_that_ssh_does_not_reach_is_told_by_its_console(lab: Any):
    """Its wire is cut. Of a kernel that is damaged meanwhile neither size nor time tell."""
    kernel = Path(lab.params["image"]) / "vmlinux"
    sh("ip", "link", "set", lab.tap, "nomaster")
    told = silent(lab)
    assert "libvirt says that it is running. The end of its console, " in told
    assert "login:" in told.partition("The end of its console")[2]
    assert "damaged" not in told

    with other_byte(kernel):
        assert f"{kernel}: damaged" in silent(lab)
    sh("ip", "link", "set", lab.tap, "master", lab.bridge)
    assert lab.converge() == []


def silent(lab: Any) -> str:
    """What is said when SSH does not answer soon."""
    with pytest.raises(NodeError, match=f"SSH at {lab.address} does not answer within 2 s") as caught:
        lab.converge(timeout=2)
    return str(caught.value)


@contextlib.contextmanager
def other_byte(path: Path) -> Iterator[None]:
    """Another first byte in a file for a while, as a disk that fails has it."""
    with path.open("rb") as stream:
        first = stream.read(1)
    begin_with(path, bytes([first[0] ^ 1]))
    try:
        yield
    finally:
        begin_with(path, first)


def begin_with(path: Path, byte: bytes) -> None:
    """Write the first byte of a file, and keep its times."""
    before = path.stat()
    with path.open("r+b") as stream:
        stream.write(byte)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_nothing_is_left(lab: Any):
    assert lab.absent(check_mode=True)
    assert lab.absent()
    assert not lab.folder.exists()
    assert lab.domain not in sh("find", "/etc/libvirt", "/run/libvirt", "/var/lib/libvirt", "/var/log/libvirt")
    assert not lab.absent()
    if not Path(vm_libvirt.SYSTEMD).exists():
        assert [
            path for path in (*vm_libvirt.PID_FILES.values(), vm_libvirt.SETTINGS_FILE) if Path(path).exists()
        ] == []
        assert "libvirtd" not in sh("ps", "-eo", "comm")


def test_a_domain_of_others_stays(lab: Any, tmp_path: Path):
    foreign = tmp_path / "foreign.xml"
    foreign.write_text(
        f"<domain type='qemu'><name>{lab.domain}</name><memory>1024</memory><os><type>hvm</type></os></domain>"
    )
    vm_libvirt.ensure(lab.runner)
    sh(*VIRSH, "define", str(foreign))
    with pytest.raises(NodeError, match="not this topology's"):
        lab.converge()
    assert not lab.absent()
    sh(*VIRSH, "undefine", lab.domain)  # which it was there for
    assert not lab.absent()
    assert vm_libvirt.silence(lab.runner) or Path(vm_libvirt.SYSTEMD).exists()
