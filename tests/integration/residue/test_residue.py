# SPDX-License-Identifier: GPL-3.0-or-later
"""The control of every residue test: whatever is left behind is seen, and named by its kind."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
import residue

pytestmark = pytest.mark.alone
NAME = "t-residue"
NODES = residue.home("REFTOPO_CACHE", ".cache/reftopo") / "nodes"
GROUP = next(Path("/sys/fs/cgroup").glob("**/cgroup.procs")).with_name(NAME)
# kind of leftover: how to make one, how to take it away
LEFTOVERS = {
    "namespaces": (f"ip netns add {NAME}", f"ip netns delete {NAME}"),
    "links": (f"ip link add {NAME} type bridge", f"ip link delete {NAME}"),
    "addresses": ("ip address add 198.18.76.77/32 dev lo", "ip address delete 198.18.76.77/32 dev lo"),
    "routes": ("ip route add blackhole 198.18.76.0/24 proto 152", "ip route delete blackhole 198.18.76.0/24"),
    "rules": ("ip rule add from 198.18.76.7 lookup 152", "ip rule delete from 198.18.76.7 lookup 152"),
    "nft": (f"nft add table ip {NAME}", f"nft delete table ip {NAME}"),
    "mounts": (f"mount -t tmpfs {NAME} /mnt", "umount /mnt"),
    "podman volumes": (f"podman volume create {NAME}", f"podman volume rm {NAME}"),
    "files": (f"mkdir -p {NODES}/{NAME}", f"rmdir {NODES}/{NAME}"),
    "control groups": (f"mkdir {GROUP}", f"rmdir {GROUP}"),
    "sysctls": ("sysctl -w net.ipv4.conf.all.log_martians=1", "sysctl -w net.ipv4.conf.all.log_martians=0"),
}


def shell(command: str) -> None:
    """Run one command, which must succeed."""
    subprocess.run(shlex.split(command), check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("kind", LEFTOVERS)
def test_a_leftover_is_seen_until_it_is_gone(kind: str):
    make, remove = LEFTOVERS[kind]
    before = residue.snapshot()
    shell(make)
    try:
        seen = residue.diff(before, residue.snapshot())
    finally:
        shell(remove)
    assert any(change.startswith(f"{kind}: ") for change in seen), seen
    assert residue.settled_diff(before) == []


def test_a_process_is_seen_until_it_is_gone():
    before = residue.snapshot()
    with subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 60"], stdout=subprocess.PIPE) as process:
        process.stdout.readline()  # it is in its namespace now
        seen = residue.diff(before, residue.snapshot())
        process.kill()
    assert any(change.startswith(f"processes: + {process.pid} ") for change in seen), seen
    assert residue.settled_diff(before) == []


def test_a_control_group_of_a_program_that_runs_is_not_seen():
    GROUP.mkdir()
    try:
        with subprocess.Popen(["sleep", "60"]) as process:
            (GROUP / "cgroup.procs").write_text(str(process.pid))
            seen = residue.cgroups()
            process.kill()
        assert str(GROUP) not in seen
        assert str(GROUP) in residue.cgroups()
    finally:
        GROUP.rmdir()


def test_a_command_that_fails_is_an_error_not_an_empty_snapshot():
    with pytest.raises(RuntimeError, match="ip -j nonsense"):
        residue.run(["ip", "-j", "nonsense"])


def test_what_is_removed_is_seen_too():
    assert residue.diff({"links": ["a", "b", "b"]}, {"links": ["b", "c"]}) == ["links: - a", "links: - b", "links: + c"]


@pytest.mark.parametrize("name", ["ssh", "conmon"])
def test_what_carries_a_connection_or_container_may_end_but_not_begin(name: str):
    idle, open_one = {"processes": []}, {"processes": [f"17 {name}"]}
    assert residue.diff(open_one, idle) == []
    assert residue.diff(idle, open_one) == [f"processes: + 17 {name}"]


def test_an_empty_control_group_may_go_but_none_may_come():
    without, with_one = {"control groups": []}, {"control groups": ["/sys/fs/cgroup/memory/somebody"]}
    assert residue.diff(with_one, without) == []
    assert residue.diff(without, with_one) == ["control groups: + /sys/fs/cgroup/memory/somebody"]
