# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps are carried out in order, nodes at the same time, files whole."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _node_apply as node_apply
from ansible_collections.reftopo.lab.plugins.module_utils import _node_run as node_run
from ansible_collections.reftopo.lab.plugins.module_utils._node_model import Command, Seed, Write
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner


class Recorder:
    """Stands for module.run_command: remembers what ran; a command named ``false`` fails."""

    def __init__(self) -> None:
        self.ran: list[list[str]] = []

    def __call__(self, argv: list[str], handle_exceptions: bool = True) -> tuple[int, str, str]:
        self.ran.append(argv)
        return (1, "", "no") if argv[0] == "false" else (0, "", "")


def test_steps_of_a_node_are_in_order(tmp_path: Path) -> None:
    run = Recorder()
    steps = [Command(("one",)), Write(str(tmp_path / "etc/hosts"), Seed("text")), Command(("two",))]
    node_apply.apply(Runner(run), {"w1": steps})
    assert run.ran == [["one"], ["two"]]
    assert (tmp_path / "etc/hosts").read_text() == "text"


def test_nodes_are_started_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)

    def wait(argv: list[str], handle_exceptions: bool = True) -> tuple[int, str, str]:
        both.wait()  # raises when the other node does not come meanwhile
        return 0, "", ""

    node_apply.apply(Runner(wait), {"w1": [Command(("start",))], "w2": [Command(("start",))]})


def test_a_failure_stops_its_node_and_names_it() -> None:
    run = Recorder()
    with pytest.raises(NodeError, match=r"^nodes\.w1: `false` failed with status 1:\nno$"):
        node_apply.apply(
            Runner(run), {"w1": [Command(("false",)), Command(("never",))], "w2": [Command(("a",)), Command(("b",))]}
        )
    assert ["never"] not in run.ran
    assert ["b"] in run.ran


@pytest.mark.parametrize(
    ("busy", "said", "times"),
    [
        ("resource busy", "unlinkat userdata/shm: device or resource busy", 10),
        ("resource busy", "no such container", 1),
        ("", "device or resource busy", 1),
    ],
)
def test_only_what_is_known_to_pass_is_tried_again(
    busy: str, said: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_run, "BUSY_INTERVAL", 0)
    ran = []

    def fail(argv: list[str], handle_exceptions: bool = True) -> tuple[int, str, str]:
        ran.append(argv)
        return 125, "", said

    with pytest.raises(NodeError, match=said):
        node_apply.apply_step(Runner(fail), Command(("remove", "a"), busy))
    assert ran == [["remove", "a"]] * times


def test_what_was_busy_may_go_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_run, "BUSY_INTERVAL", 0)
    answers = iter([(125, "", "device or resource busy"), (0, "gone", "")])
    runner = Runner(lambda argv, handle_exceptions: next(answers))
    assert runner.change(["podman", "rm", "a"], busy="resource busy") == "gone"
    assert runner.commands == ["podman rm a"]


def test_files_get_their_mode_before_their_content(tmp_path: Path) -> None:
    path = tmp_path / "key"
    node_apply.apply_step(Runner(Recorder()), Write(str(path), Seed("secret", 0o600)))
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A listening socket on the port that is asked for SSH."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(node_apply, "SSH_PORT", listener.getsockname()[1])
        yield listener


def greet(server: socket.socket, greeting: bytes, after: float = 0) -> threading.Thread:
    def answer() -> None:
        connection = server.accept()[0]
        with connection:
            time.sleep(after)
            connection.sendall(greeting)

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


def test_ssh_answers(server: socket.socket) -> None:
    thread = greet(server, b"SSH-2.0-OpenSSH_10.0\r\n")
    assert node_apply.ssh_problem("127.0.0.1", timeout=5) is None
    thread.join()


def test_a_slow_server_is_waited_for_on_one_connection(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection that is given up costs the machine another process, so that it gets slower."""
    monkeypatch.setattr(node_apply, "CONNECT", 0.1)
    thread = greet(server, b"SSH-2.0-OpenSSH_10.0\r\n", after=0.5)
    node_apply.wait_for_ssh({"a": "127.0.0.1"}, 5, str)
    thread.join()
    server.settimeout(0)
    with pytest.raises(BlockingIOError):
        server.accept()


def test_another_server_is_no_ssh(server: socket.socket) -> None:
    thread = greet(server, b"220 mail ready\r\n")
    assert node_apply.ssh_problem("127.0.0.1", timeout=5) == "greeted with b'220 mail'"
    thread.join()


def test_nobody_listens(server: socket.socket) -> None:
    server.close()
    assert "refused" in (node_apply.ssh_problem("127.0.0.1", timeout=5) or "")


def test_waiting_ends_as_soon_as_ssh_answers(server: socket.socket) -> None:
    thread = greet(server, b"SSH-2.0-OpenSSH_10.0\r\n")
    node_apply.wait_for_ssh({"w1": "127.0.0.1"}, timeout=5, explain=pytest.fail)
    thread.join()
