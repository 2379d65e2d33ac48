# SPDX-License-Identifier: GPL-3.0-or-later
"""The suite passes on a lab that is as it promises, and names what is wrong with each that is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_control as control
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_suite as suite
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_wire as wire
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import claim_faults, claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_capture import CAPTURE_CLAIMS, capture_claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_flannel import peers
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_healthy import healthy
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_proxy import proxy_faults
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import changes
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import Lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import line

# Path MTUs that the kernel has learned stay for ten minutes.
FORGET = "for name in n1 n2 a-n1 b-n1 a-n2 b-n2; do ip -n t-proof.$name route flush cache; done"

# What is done to the lab, how it is undone, and words of the faults that must be named, each of another check.
SABOTAGE = {
    "the overlay is avoided": (
        "ip -n t-proof.n1 route replace 10.99.2.0/24 via 172.30.99.12 dev eth0;"
        "ip -n t-proof.n2 route replace 10.99.1.0/24 via 172.30.99.11 dev eth0",
        "ip -n t-proof.n1 route replace 10.99.2.0/24 via 10.99.2.0 dev flannel.1 onlink;"
        "ip -n t-proof.n2 route replace 10.99.1.0/24 via 10.99.1.0 dev flannel.1 onlink",
        [
            "bare icmp packet from 10.99.1.2 to 10.99.2.2",
            "bare udp packet from 10.99.1.2 to 10.99.2.3",
            "route to 10.99.2.0/24: gateway is '172.30.99.12', must be '10.99.2.0'",
        ],
    ),
    "one direction avoids the overlay": (
        "ip -n t-proof.n1 route replace 10.99.2.0/24 via 172.30.99.12 dev eth0",
        "ip -n t-proof.n1 route replace 10.99.2.0/24 via 10.99.2.0 dev flannel.1 onlink",
        ["bare tcp packet from 10.99.1.3 to 10.99.2.2"],
    ),
    "pods are masqueraded towards pods": (
        "ip netns exec t-proof.n1 nft add rule ip kube-proxy extra ip saddr 10.99.1.0/24 masquerade",
        "ip netns exec t-proof.n1 nft flush chain ip kube-proxy extra",
        ["a-n1 -> a-n2 (10.99.2.2:8080) tcp: expected ok, observed ok (source address 10.99.1.0 seen, not 10.99.1.2"],
    ),
    "nothing is masqueraded": (
        "ip netns exec t-proof.n1 nft add rule ip kube-proxy extra ip daddr 172.30.99.19 snat to ip saddr;"
        "ip -n t-proof.outside route add 10.99.0.0/16 via 172.30.99.11",
        "ip netns exec t-proof.n1 nft flush chain ip kube-proxy extra; ip -n t-proof.outside route delete 10.99.0.0/16",
        ["(source address 10.99.1.2 seen, not 172.30.99.11)", "n1: bare tcp packet from 10.99.1.2 to 172.30.99.19"],
    ),
    "the FDB leads elsewhere": (
        "bridge -n t-proof.n1 fdb replace 02:00:00:00:00:02 dev flannel.1 dst 172.30.99.19",
        "bridge -n t-proof.n1 fdb replace 02:00:00:00:00:02 dev flannel.1 dst 172.30.99.12",
        [
            "pods: a-n1 -> a-n2 (10.99.2.2) icmp: expected ok, observed timeout",
            "FDB 02:00:00:00:00:02: dst is '172.30.99.19', must be '172.30.99.12'",
            "udp from pods on n2 to pods on n1 travels in VXLAN: pods: a-n2 -> b-n1",
        ],
    ),
    "a flooding entry": (
        "bridge -n t-proof.n2 fdb append 00:00:00:00:00:00 dev flannel.1 dst 172.30.99.11",
        "bridge -n t-proof.n2 fdb delete 00:00:00:00:00:00 dev flannel.1 dst 172.30.99.11",
        ["fdb: 00:00:00:00:00:00 belongs to no node of the topology"],
    ),
    "the overlay's MTU is too small": (
        "ip -n t-proof.n1 link set flannel.1 mtu 1400",
        "ip -n t-proof.n1 link set flannel.1 mtu 1450;" + FORGET,
        [
            "flannel.1: mtu is 1400, must be 1450",
            "mtu: a-n1 -> a-n2 (10.99.2.2, 1450 bytes, DF) icmp: expected ok, observed too-big",
            "mtu: n1 -> a-n2 (10.99.2.2, 1450 bytes, DF) icmp: expected ok, observed too-big",
        ],
    ),
    "a router refuses what the pod should": (
        "for n in 1 2; do ip -n t-proof.n$n link set pod-a mtu 1500; ip -n t-proof.a-n$n link set eth0 mtu 1500; done",
        "for n in 1 2; do ip -n t-proof.n$n link set pod-a mtu 1450; ip -n t-proof.a-n$n link set eth0 mtu 1450; done;"
        + FORGET,
        ["observed too-big (a router on the way refused the packet; the machine itself should have)"],
    ),
    "the service is not translated": (
        "ip netns exec t-proof.n1 nft delete element ip kube-proxy service-ips '{ 10.98.0.1 . udp . 81 }'",
        "ip netns exec t-proof.n1 nft add element ip kube-proxy service-ips '{ 10.98.0.1 . udp . 81 : goto to-udp }'",
        [
            "services: a-n1 -> agnhost (10.98.0.1:81) udp: expected ok, observed",
            "('10.98.0.1', 'udp', 81) is not in kube-proxy's nftables rules",
        ],
    ),
    "a pod lost its address": (
        "ip -n t-proof.a-n2 address delete 10.99.2.2/24 dev eth0",
        "ip -n t-proof.a-n2 address add 10.99.2.2/24 dev eth0; ip -n t-proof.a-n2 route add default via 10.99.2.1",
        ["observed error (ValueError: no network namespace here has the address 10.99.2.2)"],
    ),
}


def everything(lab: Lab) -> list[str]:
    """What speaks against the lab, all checks together."""
    seen, snapshots = healthy(lab), lab.snapshots()
    faults = [line(o.record) for o in seen.outcomes if not o.record["ok"]]
    faults += [f"{s.title}: {fault}" for s in wire.streams(lab.topology) for fault in wire.stream_faults(s, seen)]
    for node in lab.topology["nodes"]:
        claimed = [CAPTURE_CLAIMS[key] for key in capture_claims(lab.topology)]
        faults += [f"{node}: {fault}" for _title, find in claimed for fault in find(node, seen)]
        faults += proxy_faults(snapshots[node], lab.topology, lab.endpoints["services"][0])
    for claim in claims(lab.topology):
        faults += claim_faults(claim, snapshots[claim.node], lab.topology, peers(lab.objects, "vxlan"))
    full = [o for o in seen.outcomes if o.probe.size == 1450 and o.record["ok"]]
    return faults + [fault for outcome in full for fault in wire.size_faults(outcome, seen, 1500)]


def test_a_healthy_lab_passes(lab):
    assert everything(lab) == []


@pytest.mark.parametrize("name", SABOTAGE)
def test_sabotage_is_named(lab, sh, monkeypatch, name):
    do, undo, wanted = SABOTAGE[name]
    sh(do)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(suite, "ATTEMPTS", 1)  # what is broken stays so
            faults = everything(lab)
    finally:
        sh(undo)
    missing = [words for words in wanted if not any(words in fault for fault in faults)]
    assert not missing, "\n".join(faults)
    assert everything(lab) == []


def test_a_blind_capture_is_noticed(lab, monkeypatch):
    monkeypatch.setattr(commands, "capture", lambda _interface: CAPTURE("lo"))
    faults = everything(lab)
    assert "n1: no bare packet of the probe n1 -> n2" in faults
    assert any("packets captured at each end: {'n1': 0, 'n2': 0}" in fault for fault in faults)


CAPTURE = commands.capture


def test_a_control_breaks_what_it_says_and_nothing_else(lab):
    seen = control.control(lab, "control")
    assert [line(o.record) for o in (*seen.broken, *seen.repaired) if not o.record["ok"]] == []
    lost = {(o.probe.source.node, o.probe.target.node) for o in seen.broken if o.record["observed"] != "ok"}
    assert lost == {("n1", "n2"), ("n2", "n1")}
    assert seen.left == []
    assert everything(lab) == []


def test_an_agent_that_does_not_run_is_an_error_even_where_silence_is_expected(lab, monkeypatch):
    monkeypatch.setattr(commands, "agent", lambda *_arguments: "no-such-program")
    monkeypatch.setattr(suite, "ATTEMPTS", 1)
    seen = control.control(lab, "control")
    assert {o.record["observed"] for o in seen.broken} == {"error"}
    assert not any(o.record["ok"] for o in seen.broken)


HOLDER = """
import sys, time
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import Machine
*prefix, command, ready = sys.argv[1:]
with Machine("n1", None, tuple(prefix)).held(command, ready):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_broken_link_is_repaired_when_the_suite_is_killed(lab, how):
    before = lab.snapshots("n1")["n1"]
    command = commands.break_link("flannel.1", commands.repair(before, "flannel.1"))
    arguments = [sys.executable, "-c", HOLDER, *lab.machines["n1"].prefix, command, commands.HELD]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
        assert process.stdout.readline() == b"held\n"
        assert changes(before, lab.snapshots("n1")["n1"], "flannel.1")
        process.send_signal(how)
    for _try in range(30):
        if not changes(before, lab.snapshots("n1")["n1"], "flannel.1"):
            break
        time.sleep(0.1)
    assert changes(before, lab.snapshots("n1")["n1"], "flannel.1") == []
