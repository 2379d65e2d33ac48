# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel and Debian's programs print, as the plan reads it."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _existing_observe as observe
from ansible_collections.reftopo.lab.plugins.module_utils._existing_record import ExistingError
from ansible_collections.reftopo.lab.plugins.module_utils._file import sha256_of

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21 1 0 100 0 0 10 0
   1: 0100007F:280A 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 22 1 0 100 0 0 10 0
"""
UDP = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  101: 00000000:2118 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 23 2 0 0
"""
PRIVATE = "21 1 0:30 / / rw,relatime - overlay overlay rw\n22 21 0:31 / /proc rw shared:5 - proc proc rw\n"
SHARED = "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"


def test_ports_that_somebody_listens_at():
    assert observe.listening(TCP, "tcp") == {22}
    assert observe.listening(UDP, "udp") == {8472}


@pytest.mark.parametrize(("mountinfo", "shared"), [(PRIVATE, False), (SHARED, True), ("", False)])
def test_whether_mounts_are_passed_on(mountinfo, shared):
    assert observe.shared(mountinfo) is shared


def test_packages_that_are_installed():
    listed = "runc installed\nconntrack config-files\nlibc6 installed\n"
    assert observe.installed(listed) == {"runc", "libc6"}


@pytest.mark.parametrize(
    ("kind", "flags", "asked"),
    [("1\n", "0x1003\n", True), ("1\n", "0x1002\n", False), ("1\n", "0x1083\n", False), ("65534\n", "0x1003\n", False)],
)
def test_who_else_has_the_address_is_asked_where_arp_can(tmp_path, monkeypatch, kind, flags, asked):
    (tmp_path / "ens3").mkdir()
    (tmp_path / "ens3/type").write_text(kind)
    (tmp_path / "ens3/flags").write_text(flags)
    monkeypatch.setattr(observe, "NETWORK", str(tmp_path))
    monkeypatch.setattr(observe, "others", lambda name, addresses: {one: [f"{name}'s"] for one in addresses})
    found = observe._others({"name": "ens3", "address": "192.168.50.12/24"})
    assert found == (("ens3's",) if asked else ())


def test_nobody_is_asked_on_an_interface_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(observe, "NETWORK", str(tmp_path))
    assert observe._others({"name": "ens3", "address": "192.168.50.12/24"}) == ()


def test_a_wire_that_cannot_be_asked_is_an_error(tmp_path, monkeypatch):
    def refuse(*dummy):
        raise PermissionError(1, "Operation not permitted")

    for name, text in {"type": "1\n", "flags": "0x1\n"}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(observe, "NETWORK", str(tmp_path.parent))
    monkeypatch.setattr(observe, "others", refuse)
    with pytest.raises(ExistingError, match="nobody can be asked by ARP"):
        observe._others({"name": tmp_path.name, "address": "192.168.50.12/24"})


def test_kernel_settings_are_files():
    assert observe.sysctl_file("net.ipv4.conf.all.route_localnet") == "/proc/sys/net/ipv4/conf/all/route_localnet"


def test_a_digest_is_that_of_the_whole_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"")
    assert sha256_of(str(path)) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
