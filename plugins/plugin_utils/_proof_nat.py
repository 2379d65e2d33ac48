# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine's connection tracking says of its address translation. Pure.

This plugin util is PRIVATE to the collection. An entry holds a connection as it came, and the addresses and ports that
its answers must have; where one is not the mirror image of the other, something was translated (net/netfilter/
nf_nat_core.c). An entry of TCP stays for two minutes after the connection's end, one of UDP for half a minute.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data

FIELD = re.compile(r"\b(src|dst|sport|dport)=(\S+)")


class Flow(t.NamedTuple):
    """One direction of a tracked connection; ports are empty where the protocol has none."""

    src: str
    dst: str
    sport: str = ""
    dport: str = ""


class Claim(t.NamedTuple):
    """What is claimed of a machine: that a rule of its `nat` translated a connection."""

    machine: str
    netns: str
    number: int
    title: str
    rule: dict[str, t.Any]

    @property
    def case(self) -> str:
        """The claim in a test case's id."""
        return f"{self.machine}-nat-{self.number}"

    @property
    def command(self) -> str:
        """Prints the tracked connections of the namespace; not every kernel has the file."""
        return f"ip netns exec {self.netns} sh -c 'cat /proc/net/nf_conntrack 2>/dev/null || conntrack -L'"


def forget(topology: Data) -> list[tuple[str, str]]:
    """Namespaces, and commands by which connections are forgotten that were tracked before.

    What translated them may be gone.
    """
    machines = [(name, machine) for name, machine in topology["namespaces"].items() if "nat" in machine]
    return [(name, f"ip netns exec {machine['netns']} conntrack -F") for name, machine in machines]


def claims(topology: Data) -> list[Claim]:
    """One for each rule of each namespace's `nat`."""
    return [
        Claim(name, machine["netns"], number, _title(rule), rule)
        for name, machine in topology["namespaces"].items()
        for number, rule in enumerate(machine.get("nat", ()))
    ]


def _title(rule: Data) -> str:
    if rule["action"] == "dnat":
        return f"connections to {rule['protocol']} port {rule['port']} are answered by {rule['to']}"
    ends = " ".join(f"{word} {rule[key]}" for key, word in (("source", "from"), ("destination", "to")) if key in rule)
    return f"answers to connections {ends} come back to {rule.get('to', 'this machine')}"


def flows(text: str) -> list[tuple[str, Flow, Flow]]:
    """The tracked connections: protocol, as it came, and as its answers come."""
    found = []
    for line in text.splitlines():
        fields = FIELD.findall(line)
        half = next((index for index in range(1, len(fields)) if fields[index][0] == "src"), None)
        protocol = re.search(r"\b(tcp|udp|icmp)\b", line)
        if half and protocol:
            found.append((protocol[1], Flow(**dict(fields[:half])), Flow(**dict(fields[half:]))))
    return found


def faults(claim: Claim, topology: Data, text: str) -> list[str]:
    """What speaks against a claim; text is what its command prints once the probes are through."""
    tracked = flows(text)
    matches = _redirected if claim.rule["action"] == "dnat" else _hidden
    own = _own(claim.rule, topology["namespaces"][claim.machine]["interfaces"])
    if any(matches(claim.rule, own, *flow) for flow in tracked):
        return []
    return [f"none of {len(tracked)} tracked connections is translated so"]


def _own(rule: Data, interfaces: Data) -> set[str]:
    """The machine's addresses that a packet may get: of the link that it leaves by, which `out` or `not_out` narrows.

    Else a connection that another rule has translated would do, such as one that goes back to where it came from.
    """
    leaving = {name for name in interfaces if rule.get("out", name) == name != rule.get("not_out")}
    return {interfaces[name]["address"].partition("/")[0] for name in leaving}


def _redirected(rule: Data, _own: set[str], protocol: str, came: Flow, answers: Flow) -> bool:
    wanted = (rule["protocol"], str(rule["port"]), rule["to"])
    return (protocol, came.dport, f"{answers.src}:{answers.sport}") == wanted


def _hidden(rule: Data, own: set[str], _protocol: str, came: Flow, answers: Flow) -> bool:
    """Whether the answers go to another address than the connection came from: `to`, or one of the machine's own."""
    ends = (("source", came.src), ("destination", answers.src))
    fits = all(_within(address, rule[key]) for key, address in ends if key in rule)
    return fits and answers.dst != came.src and answers.dst in ({rule["to"]} if "to" in rule else own)


def _within(address: str, network: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network)
