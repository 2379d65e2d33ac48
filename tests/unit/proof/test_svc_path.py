# SPDX-License-Identifier: GPL-3.0-or-later
"""How packets to Services went, by rules that each mode of kube-proxy made: recorded, and followed to who answered."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_nftables as nftables
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_svc_path as ways
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_flow import Packet
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_proxy_rules import View
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_services import node_target, target
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import judge
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome
from recorded_proxy import RECORDED, recorded

OUTSIDE = Endpoint("outside", "namespaces", None, "192.0.2.9")


def outcome(client: Endpoint, to: Endpoint, expect: str = "ok", **result: t.Any) -> Outcome:
    probe = Probe("proxy", client, to, "tcp", (expect,))
    told = {"observed": expect, "ms": 1.0, "detail": "", **result}
    return Outcome(probe, told, judge(probe, told))


def path(view: View, *outcomes: Outcome) -> Data:
    """The only path that there is of some outcomes; as recorded all nodes have the address of w1."""
    (found,) = ways.Ways(view.topology, {"w1": view.snapshot}, view.pods).paths(outcomes, {view.address: "w1"})
    return found


def asked(view: View, service: str = "agnhost", number: int = 1, **result: t.Any) -> Outcome:
    """What the node's first pod got from a service."""
    pod, to = view.pods[0], target(view.services[service], view.pods)
    return outcome(pod, to, **{"server": view.pods[number].answers[0], "source": pod.address, **result})


# Of each mode what leads a pod's packet to agnhost on to one of its endpoints.
LED = {
    "nftables": ["services", "map service-ips", "service-TLRHFEKT-reftopo-verify/agnhost/tcp/tcp"],
    "iptables": ["KUBE-SERVICES", "KUBE-SVC-Y4YGNTV6UWAFYAWI", "KUBE-SEP-IZIGBVOSSVCIJFW3"],
    "ipvs": ["KUBE-SERVICES", "KUBE-NODE-PORT", "virtual server tcp {address}:{port} rr"],
}


@pytest.mark.parametrize("mode", RECORDED)
def test_the_rules_that_lead_a_pod_to_who_answered(mode: str):
    view = recorded(mode)
    one = asked(view)
    found, service = path(view, one), view.services["agnhost"]
    words = {"address": service.address, "port": service.ports["tcp"]}
    assert found["rules"] == [rule.format(**words) for rule in LED[mode]]
    assert found["end"] == f"{view.pods[1].address}:8080"
    assert found["chance"] == f"1/{len(service.ends['tcp'])}"
    assert (found["node"], found["mode"], found["server"]) == ("w1", mode, view.pods[1].name)
    assert (found["source"], found["seen"], found["masqueraded"]) == (view.pods[0].address, view.pods[0].address, False)
    assert (found["ok"], found["detail"], ways.faults([found])) == (True, "", [])


@pytest.mark.parametrize("mode", RECORDED)
def test_by_a_node_port_from_outside_it_is_masqueraded(mode: str):
    view = recorded(mode)
    node = {"name": "w1", "address": view.address}
    to = node_target(view.services["agnhost"], node, view.pods)
    found = path(view, outcome(OUTSIDE, to, server=view.pods[1].answers[0], source="10.244.1.1"))
    assert (found["ok"], found["masqueraded"], found["seen"]) == (True, True, "10.244.1.1")
    assert any("NODEPORT" in rule or "nodeports" in rule or "virtual server" in rule for rule in found["rules"])


@pytest.mark.parametrize("mode", RECORDED)
def test_what_is_refused_is_led_to_nobody(mode: str):
    view = recorded(mode)
    found = path(view, asked(view, "nobody", observed="refused", server=None, source=None))
    assert (found["ok"], found["end"], found["server"], found["seen"]) == (True, "refused", None, None)


@pytest.mark.parametrize("mode", RECORDED)
def test_who_answers_though_no_rule_leads_to_him_is_told(mode: str):
    view = recorded(mode)
    found = path(view, asked(view, "nobody"))
    assert not found["ok"]
    (fault,) = ways.faults([found])
    assert fault.endswith(f"on w1: {view.pods[1].name}, but rules lead to refused")


def test_a_cell_is_there_once_and_names_and_pings_are_not():
    view = recorded("nftables")
    pod, to = view.pods[0], target(view.services["agnhost"], view.pods)
    ping = Probe("proxy", pod, to, "icmp")
    other = Outcome(ping, {"observed": "refused", "ms": 1.0}, judge(ping, {"observed": "refused", "ms": 1.0}))
    found = ways.Ways(view.topology, {"w1": view.snapshot}, view.pods).paths(
        [other, asked(view), asked(view, number=0)]
    )
    assert [one["server"] for one in found] == [view.pods[1].name]


def test_an_address_that_no_node_translates_has_no_path():
    view = recorded("nftables")
    to = target(view.services["agnhost"], view.pods)
    lone = ways.Ways(view.topology, {"w1": view.snapshot}, view.pods)
    assert lone.paths([outcome(OUTSIDE, to, "timeout")]) == []
    (found,) = lone.paths([outcome(OUTSIDE, to, server=view.pods[1].answers[0])], {to.address: "w1"})
    assert found["node"] == "w1"


def test_rules_that_are_not_understood_lead_nowhere():
    chain = "-A KUBE-SVC-Y4YGNTV6UWAFYAWI -m comment"
    found = path(recorded("iptables", (chain, chain.replace(" -m", " --ttl 3 -m"))), asked(recorded("iptables")))
    assert (found["ok"], found["rules"]) == (False, [])
    assert found["detail"].startswith("the rules cannot be followed: iptables: --ttl is not understood")


def test_no_path_shows_nothing():
    assert ways.faults([]) == ["no way was followed"]


@pytest.mark.parametrize("flags", ["saddr", ["saddr"]])
@pytest.mark.parametrize("from_node", [True, False])
def test_what_a_node_sends_itself_is_told_from_all_else(flags: t.Any, from_node: bool):
    fib = {"fib": {"result": "type", "flags": flags}}
    rule = {"expr": [{"match": {"op": "==", "left": fib, "right": "local"}}, {"goto": {"target": "local-x"}}]}
    packet = Packet("172.30.10.12", "10.96.0.9", "tcp", 80, from_node=from_node)
    (branch,) = nftables.step(nftables.Sets({}, {}, frozenset()), rule, packet)
    assert branch.target == ("local-x" if from_node else "")
