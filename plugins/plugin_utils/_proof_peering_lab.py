# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets routers outside of a cluster speak BGP with its nodes, with the right password and another, and asks from there.

This plugin util is PRIVATE to the collection. A router is a BIRD in a namespace of the topology, the very program that
nodes run. It hangs on a held command: when the suite ends, however it does, BIRD ends, and its routes with it.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import time
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._probe_bird import SPEAKING
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands_bgp as commands_bgp
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_bird import prefixes, sessions
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import Held, Machine, held_together, on_all, until
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import HOST, Data, Endpoint, Probe, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Packet
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_peering import whole
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_peering_seen import BGP_PORT, DROPPED, Router, Seen
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_plan import TELLING
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import KUBECTL, Lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import capture_packets
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import underlay

# Seconds until routers must have learned all, and that no session may come up in with another password: nodes and
# routers begin one every five seconds at most (connect retry time in BIRD's configurations).
LEARNS, TRIES = 60.0, 12.0
CONFIG = """
router id {address};
log stderr {{ error, fatal, bug }};
protocol device {{ scan time 2; }}
protocol kernel {{ scan time 60; import none; export all; }}
template bgp node {{
  local as {outside};
  source address {address};
  import all;
  export none;
  connect delay time 1;
  connect retry time 2;
  error wait time 1,5;
  {password}
}}
"""
SILENCE = ("timeout", "unreachable")


def config(topology: Data, router: str, password: str) -> str:
    """BIRD's configuration of a router: a session with each node, told nothing, all that it tells in the kernel."""
    cni = topology["cluster"]["cni"]
    peer, words = cni["peers"][router], f'password "{password}";' if password else ""
    parts = [CONFIG.format(address=peer["address"], outside=peer["as_number"], password=words)]
    for number, node in enumerate(topology["nodes"].values()):
        parts.append(f"protocol bgp node{number} from node {{ neighbor {node['address']} as {cni['as_number']}; }}\n")
    return "".join(parts)


class Trial:
    """One check: the lab, the program that routers run, and the password of its sessions, if any."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab, self.name, self.host = lab, name, lab.machines[HOST]
        self.routers = list(lab.topology["cluster"]["cni"]["peers"])
        self.program = base64.b64encode(lab.control_plane.call(commands_bgp.PROGRAM)).decode()
        told = lab.control_plane.run(f"{KUBECTL} {commands_bgp.PASSWORD}")
        self.password = base64.b64decode(told).decode()
        if bool(self.password) != bool(lab.topology["cluster"]["cni"].get("password")):
            raise ProofError("the cluster's secret bgp-password is there although it must not be, or the other way")

    def netns(self, router: str) -> str:
        """The network namespace of a router."""
        return str(self.lab.topology["namespaces"][router]["netns"])

    @contextlib.contextmanager
    def speaking(self, password: str) -> t.Iterator[t.Callable[[], dict[str, Router]]]:
        """All routers speak; what is yielded looks at them."""
        before = {router: self.dropped(router) for router in self.routers}
        with contextlib.ExitStack() as stack:
            held = {router: stack.enter_context(self._speaks(router, password)) for router in self.routers}
            paths = {router: one.log.partition(SPEAKING)[2].split()[0] for router, one in held.items()}
            yield lambda: {router: self._look(router, path, before[router]) for router, path in paths.items()}

    def _speaks(self, router: str, password: str) -> contextlib.AbstractContextManager[Held]:
        given = {"program": self.program, "config": config(self.lab.topology, router, password)}
        machine = dataclasses.replace(self.host, name=router)
        return machine.held(commands_bgp.speak(self.netns(router)), SPEAKING, f"{json.dumps(given)}\n".encode())

    def _look(self, router: str, path: str, before: dict[str, int]) -> Router:
        said = json.loads(self.host.run(commands_bgp.ask(path, "show protocols all", "show route all")))
        dropped = {key: count - before[key] for key, count in self.dropped(router).items()}
        return Router(sessions(said[0]), prefixes(said[1]), self.routes(router), dropped)

    def routes(self, router: str) -> list[Data]:
        """The routes of BIRD's in a router's kernel."""
        rows = json.loads(self.host.run(f"ip -n {self.netns(router)} -j -4 route show").strip() or "[]")
        return [row for row in rows if row.get("protocol") == "bird"]

    def dropped(self, router: str) -> dict[str, int]:
        """Linux' counters of segments dropped for their signatures, which each namespace has."""
        return counters(self.host.run(f"ip netns exec {self.netns(router)} cat /proc/net/netstat"))

    def probes(self, expect: tuple[str, ...] = ("ok",), control: str | None = None) -> list[Probe]:
        """From each router to every pod by all protocols, and to the service by those that it has ports of."""
        ends = {end.name: end for end in self.lab.endpoints["namespaces"]}
        pods, served = self.lab.endpoints["pods"], self.lab.endpoints["services"]
        return [
            Probe(self.name, ends[router], to, protocol, expect, self._seen(ends[router], to, expect), control)
            for router in self.routers
            for to in (*pods, *served)
            for protocol in ((*TELLING, "icmp") if to.kind == "pods" else TELLING)
        ]

    def _seen(self, source: Endpoint, target: Endpoint, expect: tuple[str, ...]) -> str | None:
        """Pods must see the router itself; who asks a service from outside is masqueraded."""
        return source.address if (target.kind, expect) == ("pods", ("ok",)) else None

    def captures(self) -> list[tuple[Machine, str, str]]:
        """A capture of BGP on every node's wire, where segments are to be signed."""
        nodes = self.lab.topology["nodes"] if self.password else {}
        what = f"tcp port {BGP_PORT}"
        return [
            (self.lab.machines[name], commands.capture(underlay(node), what=what), commands.LISTENING)
            for name, node in nodes.items()
        ]


def counters(text: str) -> dict[str, int]:
    """Those of DROPPED in /proc/net/netstat, which has a line of names and one of values for each group."""
    lines = [line.split() for line in text.splitlines()]
    found = {name: value for names, values in zip(lines[::2], lines[1::2]) for name, value in zip(names, values)}
    return {key: int(found[key]) for key in DROPPED if key in found}


def prove(lab: Lab, name: str) -> Seen:
    """Everything that a check of peers sees."""
    trial = Trial(lab, name)
    with held_together(trial.captures()) as held, trial.speaking(trial.password) as look:
        if held:
            on_all(lab.nodes, lambda machine: machine.run(commands_bgp.again()))
        known = lab.peers_now()
        routers = until(LEARNS, look, lambda found: all(whole(one, lab.topology, known) for one in found.values()))
        outcomes, nodes = lab.ask(trial.probes()), lab.snapshots()
    segments: dict[str, list[Packet]] = {one.name: capture_packets(one.name, one.output, one.log, None) for one in held}
    left = {router: trial.routes(router) for router in trial.routers}
    unanswered = lab.ask(trial.probes(SILENCE, "no BIRD outside"))
    wrong, refusing = _wrong(trial) if trial.password else ({}, {})
    return Seen(lab.topology, known, nodes, routers, outcomes, segments, left, unanswered, wrong, refusing)


def _wrong(trial: Trial) -> tuple[dict[str, Router], dict[str, Snapshot]]:
    """What routers and nodes have while routers have another password."""
    with trial.speaking(f"not {trial.password}") as look:
        time.sleep(TRIES)
        return look(), trial.lab.snapshots()
