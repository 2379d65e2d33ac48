# SPDX-License-Identifier: GPL-3.0-or-later
"""The labs that the benchmark asks: network namespaces on a bridge, and a cluster with so many pods a node."""

from __future__ import annotations

import contextlib
import json
import pathlib
import sys
import tempfile
import time
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "collections"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_connect import connected, inventory_variables
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import held_together
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Endpoint, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_plan import SERVER_PORTS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import KUBECTL, Lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import line
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_workload import workload_image
from command import built, run
from figures import Figures
from neighbours import known, mac
from processors import busy

HOSTS, CLUSTER, ALL = "bench-verify-hosts", "bench-verify-cluster", "all-pairs"
READY = "180s"
PROTOCOLS = ("icmp", "tcp", "udp")


def address(number: int) -> str:
    return f"10.173.0.{100 + number}"


def host(number: int, size: int) -> dict[str, t.Any]:
    """One of the namespaces; they know each other beforehand (neighbours.py), for 60 have 3540 neighbours."""
    others = known((other for other in range(1, size + 1) if other != number), address)
    links = {"eth0": {"mac": mac(number), "neighbours": others}}
    return {"segment": "lan", "address": address(number), "links": links}


def hosts_file(size: int) -> dict[str, t.Any]:
    """So many namespaces on a bridge in another one; the control takes the last one's port off the bridge."""
    names = [f"h{number}" for number in range(1, size + 1)]
    last, ends = names[-1], {"from": names, "to": names}
    unplugged = {"namespaces": {"m1": {"links": {f"{last}.eth0": {"master": None}}}}}
    broken = {"change": unplugged, "pairs": [[last, other] for other in names[:-1]]}
    return {
        "name": HOSTS,
        "description": "Network namespaces on one bridge; made by bench/verify.",
        "segments": {"lan": {"cidr": "10.173.0.0/24"}},
        "namespaces": {
            "m1": {"interfaces": {"br0": {"segment": "lan", "kind": "bridge", "address": "10.173.0.1"}}},
            **{name: host(number, size) for number, name in enumerate(names, 1)},
        },
        "checks": {ALL: ends, "without-one": {**ends, "break": broken, "expect": ["timeout", "unreachable"]}},
    }


CLUSTER_FILE: dict[str, t.Any] = {
    "name": CLUSTER,
    "description": "Three nodes, for pods that reach each other; made by bench/verify.",
    "segments": {"lan": {"cidr": "172.31.74.0/24"}},
    "nodes": {
        "cp1": {"role": "control-plane", "segment": "lan"},
        "w1": {"role": "worker", "segment": "lan"},
        # So many that no node has more pods on its bridge than the machine may have neighbours, see neighbours.py.
        "w2": {"role": "worker", "segment": "lan"},
        "w3": {"role": "worker", "segment": "lan"},
        "w4": {"role": "worker", "segment": "lan"},
    },
    "cluster": {
        "kubernetes": "v1.37.2",
        "pod_cidr": "10.244.0.0/16",
        "service_cidr": "10.96.0.0/16",
        "cni": {"name": "flannel", "backend": "vxlan"},
    },
    "checks": {"pods-reach-pods": {"from": "pods", "to": "pods"}},
}


@contextlib.contextmanager
def lab_of(topology: dict[str, t.Any], *playbooks: str) -> t.Iterator[tuple[Lab, str]]:
    """A topology for as long as the block runs, and its inventory."""
    name = topology["name"]
    with built(name, json.dumps(topology), *playbooks) as inventory:  # JSON is YAML, too
        variables = inventory_variables(inventory, name)
        with connected(variables) as machines:
            yield Lab(variables[f"host.{name}"]["reftopo_topology"], machines), inventory


def hosts(size: int) -> contextlib.AbstractContextManager[tuple[Lab, str]]:
    """Namespaces that are up."""
    return lab_of(hosts_file(size), "playbooks/nodes.yml")


def cluster() -> contextlib.AbstractContextManager[tuple[Lab, str]]:
    """A cluster with the suite's own pods, of which the image is taken."""
    return lab_of(CLUSTER_FILE, "playbooks/nodes.yml", "playbooks/cluster.yml", "playbooks/verify.yml")


def populate(lab: Lab, size: int) -> list[Endpoint]:
    """So many pods, spread over all nodes; those that are there already stay."""
    nodes = list(lab.topology["nodes"])
    made = {f"p{number}": nodes[number % len(nodes)] for number in range(size)}
    image = workload_image(lab.objects)
    lab.control_plane.run(commands.apply(KUBECTL, [_pod(name, node, image) for name, node in made.items()]))
    wait = f"wait --for=condition=Ready --timeout={READY} --selector=bench=verify pods"
    lab.control_plane.run(f"{KUBECTL} --namespace=default {wait}")
    found = json.loads(lab.control_plane.run(f"{KUBECTL} --namespace=default get pods -o json"))["items"]
    addresses = {item["metadata"]["name"]: item["status"]["podIP"] for item in found}
    return [
        Endpoint(name, "pods", node, addresses[name], node, addresses[name], SERVER_PORTS, (name,))
        for name, node in made.items()
    ]


def _pod(name: str, node: str, image: str) -> dict[str, t.Any]:
    ports = [f"--http-port={SERVER_PORTS['tcp']}", f"--udp-port={SERVER_PORTS['udp']}"]
    container = {"name": "server", "image": image, "imagePullPolicy": "Never", "args": ["netexec", *ports]}
    spec = {"nodeName": node, "tolerations": [{"operator": "Exists"}], "terminationGracePeriodSeconds": 0}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"bench": "verify"}},
        "spec": {**spec, "containers": [container]},
    }


def all_pairs(lab: Lab, ends: list[Endpoint]) -> Figures:
    """Ask everybody from everybody, each also itself; servers that are missing are started before, and not timed."""
    probes = [Probe(ALL, one, other, protocol) for one in ends for other in ends for protocol in PROTOCOLS]
    with held_together(lab.servers()):
        worked, began = busy(), time.monotonic()
        outcomes = lab.ask(probes)  # as the suite does: what is not as it must be is asked again
        found = Figures(len(probes), time.monotonic() - began, busy() - worked)
    wrong = [line(one.record) for one in outcomes if not one.record["ok"]]
    if wrong:
        sys.exit("\n".join([f"{len(wrong)} of {len(probes)} probes have not the answer they must have", *wrong[:5]]))
    return found


def whole_suite(inventory: str) -> Figures:
    """Run the suite as it is run by hand; its own verdict must be good."""
    with tempfile.TemporaryDirectory() as folder:
        results = pathlib.Path(folder) / "results.json"
        arguments = [f"--topology={HOSTS}", f"--ansible-inventory={inventory}", f"--results={results}"]
        worked, began = busy(), time.monotonic()
        run([sys.executable, "-m", "pytest", "-q", "tests/topology", *arguments])
        seconds, processors = time.monotonic() - began, busy() - worked
        return Figures(len(json.loads(results.read_text())["probes"]), seconds, processors)
