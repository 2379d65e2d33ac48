# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables, chains and rules of nftables that a node's programs made on a host, and the commands that take them away.

This module util is PRIVATE to the collection. kube-proxy and flannel have tables of their own. The kubelet's chains are
in those of iptables-nft, where others may have theirs.
"""

from __future__ import annotations

import typing as t

# Chains that the kubelet makes beside those of others (kubernetes pkg/kubelet/kubelet_network_linux.go)
OUR_CHAINS = "KUBE-"
# kubernetes pkg/proxy/nftables/proxier.go; flannel pkg/trafficmngr/nftables/nftables.go
OWN_TABLES = ("kube-proxy", "flannel-ipv4", "flannel-ipv6")
# Those that iptables-nft makes, with these chains, as soon as it is asked anything (iptables/nft.c).
SHARED_TABLES = ("filter", "mangle", "nat", "raw", "security")
BUILT_IN = ("FORWARD", "INPUT", "OUTPUT", "POSTROUTING", "PREROUTING")

Data = dict[str, t.Any]


def tables(ruleset: Data) -> tuple[str, ...]:
    """The tables of ``nft -j list ruleset`` as ``family name``."""
    return tuple(sorted(f"{one['family']} {one['name']}" for one in _all(ruleset, "table")))


def removal(
    ruleset: Data, before: t.Collection[str], chains: str = OUR_CHAINS, own: t.Collection[str] = OWN_TABLES
) -> list[str]:
    """The commands of nft(8) that remove what is ours; a table that was there before stays, without our chains.

    Args:
        chains: how the names of our chains begin.
        own: names of tables that are ours as a whole.
    """
    commands: list[str] = []
    for table in tables(ruleset):
        name = table.split()[1]
        if table not in before and (name in own or (name in SHARED_TABLES and _ours(ruleset, table, chains))):
            commands.append(f"delete table {table}")
        elif name in SHARED_TABLES:
            commands += _chains_removal(ruleset, table, chains)
    return commands


def _ours(ruleset: Data, table: str, ours: str) -> bool:
    """Whether nobody else has anything in a table: its chains are built in or ours, and so are its rules."""
    chains = {one["name"] for one in _all(ruleset, "chain", table)}
    foreign = {name for name in chains if name not in BUILT_IN and not name.startswith(ours)}
    rules = [one for one in _all(ruleset, "rule", table) if not _our_rule(one, ours)]
    return not foreign and not rules and not [*_all(ruleset, "set", table), *_all(ruleset, "map", table)]


def _chains_removal(ruleset: Data, table: str, ours: str) -> list[str]:
    """Rules that lead to our chains, then what is in them, then they themselves."""
    names = sorted(one["name"] for one in _all(ruleset, "chain", table) if one["name"].startswith(ours))
    leading = [one for one in _all(ruleset, "rule", table) if _our_rule(one, ours) and one["chain"] not in names]
    return [
        *(f"delete rule {table} {one['chain']} handle {one['handle']}" for one in leading),
        *(f"flush chain {table} {name}" for name in names),
        *(f"delete chain {table} {name}" for name in names),
    ]


def _our_rule(rule: Data, ours: str) -> bool:
    targets = [one[verb]["target"] for one in rule["expr"] for verb in ("jump", "goto") if one.get(verb)]
    return rule["chain"].startswith(ours) or any(target.startswith(ours) for target in targets)


def _all(ruleset: Data, kind: str, table: str = "") -> t.Iterator[Data]:
    """The objects of a kind, of one table or of all."""
    for entry in ruleset.get("nftables", ()):
        one = entry.get(kind)
        if one and (not table or f"{one['family']} {one['table']}" == table):
            yield one
