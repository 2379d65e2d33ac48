# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on checks: each must have something to try. PRIVATE to the collection.

A check without sources or targets would pass without a single probe, so it is refused.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import BACKENDS, PLUGINS, pod_network
from ansible_collections.reftopo.lab.plugins.module_utils._proxy_mode import IPVS
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_datastore import DATASTORE_RULES
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import bridges, in_order
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_peering import MECHANISM as PEERING
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_peering import peering_problems
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_pods import pods
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem, did_you_mean
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_breaks import break_problems
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_ends import (
    MACHINES,
    kind,
    one_segment,
    outcomes,
    references,
    too_few_nodes,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_ingress import INGRESS_RULES
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_load_balancer import balanced_problems
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import DIRECT, mechanism

Data = dict[str, t.Any]

# The section that makes each kind of source and target.
SECTION = {"services": "cluster", "dns": "cluster", "nodes": "nodes", "namespaces": "namespaces"}
# Targets that see the packet's source address as the pod's node sent it.
SEES_SOURCE = ("pods", *MACHINES)
# Mechanisms whose checks have rules of their own.
OWN_RULES = {PEERING: peering_problems, "load-balancer": balanced_problems, **DATASTORE_RULES, **INGRESS_RULES}
ENFORCING = " or ".join(sorted(name for name, plugin in PLUGINS.items() if plugin.enforces))


def check_problems(topology: Data) -> t.Iterator[Problem]:
    """Checks that ask for what the topology does not have or what cannot happen."""
    for name, check in in_order(topology.get("checks")):
        if not check:
            continue
        path = f"checks.{name}"
        for key in ("from", "to"):
            yield from _end_problems(f"{path}.{key}", check.get(key), topology)
        yield from _hops_problems(path, check, topology)
        yield from _answer_problems(path, check, topology)
        yield from _protocol_problems(path, check)
        yield from _outcome_problems(path, check, topology)
        yield from _mechanism_problems(path, check, topology)
        yield from _policy_problems(f"{path}.policy", check.get("policy"), topology)
        yield from _services_problems(f"{path}.services", check.get("services"), topology)
        if check.get("break"):
            yield from break_problems(path, check, topology)


def _end_problems(path: str, end: t.Any, topology: Data) -> t.Iterator[Problem]:
    if isinstance(end, list):
        yield from _name_problems(path, end, topology, interfaces_too=path.endswith(".to"))
        return
    if end == "pods" and "cluster" not in topology and not pods(topology):
        yield Problem(path, "the topology has no pods", "add cluster or a node's pods, or remove the check")
    section = SECTION.get(end)
    if section and (section not in topology or topology[section] == {}):
        yield Problem(path, f"the topology has no {end}", f"add {section}, or remove the check")


def _name_problems(
    path: str, names: list[str | None], topology: Data, interfaces_too: bool = False
) -> t.Iterator[Problem]:
    known = references(topology, interfaces_too)
    for number, name in enumerate(names):
        if name is not None and name not in known:
            fix = did_you_mean(name, known) if known else "add it to namespaces"
            yield Problem(f"{path}[{number}]", f"there is no machine {name}", fix)


def _hops_problems(path: str, check: Data, topology: Data) -> t.Iterator[Problem]:
    if not check.get("hops"):
        return
    yield from _name_problems(f"{path}.hops", check["hops"], topology)
    if not {kind(check.get("from")), kind(check.get("to"))} <= {*MACHINES, None}:
        what = "hops are looked for between nodes and namespaces alone"
        yield Problem(f"{path}.hops", what, "remove hops, or name machines in from and to")


def _answer_problems(path: str, check: Data, topology: Data) -> t.Iterator[Problem]:
    """Another machine that answers, or by other ports, than the target itself."""
    if check.get("answers"):
        known = references(topology, interfaces_too=False)
        if check["answers"] not in known:
            yield Problem(
                f"{path}.answers", f"there is no machine {check['answers']}", did_you_mean(check["answers"], known)
            )
    for key in ("ports", "answers"):
        if check.get(key) and kind(check.get("to")) not in (*MACHINES, None):
            yield Problem(f"{path}.{key}", "goes with machines as targets", f"remove {key}, or name machines in to")
    for number, protocol in enumerate((check.get("protocols") or []) if check.get("ports") else []):
        if protocol and protocol not in check["ports"]:
            yield Problem(
                f"{path}.protocols[{number}]", f"ports has none for {protocol}", "add one, or remove protocols"
            )


def _protocol_problems(path: str, check: Data) -> t.Iterator[Problem]:
    protocols = check.get("protocols") or []
    if check.get("to") == "dns" and protocols not in ([], ["udp"]):
        yield Problem(f"{path}.protocols", "names are asked over udp", "remove protocols")
    if check.get("to") == "services" and "icmp" in protocols and "ok" in outcomes(check.get("expect", "ok")):
        # kube-proxy translates ports; a service's address itself answers no ping.
        yield Problem(f"{path}.protocols", "a service answers on its ports alone, not to icmp", "remove icmp")


def _outcome_problems(path: str, check: Data, topology: Data) -> t.Iterator[Problem]:
    expect, ends = check.get("expect"), (kind(check.get("from")), kind(check.get("to")))
    if "dns" in outcomes(expect) and ends[1] not in ("dns", None):
        yield Problem(f"{path}.expect", "dns is an outcome of asking for a name alone", "use another outcome")
    for key, wanted in expect.items() if isinstance(expect, dict) else [("", expect)]:
        if isinstance(wanted, list) and "ok" in wanted and len(wanted) > 1:
            where = f"{path}.expect" + (f".{key}" if key else "")
            yield Problem(where, "ok or something else proves nothing", "expect ok, or outcomes that are not")
    if isinstance(expect, dict):
        yield from _pair_problems(f"{path}.expect", ends, "cross-segment" in expect, topology)
    yield from _source_problems(path, check, ends, topology)


def _pair_problems(path: str, ends: tuple[str | None, str | None], across: bool, topology: Data) -> t.Iterator[Problem]:
    if not {*ends} <= {"pods", "nodes", None}:
        yield Problem(path, f"same-node and cross-node mean nothing from {ends[0]} to {ends[1]}", "expect one outcome")
    elif too_few_nodes(topology):
        yield Problem(path, "cross-node has nothing to try with one node", "add a node, or expect one outcome")
    elif across and one_segment(topology):
        what = "cross-segment has nothing to try where all nodes are in one segment"
        yield Problem(f"{path}.cross-segment", what, "remove it, or put a node in another segment")


def _source_problems(
    path: str, check: Data, ends: tuple[str | None, str | None], topology: Data
) -> t.Iterator[Problem]:
    source = check.get("source")
    if not source:
        return
    known = ["node", "pod"] if ends[0] == "pods" else references(topology, interfaces_too=True)
    if ends[1] not in (*SEES_SOURCE, None):
        yield Problem(
            f"{path}.source",
            f"the source address is known only of what reaches {', '.join(SEES_SOURCE)}",
            "remove source",
        )
    elif ends[0] and source not in known:
        yield Problem(f"{path}.source", f"from {ends[0]} there is no source {source}", did_you_mean(source, known))
    if check.get("protocols") == ["icmp"]:
        yield Problem(f"{path}.source", "an answer to icmp does not tell whom the target saw", "add tcp or udp")


def _mechanism_problems(path: str, check: Data, topology: Data) -> t.Iterator[Problem]:
    key = next((key for key in ("mechanism", "mtu") if check.get(key)), None)
    if key is None:
        return
    path, wanted = f"{path}.{key}", check[key]
    if wanted in OWN_RULES:
        yield from OWN_RULES[wanted](path, topology)
    elif wanted in ("nat", "bridge", "pod", "etcd"):
        yield from _made_problems(path, wanted, topology)
    elif "cluster" not in topology and (wanted == "proxy" or not pod_network(topology)):
        if wanted != "vxlan" or not _tunnels(topology):
            yield Problem(path, "the topology has no cluster", "add cluster, or remove the check")
    elif wanted != "proxy" and too_few_nodes(topology):
        yield Problem(path, "one node sends nothing over the wire", "add a node, or remove the check")
    elif wanted == DIRECT and one_segment(topology):
        what = "all nodes are in one segment, so nothing travels in VXLAN"
        yield Problem(path, what, "put a node in another segment, or use backend host-gw")
    cni = pod_network(topology).get("cni") or {}
    if wanted in (*BACKENDS, DIRECT) and cni.get("backend") and mechanism(cni) != wanted:
        direct = f"{cni['backend']}{' with direct_routing' if cni.get('direct_routing') else ''}"
        yield Problem(path, f"the backend is {direct}, not {wanted}", f"write {mechanism(cni)}")
    if wanted in (*BACKENDS, DIRECT) and pod_network(topology) and not _pods_ask_pods(topology):
        fix = "add a check {from: pods, to: pods}, or remove this one"
        yield Problem(path, "is seen by what pods ask each other, and no check has them ask", fix)


def _pods_ask_pods(topology: Data) -> bool:
    checks = [check or {} for check in topology["checks"].values()]
    return any((check.get("from"), check.get("to")) == ("pods", "pods") and not check.get("break") for check in checks)


def _made_problems(path: str, wanted: str, topology: Data) -> t.Iterator[Problem]:
    """Mechanisms that are looked for where no cluster is, and the topology has not what it takes."""
    if wanted == "pod" and not pods(topology):
        yield Problem(path, "no node has pods that are made by hand", "add pods to a node, or remove the check")
    if wanted == "etcd" and "pod_network" not in topology:
        yield Problem(path, "the topology has no pod network", "add pod_network, or remove the check")
    if wanted == "bridge" and not bridges(topology):
        fix = "give an interface of a namespace kind: bridge, or remove the check"
        yield Problem(path, "no namespace has a bridge", fix)
    if wanted == "nat" and not any((one or {}).get("nat") for one in (topology.get("namespaces") or {}).values()):
        yield Problem(path, "no namespace has nat", "add nat to a namespace, or remove the check")


def _policy_problems(path: str, wanted: str | None, topology: Data) -> t.Iterator[Problem]:
    """Policies where there are none, or where what is said of them is not so."""
    if not wanted:
        return
    if "cluster" not in topology:
        yield Problem(path, "the topology has no cluster, whose API has policies", "add cluster, or remove the check")
    name = ((topology.get("cluster") or {}).get("cni") or {}).get("name")
    if name in PLUGINS and wanted == "enforced" and not PLUGINS[name].enforces:
        what = f"{name} enforces no NetworkPolicy: whatever one denies stays open"
        fix = f"use cni {ENFORCING}, or write ignored, which shows just that"
        yield Problem(path, what, fix)
    if name in PLUGINS and wanted == "ignored" and PLUGINS[name].enforces:
        yield Problem(path, f"{name} enforces NetworkPolicies", "write enforced")


def _services_problems(path: str, wanted: str | None, topology: Data) -> t.Iterator[Problem]:
    """Services where somebody who must ask is missing, or a mode of kube-proxy does not drop what the cases say."""
    if not wanted:
        return
    if not topology.get("cluster"):
        yield Problem(path, "the topology has no cluster, whose API has Services", "add cluster, or remove the check")
        return
    if too_few_nodes(topology):
        yield Problem(path, "with one node none is without the endpoint", "add a node, or remove the check")
    if not topology.get("namespaces"):
        yield Problem(
            path, "nobody is outside of the cluster, to ask node ports", "add a namespace, or remove the check"
        )
    nodes, mode = (topology.get("nodes") or {}).values(), topology["cluster"].get("proxy_mode")
    if IPVS in {(node or {}).get("proxy_mode") or mode for node in nodes}:
        what = "in mode ipvs a node without an endpoint refuses or leads on what other modes drop"
        yield Problem(path, what, "use nftables or iptables everywhere, or remove the check")


def _tunnels(topology: Data) -> bool:
    """Whether a namespace has a VXLAN link."""
    namespaces = (topology.get("namespaces") or {}).values()
    links = [link for one in namespaces for link in ((one or {}).get("links") or {}).values()]
    return any(isinstance(link, dict) and link.get("kind") == "vxlan" for link in links)
