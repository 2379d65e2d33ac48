# SPDX-License-Identifier: GPL-3.0-or-later
"""What every engine of bench/link_state builds, and how its four actions are timed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass

ACTIONS = ("create", "no-op", "change", "delete")


class Wire(t.NamedTuple):
    """A veth pair: `outer` is a port of `bridge`, `inner` has the address."""

    outer: str
    bridge: str
    namespace: str
    inner: str
    address: str


@dataclass(frozen=True)
class Layout:
    """Veth pairs from bridges of the machine into namespaces; the change is another address of the last pair."""

    pairs: int
    namespaces: int
    bridges: int

    def wires(self) -> list[Wire]:
        """The pairs: those of a bridge follow each other, the namespaces take turns."""
        on_one = -(-self.pairs // self.bridges)
        return [self._wire(number, *divmod(number, on_one)) for number in range(self.pairs)]

    def _wire(self, number: int, bridge: int, port: int) -> Wire:
        address = f"10.{bridge}.{port // 250}.{port % 250 + 2}/16"
        return Wire(f"v{number}", f"b{bridge}", f"ns{number % self.namespaces}", f"e{number}", address)

    def gateways(self) -> dict[str, str]:
        """The address of each bridge."""
        return {f"b{number}": f"10.{number}.255.254/16" for number in range(self.bridges)}

    def names(self) -> list[str]:
        """The namespaces."""
        return [f"ns{number}" for number in range(self.namespaces)]

    def changed(self) -> str:
        """The last pair's address after the change."""
        return f"10.{self.bridges - 1}.254.1/16"


class Engine(t.Protocol):
    """A way to build a layout; `noop` only where running again is no error."""

    def create(self) -> None: ...
    def change(self) -> None: ...
    def delete(self) -> None: ...


def measure(make: t.Callable[[Layout], Engine]) -> None:
    """Time the actions on the layout of standard input, and print seconds and processor time as JSON."""
    layout = Layout(**json.load(sys.stdin))
    engine = make(layout)
    figures = {}
    for action in ACTIONS:
        function = getattr(engine, action.replace("-", ""), None)
        if function:
            figures[action] = timed(function, until=settle if action == "delete" else None)
        expect_ports(0 if action == "delete" else layout.pairs, action)
    print(json.dumps(figures))


def timed(function: t.Callable[[], None], until: t.Callable[[], None] | None) -> dict[str, float]:
    """Seconds that a function takes, and what it and its processes used of the processors."""
    before, began = os.times(), time.perf_counter()
    function()
    if until:
        until()
    took, after = time.perf_counter() - began, os.times()
    user = after.user + after.children_user - before.user - before.children_user
    system = after.system + after.children_system - before.system - before.children_system
    return {"seconds": took, "user": user, "system": system}


def expect_ports(count: int, action: str) -> None:
    """End the benchmark when an engine did not do what it was timed for."""
    out = subprocess.run(["ip", "-j", "link"], check=True, capture_output=True, text=True).stdout
    found = sum("master" in link for link in json.loads(out))
    if found != count:
        sys.exit(f"after {action} bridges have {found} ports instead of {count}")


def links() -> list[str]:
    """The links here; /sys/class/net would show those of the namespace in which /sys was mounted."""
    return [name for _index, name in socket.if_nameindex()]


def settle() -> None:
    """Wait until the kernel has cleared the deleted namespaces: in their order, in the background (cleanup_net)."""
    ip = ["ip", "-batch", "-"]
    commands = "netns add last\nlink add last type veth peer name last netns last\nnetns del last\n"
    subprocess.run(ip, input=commands, check=True, text=True)
    while "last" in links():
        time.sleep(0.002)
