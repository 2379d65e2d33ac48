# SPDX-License-Identifier: GPL-3.0-or-later
"""Node state, the commands made from it, and kube-proxy's rules."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_plan as plan
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import claim_faults, claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_flannel import peers
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_proxy import leftovers, proxy_faults
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_results import versions
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import COMMAND, PARTS, Snapshot, changes

DATA = pathlib.Path(__file__).parent / "data"
MAX_ARG_STRLEN = 131072  # include/uapi/linux/binfmts.h: one argument of a command
IPTABLES = """*nat
-A KUBE-SERVICES -d 10.98.0.1/32 -p tcp -m comment --comment "x" -m tcp --dport 80 -j KUBE-SVC-1
-A KUBE-SERVICES -d 10.98.0.1/32 -p udp -m comment --comment "x" -m udp --dport 81 -j KUBE-SVC-2
COMMIT
@@reftopo rc 0"""


def test_a_part_that_could_not_be_read_is_not_empty():
    state = Snapshot("w1", "@@reftopo nft\nsh: nft: not found\n@@reftopo rc 127\n@@reftopo fdb\n\n@@reftopo rc 0")
    with pytest.raises(ProofError, match=r"w1: `nft -j list ruleset` failed \(127\): sh: nft: not found"):
        state.text("nft")
    with pytest.raises(ProofError, match=r"w1: `iptables-save` failed \(-1\): no output"):
        state.text("iptables")
    assert state.table("fdb") == []
    with pytest.raises(ProofError, match="w1: `bridge -j fdb show` printed no JSON"):
        Snapshot("w1", "@@reftopo fdb\nDump terminated\n@@reftopo rc 0").table("fdb")


def test_the_command_reports_each_parts_own_status():
    """Run with a PATH that has none of the programs: every part must say so."""
    done = subprocess.run(["/bin/sh", "-c", COMMAND], env={"PATH": ""}, capture_output=True, text=True, check=False)
    state = Snapshot("w1", done.stdout)
    absent = {"bgp", "prefixes", "pods", "proxy_arp"}  # of Calico, which does not run here
    absent |= set() if pathlib.Path("/proc/net/ip_vs").exists() else {"ipvs", "ipset"}
    assert {part: code for part, (_text, code) in state.parts.items()} == {
        part: 0 if part in absent else 127 for part in PARTS
    }


def test_changes_name_what_is_gone_and_what_is_new(snapshot):
    before = snapshot()
    assert changes(before, snapshot(), "flannel.1") == []
    moved = snapshot("n1", ('"dst":"10.99.2.0/24"', '"dst":"10.99.7.0/24"'))
    gone, new = changes(before, moved, "flannel.1")
    assert "routes: " in gone and "10.99.2.0/24" in gone and gone.endswith("is gone")
    assert "10.99.7.0/24" in new and new.endswith("is new")


def test_the_repair_brings_back_what_a_link_loses(snapshot):
    assert commands.repair(snapshot(), "flannel.1") == [
        "link set dev flannel.1 up",
        "neighbour replace 10.99.2.0 lladdr 02:00:00:00:00:02 dev flannel.1 nud permanent",
        "route replace 10.99.2.0/24 scope global via 10.99.2.0 dev flannel.1 onlink",
    ]
    row = {"dst": "default", "dev": "eth0", "protocol": "static", "scope": "link", "prefsrc": "1.2.3.4", "metric": 5}
    assert commands.route_words({**row, "flags": []}) == "default scope link dev eth0 proto static src 1.2.3.4 metric 5"


def test_a_large_lab_fits_a_command_line(topology, endpoints):
    """Sixteen nodes: what one node's agent is told stays under the kernel's limit, quoted twice on the way."""
    pods = endpoints["pods"][:1] * 2
    everything = {**endpoints, "pods": pods, "targets": endpoints["pods"] * 8}
    topology["checks"]["large"] = {"from": "pods", "to": "targets", "protocols": ["icmp", "tcp", "udp"]}
    jobs = [plan.job(probe, 1.5) for probe in plan.reach_probes(topology, "large", everything)]
    assert len(jobs) == 2 * 32 * 3
    assert len(commands.agent(jobs)) < MAX_ARG_STRLEN / 2


def test_the_agent_runs_as_sent():
    """No job, so no privilege: what is sent is complete Python for the machine's interpreter."""
    command = commands.agent([]).replace("python3", sys.executable, 1)
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("mode", ["nftables", "iptables"])
def test_the_proxy_must_use_the_topologys_mode(topology, endpoints, snapshot, mode):
    service, state = endpoints["services"][0], snapshot()
    assert proxy_faults(state, topology, service) == []
    topology["nodes"]["n1"]["proxy_mode"] = mode
    if mode == "iptables":
        assert proxy_faults(state, topology, service) == [
            "('10.98.0.1', 'tcp', 80) is not in kube-proxy's iptables rules",
            "('10.98.0.1', 'udp', 81) is not in kube-proxy's iptables rules",
            "table ip kube-proxy is there, though kube-proxy is in mode iptables",
        ]
        state.parts["iptables"], state.parts["nft"] = (IPTABLES, 0), ('{"nftables": []}', 0)
        assert proxy_faults(state, topology, service) == []


# The mode, what is in the kernel beside what belongs there, and what is told of it. Names are those of kube-proxy 1.37.
LEFT = {
    "nftables": (
        [
            "ip nat KUBE-SVC-Y4YG",
            "ip6 filter KUBE-FORWARD",
            "ip6 filter KUBE-FIREWALL",
            "ip mangle KUBE-KUBELET-CANARY",
        ],
        ["chain KUBE-SVC-Y4YG of table ip nat", "chain KUBE-FORWARD of table ip6 filter"],
    ),
    "iptables": (
        ["ip nat KUBE-NODE-PORT", "ip nat KUBE-NODEPORTS", "ip filter KUBE-IPVS-FILTER", "ip nat KUBE-SERVICES"],
        ["chain KUBE-NODE-PORT of table ip nat", "chain KUBE-IPVS-FILTER of table ip filter"],
    ),
    "ipvs": (
        ["ip nat KUBE-NODE-PORT", "ip nat KUBE-NODEPORTS", "ip nat KUBE-SEP-4W6K", "ip nat KUBE-SERVICES"],
        ["chain KUBE-NODEPORTS of table ip nat", "chain KUBE-SEP-4W6K of table ip nat"],
    ),
}
IP_VS = """IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A600001:01BB rr
  -> AC1E0E0B:192B      Masq    1      1          0
"""


@pytest.mark.parametrize("mode", LEFT)
def test_what_another_mode_left(snapshot, mode):
    chains, told = LEFT[mode]
    words = [chain.split() for chain in chains]
    objects = [{"chain": dict(zip(("family", "table", "name"), word))} for word in words]
    objects.append({"table": {"family": "ip6", "name": "kube-proxy"}})
    state = snapshot()
    state.parts |= {
        "nft": (json.dumps({"nftables": objects}), 0),
        "links": (json.dumps([{"ifname": "kube-ipvs0"}]), 0),
        "ipvs": (IP_VS, 0),
        "ipset": ("create KUBE-CLUSTER-IP hash:ip,port family inet\ncreate cali40s hash:net\n", 0),
    }
    if mode != "nftables":
        told = [*told, "table ip6 kube-proxy"]
    if mode != "ipvs":
        told = [*told, "link kube-ipvs0", "virtual server ('10.96.0.1', 'tcp', 443)", "set KUBE-CLUSTER-IP"]
    assert leftovers(state, mode) == told


def test_a_recorded_worker_of_flannel_vxlan_is_as_promised():
    """Everything at once on what a real cluster printed: kube-proxy's map and flannel's entries."""
    topology = json.loads((DATA.parents[1] / "topology/golden/flannel-vxlan.json").read_text())
    objects = json.loads((DATA / "flannel-vxlan/objects.json").read_text())
    state = Snapshot("w1", (DATA / "flannel-vxlan/w1.snapshot").read_text())
    service = plan.endpoints(topology, objects)["services"][0]
    assert proxy_faults(state, topology, service) == []
    held = [claim for claim in claims(topology) if claim.node == "w1"]
    assert len(held) == 10
    assert [claim_faults(claim, state, topology, peers(objects, "vxlan")) for claim in held] == [[]] * 10
    assert versions(objects)["kubernetes"] == "v1.37.2"
