# SPDX-License-Identifier: GPL-3.0-or-later
"""Every error of the module vm_nodes, word for word: golden/<case>.txt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _vm_converge as vm_converge
from ansible_collections.reftopo.lab.plugins.module_utils import _vm_libvirt as vm_libvirt
from ansible_collections.reftopo.lab.plugins.module_utils import _vm_plan as vm_plan
from ansible_collections.reftopo.lab.plugins.module_utils._node_apply import wait_for_ssh
from ansible_collections.reftopo.lab.plugins.module_utils._node_model import Seed
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner
from ansible_collections.reftopo.lab.plugins.module_utils._vm_model import SIZE, Domain, Nic, Observed, Vm

GOLDEN = Path(__file__).parent / "golden"
IMAGE = vm_plan.VmImage("/nowhere/vm-images/abc", "abc", "quiet", b"")


def vms(*names: str, key: str = "key", folder: str = "/c") -> dict[str, Vm]:
    nics = (Nic("eth0", "rt-nowhere", "02:00:00:00:00:01", "127.0.0.1/8", 1500),)
    seeds = {"/etc/ssh/ssh_host_ed25519_key": Seed(key)}
    return {
        name: Vm(name, f"reftopo.small.{name}", "small", "127.0.0.1", f"{folder}/{name}", SIZE, nics, seeds)
        for name in names
    }


def answers(code: int, out: str) -> Runner:
    return Runner(lambda argv, **kwargs: (code, out, ""))


def in_the_way() -> None:
    observed = {
        "cp1": Observed(Domain("reftopo.small.cp1")),
        "w1": Observed(Domain("reftopo.small.w1", "other")),
        "w2": Observed(Domain("reftopo.small.w2", "small"), image="older"),
        "w3": Observed(Domain("reftopo.small.w3", "small"), image="abc"),
    }
    raise NodeError("\n".join(vm_plan.conflicts(vms(*observed), observed, IMAGE)))


def missing() -> None:
    raise NodeError("\n".join(vm_plan.prerequisites(vms("cp1", key=""), IMAGE)))


def incomplete_nodes() -> None:
    nodes = {"cp1": {"provider": "vm"}, "w1": {"provider": "vm", "address": "x", "interfaces": {}}, "w2": {}}
    vm_converge.wanted_vms({"nodes": nodes})


def ssh_silent() -> None:
    vm = vms("w1")["w1"]
    wait_for_ssh({"w1": "127.0.0.1"}, 0, lambda name: vm_converge.console(answers(0, ""), vm))


def daemon_that_nobody_started() -> None:
    refused = "Failed to connect socket to '/var/run/libvirt/libvirt-sock': Permission denied"
    vm_libvirt.ensure(answers(1, f"error: failed to connect to the hypervisor\nerror: {refused}"))


def daemon_that_was_started_for_nothing() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vm_libvirt, "SYSTEMD", "/nowhere")
        patch.setattr(vm_libvirt, "TIMEOUT", 0)
        vm_libvirt.ensure(Runner(lambda argv, **kwargs: (int(argv[0] == "virsh"), "error: Connection refused", "")))


CASES = (
    in_the_way,
    missing,
    incomplete_nodes,
    ssh_silent,
    daemon_that_nobody_started,
    daemon_that_was_started_for_nothing,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_error(case: Callable[[], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(vm_libvirt, "SYSTEMD", str(tmp_path))
    monkeypatch.setattr(vm_libvirt, "PID_FILES", {"libvirtd": str(tmp_path / "pid")})
    monkeypatch.setattr(vm_libvirt, "SETTINGS_FILE", str(tmp_path / "settings"))
    monkeypatch.setattr("socket.create_connection", refuse)
    with pytest.raises(NodeError) as caught:
        case()
    assert f"{caught.value}\n" == (GOLDEN / f"{case.__name__}.txt").read_text()


def refuse(*dummy: object, **dummies: object) -> None:
    raise ConnectionRefusedError(111, "Connection refused")


def test_every_golden_file_has_a_case():
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {case.__name__ for case in CASES}


def test_the_end_of_the_console_is_shown(tmp_path: Path):
    vm = vms("w1", folder=str(tmp_path))["w1"]
    Path(vm.folder).mkdir()
    Path(vm.console).write_text("".join(f"line {number}\n" for number in range(1, 101)))
    shown = vm_converge.console(answers(0, ""), vm)
    assert "line 71\nline 72\n" in shown
    assert "line 70\n" not in shown
