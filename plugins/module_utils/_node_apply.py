# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries out the plans of container nodes, all nodes at once, and waits until SSH answers.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import socket
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.reftopo.lab.plugins.module_utils._file import write_whole
from ansible_collections.reftopo.lab.plugins.module_utils._node_model import Command, Node, Step
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner

SSH_PORT = 22
SSH_GREETING = b"SSH-2.0-"  # RFC 4253, section 4.2
POLL_INTERVAL = 0.05  # seconds
CONNECT, GREETING = 1, 15  # seconds: a host that is not up yet drops what comes; one that is up but slow needs patience
JOURNAL_LINES = 30


def apply(runner: Runner, plans: t.Mapping[str, t.Sequence[Step]]) -> None:
    """Carry out each node's steps in order, and the nodes at the same time.

    Raises:
        NodeError: a step failed; says which node's. The other nodes' steps are finished first.
    """
    # AnsibleModule.run_command keeps nothing between calls but the environment, which nobody changes here.
    with ThreadPoolExecutor(max_workers=max(len(plans), 1)) as pool:
        failures = list(pool.map(lambda name: _apply_node(runner, name, plans[name]), plans))
    problems = [problem for problem in failures if problem]
    if problems:
        raise NodeError("\n".join(problems))


def _apply_node(runner: Runner, name: str, steps: t.Sequence[Step]) -> str | None:
    try:
        for step in steps:
            apply_step(runner, step)
    except (NodeError, OSError) as error:
        return f"nodes.{name}: {error}"
    return None


def apply_step(runner: Runner, step: Step) -> None:
    """Carry out one step."""
    if isinstance(step, Command):
        runner.change(list(step.argv), busy=step.busy)
    else:
        write_whole(step.path, step.seed.content, step.seed.mode)


def ssh_problem(address: str, timeout: float) -> str | None:
    """Why no SSH server greets at an address; None when one does.

    A connection that is accepted is not given up soon: each new one costs a slow machine another process of sshd.
    """
    try:
        with socket.create_connection((address, SSH_PORT), timeout=CONNECT) as connection:
            connection.settimeout(timeout)
            greeting = connection.recv(len(SSH_GREETING))
    except OSError as error:
        return str(error)
    return None if greeting == SSH_GREETING else f"greeted with {greeting!r}"


def wait_for_ssh(addresses: t.Mapping[str, str], timeout: float, explain: t.Callable[[str], str]) -> None:
    """Wait until SSH answers on all nodes.

    Args:
        addresses: by node.
        timeout: seconds, for all nodes together.
        explain: what there is to see of a node that does not answer.

    Raises:
        NodeError: it does not.
    """
    deadline = time.monotonic() + timeout
    for name, address in addresses.items():
        while problem := ssh_problem(address, timeout=GREETING):
            if time.monotonic() > deadline:
                raise NodeError(
                    f"nodes.{name}: SSH at {address} does not answer within {timeout:g} s: {problem}.\n{explain(name)}"
                )
            time.sleep(POLL_INTERVAL)


def journal(runner: Runner, node: Node) -> str:
    """The end of a container's journal, and where to look further."""
    try:
        end = runner.read(["podman", "exec", node.container, "journalctl", f"--lines={JOURNAL_LINES}", "--no-pager"])
    except NodeError as error:
        end = str(error)
    return (
        f"The end of its journal:\n{end}\n"
        f"Look further: podman exec {node.container} systemctl --failed; podman logs {node.container}"
    )
