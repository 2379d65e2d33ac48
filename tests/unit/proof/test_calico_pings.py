# SPDX-License-Identifier: GPL-3.0-or-later
"""Route reflectors are cut off while pods ping each other: what ping prints and means, and what comes after what."""

from __future__ import annotations

import contextlib
import types
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_control as control
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_commands import ping
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_commands_bgp import unreflect
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Endpoint, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ping import ping_faults, unanswered


def pings(sent: int, *lost: int) -> str:
    """What ping prints of so many pings, the last of them not answered yet."""
    lines = [f"64 bytes from 10.244.4.65: icmp_seq={n} ttl=62 time=0.1 ms" for n in range(1, sent) if n not in lost]
    others = [f"From 10.244.1.65 icmp_seq={n} Destination Host Unreachable" for n in lost]
    return "\n".join([*lines, *others, "", f"{sent} packets transmitted, {len(lines)} received, 1% packet loss", ""])


def test_pings_without_a_pause():
    assert unanswered(pings(100)) == (99, [])
    assert unanswered(pings(100, 7, 8)) == (99, [7, 8])


@pytest.mark.parametrize("lost", [[], [7], [7, 9, 30, 32]])
def test_single_pings_may_be_lost_while_a_route_is_replaced(lost: list[int]):
    assert ping_faults(("n1", "n4"), ["n2"], pings(100, *lost)) == []
    assert ping_faults(("n1", "n2"), ["n2"], pings(100, *lost)) == [
        f"n1 to n2: {len(lost)} of 99 pings lost and no two in a row, which must not be"
    ]


@pytest.mark.parametrize("lost", [[7, 8], [7, 9, 30, 32, 60]])
def test_pings_lost_in_a_row_or_again_and_again_are_an_interruption(lost: list[int]):
    assert ping_faults(("n1", "n4"), ["n2"], pings(100, *lost)) == [
        f"n1 to n4: {len(lost)} of 99 pings lost, from number 7 on"
    ]
    assert ping_faults(("n1", "n2"), ["n2"], pings(100, *lost)) == []


@pytest.mark.parametrize("text", ["", "ping: connect: Network is unreachable", pings(49)])
def test_pings_that_say_nothing_are_an_error(text: str):
    with pytest.raises(ProofError, match="ping sent less than 50 packets, or broke"):
        unanswered(text)


def test_commands_end_with_their_input():
    assert ping("10.244.1.65", "10.244.4.65").endswith("cat >/dev/null; kill -INT $child; wait $child; true; }")
    closing, opening = unreflect().split("cat >/dev/null; ")
    assert """disable '"Node_*"'""" in closing
    assert """enable '"Node_*"'""" in opening


class Lab:
    """Three nodes, of which n2 is cut off and whose pings are answered but for n2's; notes what is held and ended."""

    def __init__(self) -> None:
        self.topology, self.peers = {"nodes": {}}, {}
        self.endpoints = {
            "pods": [
                Endpoint(f"{one}-n{number}", "pods", f"n{number}", f"10.244.{number}.65", machine=f"n{number}")
                for one in "ab"
                for number in (1, 2, 3)
            ]
        }
        self.machines = {f"n{number}": types.SimpleNamespace(name=f"n{number}", held=self.held) for number in (1, 2, 3)}
        self.done: list[str] = []

    def snapshots(self) -> dict:
        return {}

    def peers_now(self) -> dict:
        return {}

    @contextlib.contextmanager
    def held(self, command: str, ready: str) -> t.Iterator[types.SimpleNamespace]:
        what = "ping" if "ping -n" in command else "close"
        self.done.append(what)
        cut_off = "10.244.2.65" in command
        yield types.SimpleNamespace(output=pings(100, *([30, 31] if cut_off else [])).encode())
        self.done.append(f"end of {what}")


def test_pings_go_on_from_before_until_everything_is_back(monkeypatch: pytest.MonkeyPatch):
    def asked(lab: Lab, _name: str, breaking: t.ContextManager[None]) -> tuple[list, list]:
        with breaking:
            lab.done.append("asked")
        lab.done.append("asked again")
        return [], []

    monkeypatch.setattr(control, "_broken_and_repaired", asked)
    monkeypatch.setattr(control, "_unlike_before", lambda lab, _now: lab.done.append("as before") or [])
    lab = Lab()
    seen = control._unreflected(lab, "without-one", ["n2"], ["n2"])  # type: ignore[arg-type]
    middle = ["close", "asked", "end of close", "as before", "asked again"]
    assert lab.done == [*["ping"] * 6, *middle, *["end of ping"] * 6]
    assert (seen.left, seen.residue, seen.meanwhile) == ([], [], [])
    seen = control._unreflected(lab, "without-one", ["n3"], ["n3"])  # type: ignore[arg-type]
    assert seen.meanwhile == [
        "n1 to n2: 2 of 99 pings lost, from number 30 on",
        "n1 to n3: 0 of 99 pings lost and no two in a row, which must not be",
        "n2 to n1: 2 of 99 pings lost, from number 30 on",
        "n3 to n1: 0 of 99 pings lost and no two in a row, which must not be",
    ]
