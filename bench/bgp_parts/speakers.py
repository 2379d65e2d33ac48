# SPDX-License-Identifier: GPL-3.0-or-later
"""Speakers of BGP, each a BIRD in a network namespace on one bridge, configured as Calico configures a node's.

Sources: Calico, confd's bird.cfg.template (timers, multihop, recursive next hops, one /26 a node as a blackhole); RFC
4456 (route reflectors and their cluster id).
"""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import pathlib
import subprocess
import sys
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "collections"))

from ansible_collections.reftopo.lab.plugins.module_utils._link_apply import converge
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import desired_state
from neighbours import known, mac

OWNER = "bench-bgp"
LAN = ipaddress.ip_network("10.200.0.0/16")
BLOCKS = ipaddress.ip_network("10.244.0.0/16")
BLOCK = 26  # prefix length of what a node announces, Calico's default
REFLECTORS = 2
MESH, REFLECTED = "mesh", "reflectors"
CONFIG = """
router id {address};
log stderr {{ error, fatal, bug }};
protocol device {{ scan time 2; }}
protocol direct {{ interface "eth0"; }}
protocol kernel {{ scan time 60; import none; export all; }}
protocol static {{ route {block} blackhole; }}
template bgp speaker {{
  local as 64512;
  source address {address};
  multihop;
  gateway recursive;
  import all;
  export where source = RTS_STATIC || source = RTS_BGP;
  connect delay time 2;
  connect retry time 5;
  error wait time 5,30;
}}
"""


@dataclasses.dataclass(frozen=True)
class Layout:
    """So many speakers with a full mesh, or of which the first two are route reflectors of all others."""

    speakers: int
    kind: str

    def peers(self, number: int) -> list[int]:
        """With whom a speaker has a session."""
        others = [other for other in range(self.speakers) if other != number]
        named = self.kind == MESH or number < REFLECTORS
        return [other for other in others if named or other < REFLECTORS]

    @property
    def sessions(self) -> int:
        """All of them; each has two ends."""
        return sum(len(self.peers(number)) for number in range(self.speakers)) // 2

    def config(self, number: int) -> str:
        """BIRD's configuration of a speaker."""
        parts = [CONFIG.format(address=address(number), block=block(number))]
        for other in self.peers(number):
            client = self.kind == REFLECTED and number < REFLECTORS <= other
            options = f"rr client; rr cluster id {address(0)};" if client else ""
            parts.append(f"protocol bgp from speaker {{ neighbor {address(other)} as 64512; {options} }}\n")
        return "".join(parts)


def address(number: int) -> str:
    return str(LAN[256 + number])


def block(number: int) -> str:
    return f"{BLOCKS[number << (32 - BLOCK)]}/{BLOCK}"


def namespace(number: int) -> str:
    return f"s{number}"


def wires(layout: Layout) -> dict[str, t.Any]:
    """The bridge and all namespaces, as input of link_state; they know each other beforehand (neighbours.py)."""
    links: dict[str, t.Any] = {"lan": {"kind": "bridge"}}
    namespaces: dict[str, t.Any] = {}
    for number in range(layout.speakers):
        name = namespace(number)
        links[f"v{number}"] = {"kind": "veth", "master": "lan", "peer": {"name": "eth0", "namespace": name}}
        others = known(layout.peers(number), address)
        own = {"mac": mac(number), "addresses": [f"{address(number)}/{LAN.prefixlen}"], "neighbours": others}
        namespaces[name] = {"links": {"lo": {}, "eth0": own}}
    return {"owner": OWNER, "links": links, "namespaces": namespaces}


def run(command: list[str], data: str | None = None) -> tuple[int, str, str]:
    """As AnsibleModule.run_command."""
    done = subprocess.run(command, input=data, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@contextlib.contextmanager
def network(layout: Layout) -> t.Iterator[None]:
    """The namespaces of all speakers, joined by a bridge."""
    converge(run, desired_state(wires(layout)), check_mode=False)
    try:
        yield
    finally:
        converge(run, desired_state({"owner": OWNER, "state": "deleted"}), check_mode=False)


@contextlib.contextmanager
def birds(layout: Layout, folder: pathlib.Path) -> t.Iterator[list[subprocess.Popen[bytes]]]:
    """A BIRD in each namespace; all end with the block."""
    for number in range(layout.speakers):
        (folder / f"{number}.conf").write_text(layout.config(number))
    with contextlib.ExitStack() as undo:
        started = []
        for number in range(layout.speakers):
            files = ("-c", f"{folder}/{number}.conf", "-s", f"{folder}/{number}.ctl", "-P", f"{folder}/{number}.pid")
            log = undo.enter_context((folder / f"{number}.log").open("wb"))
            command = ["ip", "netns", "exec", f"reftopo.{OWNER}.{namespace(number)}", "bird", "-f", *files]
            started.append(undo.enter_context(subprocess.Popen(command, stderr=log)))
            undo.callback(started[-1].kill)
        yield started


def established(layout: Layout, folder: pathlib.Path) -> int:
    """How many sessions there are, by BIRD's own account."""
    ends = 0
    for number in range(layout.speakers):
        said = run(["birdc", "-r", "-s", f"{folder}/{number}.ctl", "show", "protocols"])[1]
        ends += said.count("Established")
    return ends // 2
