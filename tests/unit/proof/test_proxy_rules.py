# SPDX-License-Identifier: GPL-3.0-or-later
"""kube-proxy's rules as a worker of flannel-vxlan (nftables) and one of flannel-udp (iptables) had them, followed."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_iptables as iptables
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_nftables as nftables
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_rules as rules
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_flow import End, Packet, UnclearError, ends
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_services import services
from recorded_proxy import DATA, RECORDED, broken, recorded


@pytest.mark.parametrize("mode", RECORDED)
def test_what_holds(mode):
    assert broken(recorded(mode)) == {}


@pytest.mark.parametrize("mode", RECORDED)
def test_a_service_either_leads_or_refuses(mode):
    view = recorded(mode)
    assert rules.service_faults(view, "agnhost") == rules.refusal_faults(view, "nobody") == []
    led = rules.refusal_faults(view, "agnhost")
    assert any(fault.endswith("to refused with chance 0, must be 1") for fault in led)
    assert rules.service_faults(view, "nobody")[0].endswith("the API has no endpoint")


def test_a_claim_of_each_kind_for_each_node():
    claims = rules.claims({"nodes": {name: {"proxy_mode": "iptables"} for name in ("n1", "n2")}})
    assert len(claims) == 2 * len(rules.CLAIMS)
    assert {claim.command for claim in claims} == {"iptables-save"}
    assert {claim.key for claim in rules.claims({"nodes": {"n1": {"proxy_mode": "ipvs"}}})} == set(rules.FAULTS)


# The mode, what is changed in its rules, and of each claim that does not hold any more one of the faults.
SABOTAGE = {
    "iptables, one endpoint's rule": (
        "iptables",
        [(r"^-A KUBE-SEP-\w+ -p tcp .*agnhost:tcp.*10\.244\.0\.4:8080\n", "")],
        {
            "rules": "tcp from 10.244.1.2 to 10.96.186.44:80: to 10.244.0.4:8080 with chance 0, must be 1/4",
            "rules-node": "to 10.244.1.2:8080, masqueraded with chance 1/3, must be 1/4",
            "rules-port": "to 10.244.0.5:8080, masqueraded with chance 1/3, must be 1/4",
        },
    ),
    "iptables, a chance": (
        "iptables",
        [(r"(agnhost:udp -> 10.244.0.4:8081.*probability) 0.25", r"\1 0.50")],
        {
            "rules": "to 10.244.0.4:8081 with chance 1/2, must be 1/4",
            "rules-node": "to 10.244.0.5:8081, masqueraded with chance 1/6, must be 1/4",
            "rules-port": "to 10.244.0.4:8081, masqueraded with chance 1/2, must be 1/4",
        },
    ),
    "iptables, hairpin": (
        "iptables",
        [(r"^-A KUBE-SEP-\w+ -s 10.244.1.2/32 .*agnhost:tcp.*\n", "")],
        {"rules": "to 10.244.1.2:8080 with chance 1/4, must be 0"},
    ),
    "iptables, a node port's mark": (
        "iptables",
        [(r"^-A KUBE-EXT-\w+ .*agnhost:udp external.*\n", "")],
        {"rules-port": "to 10.244.1.3:8081, masqueraded with chance 0, must be 1/4"},
    ),
    "iptables, no masquerading": (
        "iptables",
        [(r"^-A KUBE-POSTROUTING .*MASQUERADE.*\n", "")],
        dict.fromkeys(("rules", "rules-node", "rules-port", "rules-affinity"), ", masqueraded with chance 0, must be"),
    ),
    "iptables, a client is not remembered": (
        "iptables",
        [(r"^-A KUBE-SVC-\w+ .*sticky:tcp -> 10.244.0.5:8080.*--rcheck.*\n", "")],
        {"rules-affinity": "to 10.244.0.5:8080 with chance 1/4, must be 1"},
    ),
    "iptables, a client is not noted": (
        "iptables",
        [(r"-m recent --set --name KUBE-SEP-4W6KNXKSUSC7AGMO --mask 255.255.255.255 --rsource ", "")],
        {"rules-affinity": "tcp: nothing remembers who was led to 10.244.1.2:8080"},
    ),
    "iptables, nobody is not refused": (
        "iptables",
        [(r"^-A KUBE-SERVICES .*nobody:udp has no endpoints.*\n", "")],
        {"rules-nobody": "to nobody with chance 1, must be 0"},
    ),
    "iptables, no way in": (
        "iptables",
        [(r"^-A OUTPUT .*-j KUBE-SERVICES\n", ""), (r"^-A OUTPUT .*-j KUBE-SERVICES\n", "")],
        {"rules-node": "to nobody with chance 1, must be 0"},
    ),
    "nftables, an element of the map": (
        "nftables",
        [(r'\[\{"concat": \["10.96.238.195", "tcp", 80\]\}, \{"goto": [^}]*\}\}\], ', "")],
        dict.fromkeys(("rules", "rules-node"), "to refused with chance 1, must be 0"),
    ),
    "nftables, one endpoint is another": (
        "nftables",
        [(r'(agnhost/tcp.*)"concat": \["10.244.0.6", 8080\]', r'\1"concat": ["10.244.0.66", 8080]')],
        {
            "rules": "to 10.244.0.66:8080 with chance 1/6, must be 0",
            "rules-node": "to 10.244.0.6:8080, masqueraded with chance 0, must be 1/6",
            "rules-port": "to 10.244.0.66:8080, masqueraded with chance 1/6, must be 0",
        },
    ),
    "nftables, one of the numbers leads nowhere": (
        "nftables",
        [(r'(agnhost/udp.*)"mod": 6', r'\1"mod": 7')],
        {
            "rules": "to refused with chance 1/7, must be 0",
            "rules-node": "to 10.244.1.4:8081, masqueraded with chance 1/7, must be 1/6",
            "rules-port": "to nobody, masqueraded with chance 1/7, must be 0",
        },
    ),
    "nftables, hairpin": (
        "nftables",
        [(r'\{"concat": \["10.244.2.4", "10.244.2.4", "tcp", 8080\]\}, ', "")],
        dict.fromkeys(("rules", "rules-affinity"), "to 10.244.2.4:8080 with chance 1/6, must be 0"),
    ),
    "nftables, a node port's element": (
        "nftables",
        [(r'\["udp", 30809\]\}, \{"goto"', r'["udp", 30810]}, {"goto"')],
        {"rules-port": "udp from 192.0.2.1 to 172.30.10.12:30809: to nobody with chance 1, must be 0"},
    ),
    "nftables, a node port's mark": (
        "nftables",
        [(r'^\{"rule": .*"chain": "external-[^"]*agnhost/tcp/tcp", "comment": "masquerade".*\n', "")],
        {"rules-port": "to 10.244.2.5:8080, masqueraded with chance 0, must be 1/6"},
    ),
    "nftables, the node's own connections": (
        "nftables",
        [(r'^\{"rule": .*"comment": "masquerade clusterIP traffic from outside cluster".*\n', "")],
        {"rules-node": "to 10.244.2.5:8080 with chance 1/6, must be 0"},
    ),
    "nftables, a client is not remembered": (
        "nftables",
        [(r'^\{"rule": .*"chain": "service-[^"]*sticky/udp/udp", "expr": \[\{"match".*\n', "")],
        {"rules-affinity": "must be 1"},
    ),
    "nftables, a client is not noted": (
        "nftables",
        [(r'^\{"rule": .*"chain": "endpoint-[^"]*", "expr": \[\{"set".*\n', "")],
        {"rules-affinity": "nothing remembers who was led to"},
    ),
    "nftables, nobody is not listed": (
        "nftables",
        [(r'("no-endpoint-services".*)"udp", 81', r'\1"udp", 82')],
        {"rules-nobody": "('10.96.124.182', 'udp', 81) is not in the map no-endpoint-services"},
    ),
    "nftables, nobody is not refused": (
        "nftables",
        [(r'("no-endpoint-nodeports".*)"tcp", 30087', r'\1"tcp", 30088')],
        {"rules-nobody": "tcp from 192.0.2.1 to 172.30.10.12:30087: to nobody with chance 1, must be 0"},
    ),
    "nftables, no table": (
        "nftables",
        [(r'^\{"chain": .*"name": "nat-prerouting".*\n', ""), (r'^\{"rule": .*"chain": "nat-prerouting".*\n', "")],
        dict.fromkeys(
            ("rules", "rules-port", "rules-affinity", "rules-nobody"),
            "the rules cannot be followed: there is no chain nat-prerouting",
        ),
    ),
}


@pytest.mark.parametrize("name", SABOTAGE)
def test_one_change_is_named_by_the_claims_that_it_breaks(name):
    mode, replaced, wanted = SABOTAGE[name]
    found = broken(recorded(mode, *replaced))
    assert set(found) == set(wanted)
    assert {key: text for key, text in wanted.items() if not any(text in fault for fault in found[key])} == {}


@pytest.mark.parametrize(
    ("mode", "pattern", "new", "words"),
    [
        ("iptables", r"^(-A KUBE-SERVICES) (-d)", r"\1 -m length --length 0:99 \2", "iptables: --length is not"),
        ("iptables", r"--dst-type LOCAL -j KUBE-NODE", "--dst-type ANYCAST -j KUBE-NODE", "--dst-type is not"),
        ("iptables", r"MARK --set-xmark 0x4000/0x4000", "CONNMARK --save-mark", "the target of"),
        ("nftables", r'"op": "!="', '"op": "<"', "nftables: the operator < is not understood"),
        ("nftables", r'"right": "@cluster-ips"', '"right": {"set": ["10.96.0.1"]}', "is not understood"),
        ("nftables", r'"key": "mark"', '"key": "cgroup"', "is not understood"),
    ],
)
def test_a_rule_that_is_not_understood_is_a_fault(mode, pattern, new, words):
    found = rules.faults("rules-port" if "ANYCAST" in new else "rules-node", recorded(mode, (pattern, new)))
    assert len(found) == 1 and found[0].startswith("the rules cannot be followed: ") and words in found[0]


def test_a_statement_that_is_not_understood():
    with pytest.raises(UnclearError, match=r"the statement \{'queue'"):
        nftables.step(nftables.Sets({}, {}, frozenset()), {"expr": [{"queue": {"num": 1}}]}, Packet("a", "b", "tcp", 1))


def test_a_return_goes_back_to_the_chain_that_jumped():
    """What returns from a chain meets the next rule of the one before; what a goto leads away does not."""
    text = "*nat\n:PREROUTING -\n:KUBE-A -\n-A PREROUTING -j KUBE-A\n-A PREROUTING -j KUBE-B\n:KUBE-B -\n"
    text += "-A KUBE-A -s 10.0.0.1/32 -j RETURN\n-A KUBE-A -p tcp -j DNAT --to-destination 10.0.0.8:8\n"
    text += (
        "-A KUBE-B -p tcp -j DNAT --to-destination 10.0.0.9:9\n:POSTROUTING -\nCOMMIT\n*filter\n:FORWARD -\nCOMMIT\n"
    )
    chains = iptables.parse(text)
    assert ends(chains, Packet("10.0.0.1", "10.0.0.5", "tcp", 80)) == {End("10.0.0.9:9"): Fraction(1)}
    assert ends(chains, Packet("10.0.0.2", "10.0.0.5", "tcp", 80)) == {End("10.0.0.8:8"): Fraction(1)}
    assert ends(chains, Packet("10.0.0.2", "10.0.0.5", "udp", 80)) == {End("nobody"): Fraction(1)}


def test_endpoints_are_those_that_the_api_says_are_ready():
    objects = json.loads((DATA / "nftables-objects.json").read_text())
    first = next(
        item for item in objects if item["kind"] == "EndpointSlice" and item["metadata"]["name"].startswith("agn")
    )
    before = services(objects)["agnhost"].ends
    first["endpoints"][0]["conditions"]["ready"] = False
    after = services(objects)["agnhost"].ends
    assert {protocol: set(before[protocol]) - set(after[protocol]) for protocol in before} == {
        "tcp": {"10.244.0.6:8080"},
        "udp": {"10.244.0.6:8081"},
    }
    assert services(objects)["nobody"].ends == {"tcp": (), "udp": ()}


def test_a_workload_of_before_is_named():
    objects = json.loads((DATA / "nftables-objects.json").read_text())
    with pytest.raises(ProofError, match="the test workload has no service nobody, sticky"):
        services([item for item in objects if item["metadata"]["name"] not in ("nobody", "sticky")])
