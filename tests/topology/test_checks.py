# SPDX-License-Identifier: GPL-3.0-or-later
"""What the topology promises, case by case: each judges what the whole run has seen (conftest.py)."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_etcd as etcd
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_hosts as hosts
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_nat as nat
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_pod as pods
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_asked as served_proof
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_deaf as deaf_proof
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_rules as ruled_proof
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_tunnel as tunnels
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_wire as wire
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import claim_faults
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_break import described
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_bridge import Learned
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_bridge import faults as learned_faults
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_capture import CAPTURE_CLAIMS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_control import Control
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_outer import capture_filter
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_proxy import proxy_faults, proxy_title
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_results import Promise, Results, Settle
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import Lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import line
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import underlay

Snapshots = dict[str, Snapshot]


def tcpdump(evidence: wire.Evidence, node: str, what: str) -> str:
    """The command that shows the same to a person."""
    nodes = evidence.topology["nodes"]
    return f"tcpdump -n -i {underlay(nodes[node]) if node in nodes else 'any'} {what}"


def fail(faults: list[str]) -> None:
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


def fail_cells(outcomes: list[wire.Outcome], source: str, protocol: str) -> None:
    """Every cell of one source and protocol; a case without a cell would prove nothing."""
    cells = [o.record for o in outcomes if (o.probe.source.name, o.probe.protocol) == (source, protocol)]
    fail([line(cell) for cell in cells if not cell["ok"]] if cells else ["no probe was made"])


def test_reach(reach: tuple[str, str, str], healthy: wire.Evidence) -> None:
    name, source, protocol = reach
    fail_cells([o for o in healthy.outcomes if o.probe.check == name], source, protocol)


def test_proxy(proxy: tuple[str, str], lab: Lab, snapshots: Snapshots, settle: Settle) -> None:
    name, node = proxy
    faults = proxy_faults(snapshots[node], lab.topology, lab.endpoints["services"][0])
    title, command = proxy_title(lab.topology["nodes"][node]["proxy_mode"])
    settle(Promise(name, title, node, command), faults)


def test_node_state(claim: tuple[str, Claim], lab: Lab, snapshots: Snapshots, settle: Settle) -> None:
    name, promised = claim
    faults = claim_faults(promised, snapshots[promised.node], lab.topology, lab.peers)
    settle(Promise(name, promised.title, promised.node, promised.command), faults)


def test_learned(learned: tuple[str, Learned], lab: Lab, healthy: wire.Evidence, settle: Settle) -> None:
    name, promised = learned
    fdb = lab.fdb(lab.carrying(promised.machine), f"br {promised.bridge}", promised.netns)
    faults = learned_faults(promised, fdb)
    settle(Promise(name, promised.title, promised.machine, promised.command), faults)


def test_translated(translated: tuple[str, nat.Claim], lab: Lab, healthy: wire.Evidence, settle: Settle) -> None:
    name, promised = translated
    faults = nat.faults(promised, lab.topology, lab.carrying(promised.machine).run(promised.command))
    settle(Promise(name, promised.title, promised.machine, promised.command), faults)


def test_anatomy(anatomy: tuple[str, pods.Claim], lab: Lab, healthy: wire.Evidence, settle: Settle) -> None:
    name, promised = anatomy
    faults = pods.faults(promised, lab.pods[promised.node], healthy)
    settle(Promise(name, promised.title, promised.node, promised.command), faults)


def test_recorded(recorded: tuple[str, Claim], lab: Lab, settle: Settle) -> None:
    name, promised = recorded
    faults = etcd.faults(promised, lab.topology, lab.records, lab.etcd_facts)
    settle(Promise(name, promised.title, promised.node, promised.command), faults)


def test_ruled(ruled: tuple[str, Claim], views: dict[str, ruled_proof.View], settle: Settle) -> None:
    name, promised = ruled
    faults = ruled_proof.faults(promised.key, views[promised.node])
    settle(Promise(name, promised.title, promised.node, promised.command), faults)


def test_served(served: tuple[str, Claim], services: t.Callable[[str], served_proof.Asked], settle: Settle) -> None:
    name, promised = served
    faults = served_proof.faults(promised, services(name))
    settle(Promise(name, promised.title, promised.node, promised.command), faults)


def test_unheard(unheard: tuple[str, Claim], deafness: t.Callable[[str], deaf_proof.Deaf], settle: Settle) -> None:
    name, promised = unheard
    faults = deaf_proof.faults(promised, deafness(name))
    settle(Promise(name, promised.title, promised.node, promised.command), faults)


def test_tunnel(tunnel: tuple[str, tunnels.Claim], lab: Lab, healthy: wire.Evidence, settle: Settle) -> None:
    name, promised = tunnel
    end = tunnels.tunnels(lab.topology)[promised.machine]
    asked = promised.key == "learned"
    fdb = lab.fdb(lab.carrying(promised.machine), f"dev {end.device}", end.netns) if asked else []
    faults = tunnels.faults(promised, healthy, fdb)
    settle(Promise(name, promised.title, promised.machine, promised.command), faults)


def test_joined(joined: tuple[str, hosts.Claim], lab: Lab, healthy: wire.Evidence, settle: Settle) -> None:
    name, promised = joined
    device = lab.topology["segments"].get(promised.segment, {}).get("tunnel")
    fdb = lab.fdb(lab.machines[promised.machine], f"dev {device}") if promised.key == "learned" else []
    faults = hosts.faults(promised, healthy, fdb)
    settle(Promise(name, promised.title, promised.machine, promised.command), faults)


def test_stream(stream: tuple[str, wire.Stream], healthy: wire.Evidence, settle: Settle) -> None:
    name, promised = stream
    faults = wire.stream_faults(promised, healthy)
    command = tcpdump(healthy, promised.source, capture_filter(pod_network(healthy.topology)))
    settle(Promise(name, promised.title, promised.source, command), faults)


def test_capture(capture: tuple[str, str, str], healthy: wire.Evidence, settle: Settle) -> None:
    name, node, key = capture
    title, find = CAPTURE_CLAIMS[key]
    faults = find(node, healthy)
    settle(Promise(name, title, node, tcpdump(healthy, node, "not tcp port 22")), faults)


def test_mtu(mtu: tuple[str, str], healthy: wire.Evidence, settle: Settle) -> None:
    name, source = mtu
    fail_cells([o for o in healthy.outcomes if o.probe.check == name], source, "icmp")
    exact = [o for o in healthy.outcomes if o.probe.check == name and o.probe.source.name == source]
    full = [o for o in exact if o.probe.expect == ("ok",)]
    frames = {outcome: wire.frame(outcome, healthy.topology) for outcome in full}
    faults = [fault for outcome in full for fault in wire.size_faults(outcome, healthy, frames[outcome])]
    node, lengths = wire.captured_at(full[0], healthy.topology)[0], sorted(set(frames.values()))
    title = f"the largest packets of {source} fill frames of {' or '.join(map(str, lengths))} bytes, in one piece"
    settle(Promise(name, title, node, tcpdump(healthy, node, f"greater {lengths[0]}")), faults)


def test_controlled(controlled: tuple[str, str, str, str], controls: t.Callable[[str], Control]) -> None:
    name, source, protocol, state = controlled
    fail_cells(getattr(controls(name), state), source, protocol)


def test_control(control: tuple[str], lab: Lab, controls: t.Callable[[str], Control], results: Results) -> None:
    """A control must break something, and its repair must leave nothing behind."""
    (name,) = control
    broken, seen = lab.topology["checks"][name]["break"], controls(name)
    words = described(lab.topology, broken)
    lost = [] if any(o.record["observed"] != "ok" for o in seen.broken) else ["every probe still got its answer"]
    if seen.residue is not None:
        results.claim(Promise(name, words.gone, words.node, words.how, words.down), seen.residue)
    if seen.meanwhile is not None:
        results.claim(Promise(name, words.meanwhile, words.node, "ping -i 0.1", words.down), seen.meanwhile)
    results.claim(Promise(name, "probes notice", words.node, words.how, words.down), lost)
    results.claim(Promise(name, f"{words.what} is as before", words.node, words.shown, words.repaired), seen.left)
    fail(lost + seen.left + (seen.residue or []) + (seen.meanwhile or []))
