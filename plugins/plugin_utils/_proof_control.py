# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of a run of the suite: what is broken, asked, repaired and asked again.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import operator
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_bgp as bgp
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_cni as cni
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands_bgp as commands_bgp
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_etcd as etcd
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_plan as plan
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_deaf as proxy_deaf
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_rules as proxy_rules
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_reflected as reflected
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import claim_faults, claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_break import cut_link, described
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_change import command as change_command
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Peer
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import Held, held_together, until
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import HOST, Data, Endpoint, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ping import ping_faults
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_proxy_rules import View
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot, changes
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import KUBECTL, Lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome

READY_TIMEOUT = 60.0  # seconds until rules must follow a pod, or routes a lease; an emulated node takes its time
FOLLOW_TIMEOUT = 20.0  # seconds for rules to follow what changed by itself: a pod that was not ready for a moment


@dataclasses.dataclass(frozen=True)
class Control:
    """What a check with break saw: while it was broken, and after its repair; and what was not as before then.

    residue is what was still there of a pod whose network was taken away, or on other nodes of a node without a lease;
    None where nothing was to go. meanwhile is what pings without a pause saw that they must not; None without any.
    """

    broken: list[Outcome]
    repaired: list[Outcome]
    left: list[str]
    residue: list[str] | None = None
    meanwhile: list[str] | None = None


@contextlib.contextmanager
def broken(lab: Lab, check: Data, before: Snapshot) -> t.Iterator[Held]:
    """The lab with the check's link down; it is repaired when the block ends, however it ends."""
    node, link = cut_link(lab.topology, check["break"])
    if link in lab.topology["nodes"].get(node, {}).get("interfaces", ()):
        raise ProofError(f"cannot take {link} of {node} down: the way to the node that must repair it is {link}")
    command = commands.break_link(link, commands.repair(before, link))
    with lab.machines[node].held(command, commands.HELD) as held:
        yield held


def control(lab: Lab, name: str) -> Control:
    """Break, ask, repair, ask again."""
    check = lab.topology["checks"][name]
    if "change" in check["break"]:
        return _changed(lab, name, check["break"]["link_state"], lab.topology["link_state"])
    if "pod" in check["break"]:
        return _detached(lab, name, check["break"]["pod"])
    if "lease" in check["break"]:
        return _unleased(lab, name, check["break"]["node"])
    if "mesh" in check["break"] or "reflectors" in check["break"]:
        return _unmeshed(lab, name) if "mesh" in check["break"] else _unreflected(lab, name, **check["break"])
    if "routes" in check["break"]:
        return _hidden(lab, name, **check["break"])
    node, link = cut_link(lab.topology, check["break"])
    before = lab.snapshots(node)[node]
    seen = _broken_and_repaired(lab, name, broken(lab, check, before))
    return Control(*seen, changes(before, lab.snapshots(node)[node], link))


def _changed(lab: Lab, name: str, unlike: Data, healthy: Data) -> Control:
    """The control whose break is a change of the link state of this machine."""
    host = lab.machines[HOST]
    seen = _broken_and_repaired(lab, name, host.held(change_command("hold", unlike, healthy), commands.HELD))
    return Control(*seen, host.run(change_command("left", unlike, healthy)).splitlines())


def _hidden(lab: Lab, name: str, node: str, routes: list[str]) -> Control:
    """The control whose break are rules of policy routing before a node's routes to the pods of others."""
    machine = lab.machines[node]
    before = machine.run(commands.RULES)
    command = commands.hide_routes([subnet for peer in routes for subnet in lab.peers[peer].subnets])
    seen = _broken_and_repaired(lab, name, machine.held(command, commands.HELD))
    after = machine.run(commands.RULES)
    return Control(*seen, [] if after == before else [f"rules were {before.strip()}, and are {after.strip()}"])


def _unleased(lab: Lab, name: str, node: str) -> Control:
    """The control whose break is a node's lease deleted while its flanneld is stopped; started, it leases the same."""
    lost, residue = lab.peers[node], list[str]()
    command = commands.forget_lease(lab.topology["pod_network"]["endpoint"], etcd.lease_key(lost))

    @contextlib.contextmanager
    def without_lease() -> t.Iterator[None]:
        with lab.machines[node].held(command, commands.HELD):
            residue.extend(_faults_left(lambda: etcd.forgotten_faults(lost, lab.snapshots())))
            yield

    down, repaired = _broken_and_repaired(lab, name, without_lease())
    return Control(
        down,
        repaired,
        _faults_left(lambda: _unlike_before(lab, etcd.peers(lab.records_now(), lab.topology))),
        residue,
    )


def _unmeshed(lab: Lab, name: str) -> Control:
    """The control whose break is Calico's mesh turned off; nodes follow within seconds, and again when it is back."""
    residue, left = list[str](), list[str]()

    def kept() -> list[str]:
        """What nodes have of each other although they must not."""
        pairs = lab.snapshots().items()
        return [
            fault for node, seen in pairs for fault in bgp.mesh_faults(seen, lab.topology, lab.peers[node], lab.peers)
        ]

    @contextlib.contextmanager
    def without_mesh() -> t.Iterator[None]:
        configured = any(lab.topology["cluster"]["cni"].get(key) for key in ("peers", "password"))
        with lab.control_plane.held(commands_bgp.unmesh(KUBECTL, configured), commands.HELD):
            residue.extend(_faults_left(kept))
            yield
        left.extend(_faults_left(lambda: _unlike_before(lab, lab.peers_now())))

    down, repaired = _broken_and_repaired(lab, name, without_mesh())
    return Control(down, repaired, left, residue)


def _unreflected(lab: Lab, name: str, reflectors: list[str], cut: list[str]) -> Control:
    """The control whose break are route reflectors without sessions, while pods of all nodes ping each other."""
    residue, left = list[str](), list[str]()

    def kept() -> list[str]:
        """What nodes have of those that are cut off although they must not."""
        seen = lab.snapshots().values()
        return [fault for snapshot in seen for fault in reflected.still_there(snapshot, lab.topology, cut, lab.peers)]

    @contextlib.contextmanager
    def without_sessions() -> t.Iterator[None]:
        with held_together([(lab.machines[node], commands_bgp.unreflect(), commands.HELD) for node in reflectors]):
            residue.extend(_faults_left(kept))
            yield
        left.extend(_faults_left(lambda: _unlike_before(lab, lab.peers_now())))

    ends = list(itertools.permutations({pod.node: pod for pod in lab.endpoints["pods"]}.values(), 2))
    pings = [(lab.machines[one.machine], commands.ping(one.address, to.address), commands.HELD) for one, to in ends]
    with held_together(pings) as held:
        down, repaired = _broken_and_repaired(lab, name, without_sessions())
    faults = [ping_faults((str(one.node), str(to.node)), cut, it.output.decode()) for (one, to), it in zip(ends, held)]
    return Control(down, repaired, left, residue, [fault for each in faults for fault in each])


def _unlike_before(lab: Lab, now: dict[str, Peer]) -> list[str]:
    """What the nodes have not that the network plugin says of them now; and what it says that is not as before."""
    snapshots = lab.snapshots()
    changed = [f"{peer} was {lab.peers.get(node)}" for node, peer in now.items() if peer != lab.peers.get(node)]
    return changed + [
        f"{claim.node}: {fault}"
        for claim in claims(lab.topology)
        for fault in claim_faults(claim, snapshots[claim.node], lab.topology, now)
    ]


def _faults_left(find: t.Callable[[], list[str]]) -> list[str]:
    """What is still wrong when the nodes had time to follow etcd."""
    return until(READY_TIMEOUT, find, operator.not_)


def _detached(lab: Lab, name: str, pod: str) -> Control:
    """The control whose break is CNI DEL of a pod; its repair is ADD, which must give it what it had."""
    end = next(end for end in lab.endpoints["pods"] if end.name == pod)
    before, residue = lab.pods[end.machine], list[str]()
    plugins = lab.topology["nodes"][end.machine]["cni"]["plugins"]
    # flannel's plugin has host-local give addresses without a word of it.
    leased = any(one["type"] == "flannel" or one.get("ipam", {}).get("type") == "host-local" for one in plugins)

    @contextlib.contextmanager
    def without_network() -> t.Iterator[None]:
        pid = before["containers"][pod]["pid"]
        with lab.machines[end.machine].held(commands.detach(pod, pid, end.address), commands.HELD):
            residue.extend(cni.residue(pod, before, lab.pod_facts(end.machine)[end.machine], leased))
            yield

    down, repaired = _broken_and_repaired(lab, name, without_network())
    after = lab.pod_facts(end.machine)[end.machine]
    return Control(down, repaired, cni.result_faults(pod, after) + cni.plugged_faults(pod, after), residue)


def _broken_and_repaired(
    lab: Lab, name: str, breaking: contextlib.AbstractContextManager[Held | None]
) -> tuple[list[Outcome], list[Outcome]]:
    """What a check's probes see while it is broken, and afterwards."""
    words = described(lab.topology, lab.topology["checks"][name]["break"])
    with held_together(lab.servers()):
        with breaking:
            lab.forget()
            while_down = lab.ask(plan.reach_probes(lab.topology, name, lab.endpoints, words.down, broken=True))
        lab.forget()
        return while_down, lab.ask(plan.reach_probes(lab.topology, name, lab.endpoints, words.repaired))


def deaf(lab: Lab, name: str) -> proxy_deaf.Deaf:
    """Let a pod refuse, see the rules follow, ask the services that have it as endpoint, and let it listen again."""
    pods = lab.endpoints["pods"]
    pod = next(one for one in pods if one.name == proxy_deaf.chosen(lab.topology))
    with lab.machines[pod.machine].held(commands.deafen(pod.address, plan.SERVER_PORTS["tcp"]), commands.HELD):
        refusing = _settled(lab, pod, listens=False)
        control = f"{pod.name} does not listen"
        outcomes = lab.ask(proxy_deaf.probes(name, lab.endpoints, lab.services, control))
    return proxy_deaf.Deaf(pod, outcomes, refusing, _settled(lab, pod, listens=True), pods)


def _settled(lab: Lab, pod: Endpoint, listens: bool) -> dict[str, View]:
    """The nodes' rules once they follow from whether a pod listens; as they are when they do not in time."""

    def follow(views: dict[str, View]) -> bool:
        return not any(proxy_deaf.rule_faults(view, pod, listens) for view in views.values())

    return until(READY_TIMEOUT, lab.views_now, follow)


def following(lab: Lab, views: dict[str, View]) -> dict[str, View]:
    """The nodes' rules; those that do not follow from the API's objects are read again, and these with them."""

    def follow(views: dict[str, View]) -> bool:
        claimed = proxy_rules.claims(lab.topology)
        return not any(proxy_rules.faults(claim.key, views[claim.node]) for claim in claimed)

    return views if follow(views) else until(FOLLOW_TIMEOUT, lab.views_now, follow)
