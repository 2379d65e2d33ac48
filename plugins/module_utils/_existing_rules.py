# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables, chains and rules of nftables that a node's programs made on a host, and the commands that take them away.

This module util is PRIVATE to the collection. kube-proxy and flannel have tables of their own. The kubelet's chains and
Calico's are in those of iptables-nft, where others may have theirs.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._existing_record import Before, ExistingError

# Chains that the kubelet and Calico make beside those of others (kubernetes pkg/kubelet/kubelet_network_linux.go;
# Calico felix/rules/rule_defs.go), and how Calico marks its rules in chains of others.
OUR_CHAINS = ("KUBE-", "cali-")
OUR_COMMENT = '--comment "cali:'
# kubernetes pkg/proxy/nftables/proxier.go; flannel pkg/trafficmngr/nftables/nftables.go; Calico, where its
# FelixConfiguration says nftablesMode: felix/nftables/table.go
OWN_TABLES = ("kube-proxy", "flannel-ipv4", "flannel-ipv6", "calico")
# Those that iptables-nft makes, with these chains, as soon as it is asked anything (iptables/nft.c).
SHARED_TABLES = ("filter", "mangle", "nat", "raw", "security")
BUILT_IN = ("FORWARD", "INPUT", "OUTPUT", "POSTROUTING", "PREROUTING")

Data = dict[str, t.Any]
Rules = t.Collection[Data]


def tables(ruleset: Data) -> tuple[str, ...]:
    """The tables of ``nft -j list ruleset`` as ``family name``."""
    return tuple(sorted(f"{one['family']} {one['name']}" for one in _all(ruleset, "table")))


def chains(ruleset: Data) -> tuple[str, ...]:
    """The chains of such a ruleset as ``family table name``."""
    return tuple(sorted(f"{one['family']} {one['table']} {one['name']}" for one in _all(ruleset, "chain")))


def removal(ruleset: Data, before: Before, saved: str) -> list[str]:
    """The commands of nft(8) that remove what is ours; a table that was there before stays, without our chains.

    Args:
        saved: what iptables-save(8) prints of the same rules: it alone shows comments.

    Raises:
        ExistingError: the two do not speak of the same rules.
    """
    commands: list[str] = []
    commented = _commented(ruleset, saved)
    for table in tables(ruleset):
        name = table.split()[1]
        ours = [one for one in _all(ruleset, "rule", table) if _our_rule(one) or one in commented]
        whole = name in OWN_TABLES or (name in SHARED_TABLES and _whole(ruleset, table, ours))
        if whole and table not in before.tables:
            commands.append(f"delete table {table}")
        elif name in SHARED_TABLES:
            commands += _chains_removal(ruleset, table, ours, before.chains)
    return commands


def _commented(ruleset: Data, saved: str) -> list[Data]:
    """The rules that have Calico's comment. Both programs list a chain's rules in the order in which they are tried."""
    table = ""
    lines: dict[tuple[str, str], list[str]] = {}
    for line in saved.splitlines():
        if line.startswith("*"):
            table = f"ip {line[1:]}"
        elif line.startswith("-A "):
            lines.setdefault((table, line.split()[1]), []).append(line)
    found = []
    for (table, chain), texts in lines.items():
        rules = [one for one in _all(ruleset, "rule", table) if one["chain"] == chain]
        if len(rules) != len(texts):
            raise ExistingError(f"somebody changes the rules of the chain {chain} in {table} right now. Run it again.")
        found += [rule for rule, text in zip(rules, texts) if OUR_COMMENT in text]
    return found


def _whole(ruleset: Data, table: str, ours: Rules) -> bool:
    """Whether nobody else has anything in a table: its chains are built in or ours, and so are its rules."""
    names = {one["name"] for one in _all(ruleset, "chain", table)}
    foreign = {name for name in names if name not in BUILT_IN and not name.startswith(OUR_CHAINS)}
    rules = [one for one in _all(ruleset, "rule", table) if one not in ours]
    return not foreign and not rules and not [*_all(ruleset, "set", table), *_all(ruleset, "map", table)]


def _chains_removal(ruleset: Data, table: str, ours: Rules, before: t.Collection[str]) -> list[str]:
    """Our rules in others' chains, then what is in our chains, then they, and built-in ones that came for our rules."""
    listed = list(_all(ruleset, "chain", table))
    names = sorted(one["name"] for one in listed if one["name"].startswith(OUR_CHAINS))
    leading = [one for one in ours if one["chain"] not in names]
    used = {one["chain"] for one in _all(ruleset, "rule", table) if one not in ours}
    new = [one["name"] for one in listed if one.get("policy") == "accept" and f"{table} {one['name']}" not in before]
    return [
        *(f"delete rule {table} {one['chain']} handle {one['handle']}" for one in leading),
        *(f"flush chain {table} {name}" for name in names),
        *(f"delete chain {table} {name}" for name in names),
        *(f"delete chain {table} {name}" for name in new if name in BUILT_IN and name not in used),
    ]


def _our_rule(rule: Data) -> bool:
    targets = [one[verb]["target"] for one in rule["expr"] for verb in ("jump", "goto") if one.get(verb)]
    return rule["chain"].startswith(OUR_CHAINS) or any(target.startswith(OUR_CHAINS) for target in targets)


def _all(ruleset: Data, kind: str, table: str = "") -> t.Iterator[Data]:
    """The objects of a kind, of one table or of all."""
    for entry in ruleset.get("nftables", ()):
        one = entry.get(kind)
        if one and (not table or f"{one['family']} {one['table']}" == table):
            yield one
