# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where namespaces and the ways between hosts are captured, and what is forgotten on each machine. Pure.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses

from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_between as between
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_nat as nat
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_tunnel as tunnel
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_commands import LISTENING, capture
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import Machine
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import HOST, Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Tunnel


def carrier(topology: Data, namespace: str) -> str:
    """The machine that a namespace is on."""
    return str(topology["namespaces"][namespace].get("host", HOST))


def tunnel_at(topology: Data, machine: str) -> Tunnel:
    """What carries packets between a namespace with a tunnel, or a host, and others."""
    ends = tunnel.tunnels(topology)
    return Tunnel(ends[machine].port if machine in ends else between.port(topology))


def captures(topology: Data, machines: dict[str, Machine]) -> list[tuple[Machine, str, str]]:
    """A capture of every namespace with a tunnel, and of every host with a segment that others have too."""
    ends, what = tunnel.tunnels(topology), between.capture_filter(topology)
    named = {name: dataclasses.replace(machines[carrier(topology, name)], name=name) for name in ends}
    found = [(named[name], capture(end.underlay, end.netns), LISTENING) for name, end in ends.items()]
    hosts = {host: capture(between.underlay(topology, host), what=what) for host in between.hosts(topology)}
    return found + [(machines[host], command, LISTENING) for host, command in hosts.items()]


def forgotten(topology: Data) -> dict[str, str]:
    """For each machine the command by which all that was learned and tracked on it is forgotten."""
    lines = {host: between.forget(topology, host) for host in between.hosts(topology)}
    for name, line in (*tunnel.forget(topology), *nat.forget(topology)):
        lines.setdefault(carrier(topology, name), []).append(line)
    return {machine: " && ".join(own) for machine, own in lines.items()}
