# SPDX-License-Identifier: GPL-3.0-or-later
"""What the worker of flannel-vxlan-ipvs had, recorded once and followed, and what is told when one thing is changed."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_ipvs as ipvs
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_asked as asked
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_deaf as deaf
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_rules as rules
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_flow import UnclearError
from recorded_proxy import broken, recorded

VIEW = recorded("ipvs")
SERVICE, STICKY, NOBODY = (VIEW.services[name] for name in ("agnhost", "sticky", "nobody"))
POD = VIEW.pods[0].address


def hexadecimal(address: str, port: int) -> str:
    """An end as /proc/net/ip_vs has it."""
    return "".join(f"{int(part):02X}" for part in address.split(".")) + f":{port:04X}"


def server(protocol: str, address: str, port: int) -> str:
    """A pattern of a virtual server's line."""
    return rf"^{protocol.upper()}  {hexadecimal(address, port)} "


def entry(name: str, value: str) -> str:
    """A pattern of an entry of a set."""
    return rf"^add {name} {value}\n"


TCP = server("tcp", SERVICE.address, 80)
OTHER = next(end for end in SERVICE.ends["tcp"] if not end.startswith(POD))
END = hexadecimal(*[kind(part) for kind, part in zip((str, int), OTHER.split(":"))])
NODE = "172.30.14.12"
PORT = SERVICE.node_ports["tcp"]
# What is changed, and of each claim that does not hold any more one of the faults.
SABOTAGE = {
    "an endpoint is gone": (
        (rf"({TCP}.*\n(?:  ->.*\n)*?)  -> {END} .*\n", r"\1"),
        {
            "rules": f"to {OTHER} with chance 0, must be 1/4",
            "rules-node": f"to {OTHER}, masqueraded with chance 0, must be 1/4",
            "ipvs-servers": f"('{SERVICE.address}', 'tcp', 80): endpoints",
        },
    ),
    "an endpoint has no weight": (
        (rf"({TCP}.*\n(?:  ->.*\n)*?  -> {END} +Masq +)1", r"\g<1>0"),
        {
            "rules": f"to {OTHER} with chance 0, must be 1/4",
            "rules-node": f"to {OTHER}, masqueraded with chance 0, must be 1/4",
            "ipvs-servers": f"('{SERVICE.address}', 'tcp', 80): endpoints",
        },
    ),
    "another scheduler": (
        (rf"({TCP})rr", r"\1lc"),
        {"ipvs-servers": f"('{SERVICE.address}', 'tcp', 80): scheduler lc, must be rr"},
    ),
    "no virtual server at the node port": (
        (rf"{server('tcp', NODE, PORT)}.*\n(?:  ->.*\n)*", ""),
        {
            "rules-port": f"tcp from 192.0.2.1 to {NODE}:{PORT}: to nobody, masqueraded with chance 1, must be 0",
            "ipvs-servers": f"('{NODE}', 'tcp', {PORT}) of reftopo-verify/agnhost is no virtual server",
        },
    ),
    "a virtual server that is no service": (
        (
            r"^(TCP  )\w+:01BB( rr.*\n)",
            r"\g<1>0A60FFFE:0050\2  -> 0AF40105:1F90      Masq    1      0          0\n\g<0>",
        ),
        {"ipvs-servers": "('10.96.255.254', 'tcp', 80) is no port of any service"},
    ),
    "a client is not remembered": (
        (rf"({server('tcp', STICKY.address, 80)}rr) +persistent \d+ \w+", r"\1"),
        {
            "rules-affinity": "tcp: nothing remembers who was led to",
            "ipvs-servers": f"('{STICKY.address}', 'tcp', 80): persistence of 0 ticks, must be 10800 s",
        },
    ),
    "a client is remembered for another time": (
        (rf"({server('udp', STICKY.address, 81)}rr +persistent) \d+", r"\1 15000"),
        {"ipvs-servers": f"('{STICKY.address}', 'udp', 81): persistence of 15000 ticks, must be 10800 s"},
    ),
    "nobody has an endpoint": (
        (rf"({server('tcp', NOBODY.address, 80)}.*\n)", r"\1  -> 0AF40105:1F90      Masq    1      0          0\n"),
        {
            "rules-nobody": "to refused with chance 0, must be 1",
            "ipvs-servers": f"('{NOBODY.address}', 'tcp', 80): endpoints ['10.244.1.5:8080'], must be []",
        },
    ),
    "an address is gone": (
        (rf', \{{"family": "inet", "local": "{SERVICE.address}"\}}', ""),
        {
            "rules": f"tcp from {POD} to {SERVICE.address}:80: to nobody with chance 1, must be 0",
            "ipvs-addresses": f"{SERVICE.address} is not an address of kube-ipvs0",
        },
    ),
    "an address too many": (
        (r'("ifname": "kube-ipvs0", "addr_info": \[)', r'\1{"family": "inet", "local": "10.96.99.99"}, '),
        {"ipvs-addresses": "10.96.99.99 is no service's address"},
    ),
    "hairpin": (
        (entry("KUBE-LOOP-BACK", f"{POD},tcp:8080,{POD}"), ""),
        {"rules": f"to {POD}:8080 with chance 1/4, must be 0"},
    ),
    "the service is in no set": (
        (entry("KUBE-CLUSTER-IP", f"{SERVICE.address},tcp:80"), ""),
        {
            "rules": "to refused with chance 1, must be 0",  # KUBE-IPVS-FILTER
            "rules-node": ", masqueraded with chance 0, must be 1/4",
        },
    ),
    "a node port's mark": (
        (entry("KUBE-NODE-PORT-TCP", str(PORT)), ""),
        {"rules-port": ", masqueraded with chance 0, must be 1/4"},
    ),
    "the node's own connections": (
        (r"^-A KUBE-SERVICES ! -s 10.244.0.0/16 .*KUBE-MARK-MASQ\n", ""),
        {"rules-node": ", masqueraded with chance 0, must be 1/4"},
    ),
    "no masquerading": (
        (r"^-A KUBE-POSTROUTING .*service traffic requiring SNAT.*MASQUERADE.*\n", ""),
        dict.fromkeys(("rules-node", "rules-port"), ", masqueraded with chance 0, must be"),
    ),
    "a set is gone": (
        (r"^create KUBE-NODE-PORT-UDP .*\n(add KUBE-NODE-PORT-UDP .*\n)*", ""),
        dict.fromkeys(
            ("rules", "rules-node", "rules-port", "rules-affinity", "rules-nobody"),
            "the rules cannot be followed: iptables: there is no set KUBE-NODE-PORT-UDP",
        ),
    ),
}


@pytest.mark.parametrize("name", SABOTAGE)
def test_one_change_is_named_by_the_claims_that_it_breaks(name):
    replaced, wanted = SABOTAGE[name]
    found = broken(recorded("ipvs", replaced))
    assert set(found) == set(wanted)
    assert {key: text for key, text in wanted.items() if not any(text in fault for fault in found[key])} == {}


def test_claims_of_other_modes_are_not_made_of_ipvs_and_its_own_are():
    keys = [claim.key for claim in rules.claims({"nodes": {"n1": {"proxy_mode": "ipvs"}}})]
    assert sorted(keys) == sorted(rules.FAULTS)


def test_virtual_servers_of_ipv6_are_kept_apart():
    text = "1\n2\n3\nUDP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0035 wrr ops\n"
    assert ipvs.virtual_servers(text) == {
        ("[2001:0db8:0000:0000:0000:0000:0000:0001]", "udp", 53): ipvs.VirtualServer("wrr", 0, {})
    }


def test_a_virtual_server_by_a_mark_is_not_understood():
    with pytest.raises(UnclearError, match="`FWM  00000001 rr` is not understood"):
        ipvs.virtual_servers("1\n2\n3\nFWM  00000001 rr")


@pytest.mark.parametrize(("scheduler", "spreads"), [("rr", True), ("lc", True), ("sed", False), ("sh", False)])
def test_what_is_asked_depends_on_whether_the_scheduler_spreads(scheduler, spreads):
    nodes = {"n1": {"proxy_mode": "ipvs"}, "n2": {"proxy_mode": "nftables"}}
    topology = {"nodes": nodes, "namespaces": {}, "cluster": {"proxy_scheduler": scheduler, "cni": {"name": "flannel"}}}
    made = [*asked.claims(topology), *deaf.claims(topology)]
    found = {node: {claim.key for claim in made if claim.node == node} for node in nodes}
    assert {"nobody", "ping", "ports", "taken-out", "back"} <= found["n1"]
    assert found["n2"] - found["n1"] == (set() if spreads else {*asked.NEED_SPREAD, "listed"})
    assert found["n1"] - found["n2"] == ({"hashed"} if scheduler == "sh" else set())
