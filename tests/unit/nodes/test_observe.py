# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of a machine, from recorded output."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ansible_collections.reftopo.lab.plugins.module_utils import _node_observe as observe
from ansible_collections.reftopo.lab.plugins.module_utils._node_model import Container, Node, Seed

MOUNTINFO = r"""
22 27 0:21 / /sys rw,nosuid - sysfs sysfs rw
27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
90 27 0:60 / /cache/nodes/small/w1/rootfs rw,relatime shared:40 - overlay reftopo.small.w1 rw,lowerdir=/a,upperdir=/b
91 27 0:61 / /mnt/with\040blank rw - tmpfs tmpfs rw
92 27 0:62 / /mnt/with\040blank rw - tmpfs later rw
"""


def test_mounts() -> None:
    assert observe.parse_mounts(MOUNTINFO.strip()) == {
        "/mnt/with blank": "tmpfs",
        "/cache/nodes/small/w1/rootfs": "reftopo.small.w1",
        "/": "/dev/vda1",
        "/sys": "sysfs",
    }


def test_mounts_are_listed_so_that_they_can_be_unmounted_in_order() -> None:
    assert list(observe.parse_mounts(MOUNTINFO.strip()))[-1] == "/sys"


def test_containers() -> None:
    """The last two as podman 4.3 shows what it was killed over, and a working container of buildah."""
    mine = {"reftopo.topology": "small"}
    common = {"Image": "", "Pid": 0}
    text = json.dumps(
        [
            {
                **common,
                "Id": "1",
                "Names": ["reftopo.small.w1"],
                "State": "running",
                "Labels": mine,
                "Pid": os.getpid(),
            },
            {**common, "Id": "2", "Names": ["other"], "State": "exited", "Labels": None},
            {**common, "Id": "3", "Names": ["reftopo.small.w2"], "State": "storage"},
            {**common, "Id": "4", "Names": ["debian-working-container"], "State": "storage", "Image": "debian"},
        ]
    )
    netns = os.stat("/proc/self/ns/net").st_ino
    assert observe.parse_containers(text) == [
        Container("reftopo.small.w1", "1", "running", mine, netns),
        Container("other", "2", "exited", {}),
        Container("reftopo.small.w2", "3", "storage", {}, unfinished=True),
        Container("debian-working-container", "4", "storage", {}),
    ]


def node(tmp_path: Path) -> Node:
    folder = tmp_path / "w1"
    seeds = {"/etc/hosts": Seed("hosts"), "/etc/resolv.conf": Seed("nameserver")}
    peers = ("lo", "no-such-link")
    return Node("w1", "reftopo.small.w1", str(tmp_path / "netns"), "172.30.10.12", str(folder), seeds, peers)


def test_a_node_that_is_not_there(tmp_path: Path) -> None:
    observed = observe.observe_node(node(tmp_path), [], {})
    assert (observed.container, observed.image, observed.mounted, observed.netns, observed.seeds) == (
        None,
        None,
        False,
        None,
        {},
    )
    assert observed.links == "1 none"  # LOOPBACK_IFINDEX in the kernel's include/net/flow.h


def test_a_mounted_node_is_read_through_its_mount(tmp_path: Path) -> None:
    wanted = node(tmp_path)
    for root, text in (("upper", "beneath"), ("rootfs", "above")):
        (tmp_path / "w1" / root / "etc").mkdir(parents=True)
        (tmp_path / "w1" / root / "etc/hosts").write_text(text)
    (tmp_path / "w1/image").write_text("abc")
    (tmp_path / "netns").write_text("")
    mounts = {wanted.root: wanted.container}
    observed = observe.observe_node(wanted, [], mounts)
    assert (observed.image, observed.mounted, observed.seeds) == ("abc", True, {"/etc/hosts": "above"})
    assert observed.netns == (tmp_path / "netns").stat().st_ino
    assert observe.observe_node(wanted, [], {wanted.root: "foreign"}).seeds == {"/etc/hosts": "beneath"}


def test_image_lists_the_databases_of_its_store(tmp_path: Path) -> None:
    for path in ("a/meta.db", "b/metadata.db", "b/uuid"):
        (tmp_path / "abc/containerd" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "abc/containerd" / path).write_text("")
    image = observe.observe_image(str(tmp_path / "abc"))
    assert (image.key, image.databases) == ("abc", ("a/meta.db", "b/metadata.db"))


def test_an_image_that_is_not_there_has_no_databases(tmp_path: Path) -> None:
    assert observe.observe_image(str(tmp_path / "abc")).databases == ()


def test_links_are_possible_on_one_file_system_alone(tmp_path: Path) -> None:
    image = observe.observe_image(str(tmp_path))
    assert observe.observe_machine(image, str(tmp_path / "not/yet")).hard_links
    assert not observe.observe_machine(image, "/proc").hard_links
