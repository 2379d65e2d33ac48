# SPDX-License-Identifier: GPL-3.0-or-later
"""Container nodes: made, found again, repaired, refused, removed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError

# What the kernel itself counts under /proc/sys
COUNTERS = (
    "fs.dentry-state",
    "fs.file-nr",
    "fs.inode",
    "fs.quota",
    "kernel.ns_last_pid",
    "kernel.pty.nr",
    "kernel.random",
)


def test_nodes_answer_by_ssh_with_the_topology_key_alone(lab: Any, tmp_path: Path) -> None:
    lab.converge()
    for node in lab.nodes:
        assert lab.ssh(node, "hostname").strip() == node
    lab.command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other"))
    with pytest.raises(subprocess.CalledProcessError, match="255"):
        lab.ssh("a", "true", key=str(tmp_path / "other"))


def test_a_node_is_a_machine_of_its_own(lab: Any) -> None:
    lab.converge()
    machine_ids = {lab.ssh(node, "cat", "/etc/machine-id").strip() for node in lab.nodes}
    assert len(machine_ids) == len(lab.nodes)
    assert all(len(machine_id) == 32 for machine_id in machine_ids)
    assert lab.ssh("a", "getent", "hosts", "b").split() == [lab.nodes["b"], "b"]
    assert lab.ssh("a", "cat", "/etc/resolv.conf") == "nameserver 198.51.100.1\n"
    assert lab.ssh("a", "cat", "/proc/sys/net/ipv4/ip_forward").strip() == "1"
    assert lab.ssh("a", "findmnt", "--noheadings", "--output", "PROPAGATION", "/").strip() == "shared"


def test_a_node_sees_its_own_services_alone(lab: Any) -> None:
    lab.converge()
    for node in lab.nodes:
        groups = lab.ssh(node, "cat", "/proc/1/cgroup").split()
        assert {group.rpartition(":")[2] for group in groups} <= {"/", "/init.scope"}
        shown = lab.ssh(node, "find /sys/fs/cgroup -name 'libpod*' -o -name '*reftopo*'")
        assert shown == ""


def test_a_node_cannot_change_settings_of_the_machine(lab: Any) -> None:
    lab.converge()
    with pytest.raises(subprocess.CalledProcessError):
        lab.ssh("a", "cat /proc/sys/vm/swappiness >/proc/sys/vm/swappiness")
    lab.ssh("a", "echo 1 >/proc/sys/net/ipv4/conf/all/forwarding")  # the control: its network's own it can


def test_the_kubelet_is_shown_settings_that_the_machine_does_not_have(lab: Any) -> None:
    setting = Path("/proc/sys/vm/overcommit_memory")
    before = setting.read_text()
    lab.converge()
    assert lab.ssh("a", "cat", str(setting)) == "1\n"
    lab.ssh("a", f"echo 2 >{setting}")
    assert setting.read_text() == before


def test_settings_of_the_machine_stay(lab: Any) -> None:
    def settings() -> list[str]:
        lines = lab.command("sysctl", "--all", "--pattern", "^(fs|kernel|vm)[.]").splitlines()
        return [line for line in lines if not line.startswith(COUNTERS)]

    before = settings()
    lab.converge()
    assert settings() == before


def test_nodes_share_layers_but_not_its_databases(lab: Any) -> None:
    lab.converge()
    store = lab.folder / "a/containerd"
    origin = Path(lab.params["image"]) / "containerd"
    assert (store / "content/blob").samefile(origin / "content/blob")
    assert not (store / "bolt/meta.db").samefile(origin / "bolt/meta.db")
    assert (store / "bolt/meta.db").read_text() == "a database"


def test_a_second_run_changes_nothing(lab: Any) -> None:
    assert lab.converge()
    before = lab.containers()
    assert len(before) == len(lab.nodes)
    assert lab.converge() == []
    assert lab.containers() == before


def test_check_mode_changes_nothing_and_tells_what_would_run(lab: Any) -> None:
    predicted = lab.converge(check_mode=True)
    assert lab.traces() == []
    assert lab.converge() == predicted
    assert lab.converge(check_mode=True) == []


def test_a_stopped_node_comes_back_as_it_was(lab: Any) -> None:
    lab.converge()
    lab.ssh("a", "echo kept >/etc/kept")
    lab.command("podman", "stop", f"{lab.prefix}a")
    assert [step.split()[:2] for step in lab.converge()] == [
        ["runc", "delete"],
        ["podman", "rm"],
        ["podman", "--runtime=runc"],
    ]
    assert lab.ssh("a", "cat", "/etc/kept") == "kept\n"
    assert lab.converge() == []


def test_a_removed_container_comes_back_with_its_files(lab: Any) -> None:
    lab.converge()
    lab.ssh("a", "echo kept >/etc/kept")
    machine_id = lab.ssh("a", "cat", "/etc/machine-id")
    lab.command("podman", "rm", "--force", "--time=0", f"{lab.prefix}a")
    assert len(lab.converge()) == 1
    assert lab.ssh("a", "cat", "/etc/machine-id") == machine_id
    assert lab.ssh("a", "cat", "/etc/kept") == "kept\n"


def test_an_unmounted_root_is_mounted_again(lab: Any) -> None:
    """As after a reboot of the machine."""
    lab.converge()
    lab.ssh("a", "echo kept >/etc/kept")
    lab.command("podman", "stop", f"{lab.prefix}a")
    lab.command("umount", f"{lab.folder}/a/rootfs")
    assert [step.split()[0] for step in lab.converge()] == ["runc", "podman", "mount", "podman"]
    assert lab.ssh("a", "cat", "/etc/kept") == "kept\n"


def test_a_node_in_a_replaced_namespace_is_restarted(lab: Any) -> None:
    lab.converge()
    lab.remove_namespace("a")
    lab.add_namespace("a")
    assert lab.converge()[0] == f"podman stop {lab.prefix}a"
    assert lab.ssh("a", "hostname") == "a\n"


def test_a_changed_file_is_put_back(lab: Any) -> None:
    lab.converge()
    lab.ssh("a", "echo 192.0.2.1 b >/etc/hosts")
    assert len(lab.converge()) == 1
    assert lab.ssh("a", "getent", "hosts", "b").split() == [lab.nodes["b"], "b"]


def test_half_a_folder_is_made_anew(lab: Any) -> None:
    """As a run that was killed leaves it: the mark that means complete is not there."""
    lab.converge()
    lab.command("podman", "rm", "--force", "--time=0", f"{lab.prefix}a")
    folder = lab.folder / "a"
    (folder / "image").unlink()
    shutil.rmtree(folder / "containerd")
    lab.converge()
    assert (folder / "containerd/content/blob").exists()
    assert lab.converge() == []


@pytest.mark.parametrize("delay", [0.05, 0.08, 0.11, 0.14, 0.17, 0.2])
def test_a_podman_that_was_killed_is_cleaned_up_after(lab: Any, delay: float) -> None:
    """Wherever it was: it may leave a name without a record, or a container of the runtime that it does not know."""
    lab.converge()
    lab.command("podman", "rm", "--force", "--time=0", f"{lab.prefix}a")
    (step,) = lab.converge(check_mode=True)
    lab.run_and_kill(step, delay)
    lab.converge()
    assert lab.ssh("a", "hostname") == "a\n"
    assert lab.converge() == []
    assert lab.identifiers() <= set(lab.command("runc", "list", "--quiet").split())


@pytest.mark.parametrize("delay", [0.05, 0.11, 0.17])
def test_absent_cleans_up_after_a_podman_that_was_killed(lab: Any, delay: float) -> None:
    lab.converge()
    lab.command("podman", "rm", "--force", "--time=0", f"{lab.prefix}a")
    (step,) = lab.converge(check_mode=True)
    lab.run_and_kill(step, delay)
    mine = lab.identifiers()
    lab.absent()
    assert lab.traces() == []
    assert not mine & set(lab.command("runc", "list", "--quiet").split())


def test_another_image_is_refused(lab: Any, tmp_path: Path) -> None:
    lab.converge()
    before = lab.containers()
    (tmp_path / "other/rootfs").mkdir(parents=True)
    with pytest.raises(NodeError, match=r"(?s)nodes\.a: .* now wants other\..*nodes\.b: .* now wants other\.") as error:
        lab.converge(image=str(tmp_path / "other"))
    assert len(str(error.value).splitlines()) == len(lab.nodes)
    assert lab.containers() == before


def test_a_missing_namespace_is_named_before_anything_is_made(lab: Any) -> None:
    lab.remove_namespace("b")
    with pytest.raises(NodeError, match=f"^nodes.b: the network namespace /run/netns/{lab.prefix}b does not exist"):
        lab.converge()
    assert lab.traces() == []


@pytest.fixture
def foreign(lab: Any) -> Iterator[str]:
    """A container with a node's name but without the topology's label."""
    name = f"{lab.prefix}b"
    lab.command("podman", "create", "--name", name, "--rootfs", f"{lab.params['image']}/rootfs", "/bin/true")
    yield name
    lab.command("podman", "rm", "--force", name)


def test_a_foreign_container_is_named_and_left_alone(lab: Any, foreign: str) -> None:
    with pytest.raises(NodeError, match=f"^nodes.b: the container {foreign} exists without the label"):
        lab.converge()
    assert lab.traces() == [foreign]
    lab.absent()
    assert lab.traces() == [foreign]


def test_absent_needs_the_marks_alone_and_leaves_nothing(lab: Any) -> None:
    lab.converge()
    assert lab.traces() != []
    assert lab.absent(check_mode=True)
    assert len(lab.containers()) == len(lab.nodes)
    assert lab.absent(b=None)
    assert [*lab.containers(), *(path.name for path in lab.folder.iterdir())] == [f"{lab.prefix}a", "a"]
    assert lab.absent()
    assert lab.traces() == []
    assert not lab.absent()


def test_a_node_that_cannot_start_ssh_shows_its_journal(lab: Any) -> None:
    lab.converge()
    lab.ssh("a", "echo Nonsense yes >>/etc/ssh/sshd_config")
    lab.command("podman", "stop", f"{lab.prefix}a")
    with pytest.raises(
        NodeError, match=r"(?s)nodes\.a: SSH at 198.51.100.11 does not answer.*Bad configuration option"
    ):
        lab.converge(timeout=3)
