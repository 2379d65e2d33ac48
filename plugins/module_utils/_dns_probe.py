# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node and its pods see of the cluster's DNS. Changes nothing. PRIVATE to the collection.

The servers are asked directly, beside their service, so that what is between is told from what they are.
"""

from __future__ import annotations

import concurrent.futures
import socket
import struct
import typing as t
from dataclasses import dataclass

from ansible_collections.reftopo.lab.plugins.module_utils._probe_agent import enter, namespace_file, pods, read
from ansible_collections.reftopo.lab.plugins.module_utils._probe_dns import IP_RECVERR, RECORDS, ask_server
from ansible_collections.reftopo.lab.plugins.module_utils._probe_protocols import observed

PORT = 53
PARALLEL = 32
# Where kube-proxy's rules are in each of its modes, and what prints them; of IPVS see ipvs_entry.
RULES = {"nftables": ["nft", "list", "table", "ip", "kube-proxy"], "iptables": ["iptables-save", "--table", "nat"]}
IP_VS = "/proc/net/ip_vs"

Data = dict[str, t.Any]
Run = t.Callable[[list[str]], "tuple[int, str, str]"]


@dataclass(frozen=True)
class Question:
    """Who asks whom: the address of a pod on this node, or None for the node itself, and a server's address."""

    source: str | None
    server: str


def questions(sources: t.Sequence[str | None], servers: t.Sequence[str]) -> list[Question]:
    """Every source asks every server."""
    return [Question(source, server) for source in sources for server in servers]


def ask(question: Question, name: str, timeout: float, pids: dict[str, list[str]]) -> Data:
    """What came of one question; ok is an answer, whatever it says."""
    told: Data = {"from": question.source, "server": question.server}
    try:
        enter(namespace_file(question.source, pids))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(timeout)
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            sock.connect((question.server, PORT))
            code, addresses = ask_server(sock, name, RECORDS["dns"])
    except Exception as problem:  # pylint: disable=broad-except
        return {**told, "observed": observed(problem), "detail": str(problem)}
    return {**told, "observed": "ok", "detail": f"code {code}, {', '.join(addresses) or 'no address'}"}


def ask_all(asked: list[Question], name: str, timeout: float) -> list[Data]:
    """What came of all questions, asked at once, in their order."""
    pids = pods()
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(lambda question: ask(question, name, timeout, pids), asked))


def ipvs_entry(service: str) -> str:
    """The virtual server of a service's port for DNS, as the kernel prints it."""
    return f"UDP  {socket.inet_aton(service).hex().upper()}:{struct.pack('!H', PORT).hex().upper()}"


def rules(run: Run, service: str) -> list[str]:
    """In which of kube-proxy's modes the kernel has rules for a service's port for DNS."""
    entries = {"nftables": f"{service} . udp . {PORT}", "iptables": f"-d {service}/32 -p udp"}
    found = []
    for mode, command in RULES.items():
        code, text, _error = run(command)  # fails where there is no such table
        found += [mode] if code == 0 and entries[mode] in text else []
    return found + (["ipvs"] if ipvs_entry(service) in read(IP_VS) else [])
