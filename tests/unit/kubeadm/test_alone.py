# SPDX-License-Identifier: GPL-3.0-or-later
"""One call at a time works on a machine, also when the playbook that made the other one was killed."""

from __future__ import annotations

import contextlib
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._kubeadm_apply import Applier
from ansible_collections.reftopo.lab.plugins.module_utils._kubeadm_plan import Desired, KubeadmError

DESIRED = Desired("worker", {}, {}, {})


def applier(timeout: float, run: t.Callable[..., t.Any] = print) -> Applier:
    return Applier(run, DESIRED, "192.0.2.1:6443", timeout)


@pytest.fixture
def start() -> t.Iterator[t.Callable[..., None]]:
    """Starts a command as AnsibleModule.run_command does, and does not wait for it, like a module that was killed."""
    with contextlib.ExitStack() as started:
        yield lambda argv, pass_fds=(): started.enter_context(subprocess.Popen(argv, pass_fds=pass_fds))


@pytest.fixture
def kubeadm(tmp_path: Path) -> str:
    path = tmp_path / "kubeadm"
    path.touch()
    return str(path)


def test_calls_one_after_the_other_do_not_wait(kubeadm: str):
    for dummy in range(2):
        with applier(timeout=0).alone(kubeadm):
            pass


def test_a_call_that_does_not_end_is_an_error(kubeadm: str):
    with applier(timeout=0).alone(kubeadm), pytest.raises(KubeadmError, match="another run still works on this"):
        applier(timeout=0.3).alone(kubeadm).__enter__()


def test_what_a_killed_call_started_is_waited_for(kubeadm: str, start: t.Callable[..., None]):
    began, first = time.monotonic(), applier(timeout=0, run=start)
    with first.alone(kubeadm):
        first.run(["sleep", "0.6"])
    with applier(timeout=5).alone(kubeadm):
        assert time.monotonic() - began >= 0.6


def test_control_nothing_else_is_waited_for(kubeadm: str, start: t.Callable[..., None]):
    began = time.monotonic()
    start(["sleep", "0.6"])
    with applier(timeout=5).alone(kubeadm):
        assert time.monotonic() - began < 0.6


def test_a_machine_without_kubeadm_is_no_node(tmp_path: Path):
    with pytest.raises(KubeadmError, match="does not exist"):
        applier(timeout=0).alone(str(tmp_path / "none")).__enter__()
