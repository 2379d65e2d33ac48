# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running topology as the suite has it: its machines, what they say, what is asked of them and captured.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import json
import time
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import backend_of, pod_network
from ansible_collections.reftopo.lab.plugins.module_utils._probe_agent import PARALLEL
from ansible_collections.reftopo.lab.plugins.module_utils._probe_server import READY
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_calico_etcd as calico_etcd
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_carriers as carriers
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_ends as ends
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_etcd as etcd
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_plan as plan
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_pod as pod_proof
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_tunnel as tunnel
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_asking import call_agent
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import PLUGINS, peers
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Peer
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import Machine, on_all
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Tunnel
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_proxy_rules import View
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_services import Front, Service, fronts, services
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import COMMAND, Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import judge
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_pods import pods
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import underlay

TIMEOUT = 1.5  # seconds until silence is called a timeout: a packet's way through the lab takes a millisecond
# For cells that are not as expected: rules may still be settling, and a server on an emulated node has to wait for its
# turn. So each attempt is twice as patient as the one before.
ATTEMPTS, PAUSE = 3, 1.0
KUBECTL = "kubectl --kubeconfig=/etc/kubernetes/admin.conf"


@dataclasses.dataclass
class Lab:
    """A compiled topology and its machines by name: the nodes and HOST."""

    topology: Data
    machines: dict[str, Machine]

    @property
    def nodes(self) -> list[Machine]:
        """The machines that are nodes."""
        return [self.machines[name] for name in self.topology["nodes"]]

    @property
    def control_plane(self) -> Machine:
        """The node that kubectl is run on."""
        return self.machines[self.topology["cluster"]["control_plane"][0]]

    def kubectl(self, arguments: str) -> str:
        """What kubectl prints, run on a control plane node, in the test workload's namespace."""
        return self.control_plane.run(f"{KUBECTL} --namespace={plan.WORKLOAD} {arguments}")

    @functools.cached_property
    def objects(self) -> list[Data]:
        """The cluster's nodes, and the pods, services and endpoints of the test workload."""
        return self.objects_now() if "cluster" in self.topology else []

    def objects_now(self) -> list[Data]:
        """The same as it is now."""
        command = "get nodes,pods,services,endpointslices -o json"
        return t.cast("list[Data]", json.loads(self.kubectl(command))["items"])

    @functools.cached_property
    def peers(self) -> dict[str, Peer]:
        """The nodes as the network plugin has them, in the cluster's API or in etcd."""
        if "pod_network" in self.topology:
            return etcd.peers(self.records, self.topology)
        return self.peers_now()

    def peers_now(self) -> dict[str, Peer]:
        """The same as the cluster's API has them now, or Calico's own etcd."""
        cni = self.topology["cluster"]["cni"]
        resources = (calico_etcd if "endpoint" in cni else PLUGINS[cni["name"]]).RESOURCES
        items = json.loads(self.kubectl(f"get {resources} --all-namespaces -o json"))["items"]
        if "endpoint" in cni:
            items = calico_etcd.objects(self.control_plane.run(calico_etcd.read_command(cni["endpoint"])), items)
        return peers(items, self.topology)

    @functools.cached_property
    def records(self) -> etcd.Records:
        """flannel's records in etcd."""
        return self.records_now()

    def records_now(self) -> etcd.Records:
        """The same as they are now."""
        machine = self.machines[self.topology["pod_network"]["etcd"]]
        return etcd.records(machine.run(etcd.read_command(self.topology)))

    @functools.cached_property
    def etcd_facts(self) -> dict[str, Data]:
        """What each node says of its subnet and of its way to etcd, by node."""
        command = commands.etcd_facts(self.topology["pod_network"]["endpoint"])
        return on_all(self.nodes, lambda machine: t.cast("Data", json.loads(machine.run(command))))

    @functools.cached_property
    def endpoints(self) -> dict[str, list[Endpoint]]:
        """Every endpoint by kind."""
        found = plan.endpoints(self.topology, self.objects)
        return {**found, "pods": pod_proof.endpoints(self.topology, self.pods)} if self.pods else found

    @functools.cached_property
    def services(self) -> dict[str, Service]:
        """The services of the test workload by name."""
        return services(self.objects)

    def fronts(self) -> list[Front]:
        """The ports of all services of the cluster, which virtual servers are compared with where there are any."""
        if "ipvs" not in {node["proxy_mode"] for node in self.topology["nodes"].values()}:
            return []
        found = json.loads(self.kubectl("get services,endpointslices --all-namespaces -o json"))
        return fronts(found["items"])

    def views(
        self, found: dict[str, Service], snapshots: dict[str, Snapshot], fronts: t.Sequence[Front] = ()
    ) -> dict[str, View]:
        """What claims on kube-proxy's rules are judged by, by node; those on virtual servers need all fronts."""
        pods = self.endpoints["pods"]
        return {
            node: View(self.topology, snapshot, found, [pod for pod in pods if pod.node == node], list(fronts))
            for node, snapshot in snapshots.items()
        }

    def views_now(self) -> dict[str, View]:
        """The same as rules and services are now."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            asked, fronts = pool.submit(self.objects_now), pool.submit(self.fronts)
            snapshots = self.snapshots()
        return self.views(services(asked.result()), snapshots, fronts.result())

    @functools.cached_property
    def tunnels(self) -> dict[str, tunnel.Tunnel]:
        """The VXLAN links of namespaces, by machine; the overlay of pods is their network's."""
        return {} if pod_network(self.topology) else tunnel.tunnels(self.topology)

    @functools.cached_property
    def pods(self) -> dict[str, Data]:
        """What the nodes say of pods that were made by hand, by node."""
        return self.pod_facts(*{pod.node for pod in pods(self.topology)})

    def pod_facts(self, *nodes: str) -> dict[str, Data]:
        """What these nodes say now of their pods."""
        machines = [self.machines[name] for name in nodes]
        return on_all(machines, lambda machine: t.cast("Data", json.loads(machine.run(commands.pod_facts()))))

    def snapshots(self, *nodes: str) -> dict[str, Snapshot]:
        """The state of these nodes now; of all when none is named."""
        machines = [self.machines[name] for name in nodes] or self.nodes
        return on_all(machines, lambda machine: Snapshot(machine.name, machine.run(COMMAND)))

    def ask_once(self, probes: list[Probe], timeout: float = TIMEOUT, parallel: int = PARALLEL) -> list[Outcome]:
        """Run probes, all at once, with one agent call a machine."""
        groups = plan.by_machine(probes)
        results = on_all(
            (self.machines[name] for name in groups),
            lambda machine: call_agent(machine, groups[machine.name], timeout, parallel),
        )
        found = {probe.key: result for name, group in groups.items() for probe, result in zip(group, results[name])}
        return [Outcome(probe, found[probe.key], judge(probe, found[probe.key])) for probe in probes]

    def ask(self, probes: list[Probe]) -> list[Outcome]:
        """Run probes, and those that are not as expected again, until they are or ATTEMPTS are used up."""
        outcomes = self.ask_once(probes)
        for attempt in range(1, ATTEMPTS):
            wrong = [index for index, outcome in enumerate(outcomes) if not outcome.record["ok"]]
            if not wrong:
                break
            time.sleep(PAUSE)
            again = [outcomes[index].probe.again() for index in wrong]
            for index, outcome in zip(wrong, self.ask_once(again, TIMEOUT * 2**attempt)):
                outcomes[index] = outcome
        return outcomes

    def captures(self) -> list[tuple[Machine, str, str]]:
        """A capture on the underlay interface of every node, namespace with a tunnel, or host, ready to be held."""
        if self.tunnels or "hosts" in self.topology:
            return carriers.captures(self.topology, self.machines)
        interfaces = {name: underlay(node) for name, node in self.topology["nodes"].items()}
        return [(node, commands.capture(interfaces[node.name]), commands.LISTENING) for node in self.nodes]

    def servers(self) -> list[tuple[Machine, str, str]]:
        """A server on every node and namespace that a check wants an answer of, ready to be held."""
        wanted = ends.servers(self.topology, self.endpoints)
        return [(self.machines[end.machine], commands.server(end), READY) for end in wanted]

    def carrier(self, machine: str) -> Tunnel | None:
        """What carries packets between a machine and others; None where they travel bare."""
        if self.tunnels or "hosts" in self.topology:
            return carriers.tunnel_at(self.topology, machine)
        cni = pod_network(self.topology)["cni"]
        return Tunnel(cni.get("port"), cni["backend"]) if backend_of(cni).overhead else None

    def forget(self) -> None:
        """Let namespaces forget what they have learned and tracked, so that what is seen afterwards is of now."""
        lines = {} if "cluster" in self.topology else carriers.forgotten(self.topology)
        on_all((self.machines[name] for name in lines), lambda machine: machine.run(lines[machine.name]))

    def carrying(self, namespace: str) -> Machine:
        """The machine that a namespace is on."""
        return self.machines[carriers.carrier(self.topology, namespace)]

    def fdb(self, machine: Machine, selector: str, netns: str = "") -> list[Data]:
        """The FDB of `br NAME` or `dev NAME` on a machine or in a namespace there, as `bridge -j` prints it."""
        return t.cast("list[Data]", json.loads(machine.run(f"bridge {netns and '-n'} {netns} -j fdb show {selector}")))
