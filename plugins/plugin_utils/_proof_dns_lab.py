# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the pods of a check of DNS, serves names outside of the cluster meanwhile, and has every name looked up.

This plugin util is PRIVATE to the collection. All that is made lives on a held command: when the suite ends, however it
does, the namespace is deleted and the servers end.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import time
import typing as t
import uuid

from ansible_collections.reftopo.lab.plugins.module_utils._probe_dns_server import READY
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_dns_model as model
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_dns_pods as pods
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_dns import Answer, Seen, sees_all
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_dns_wire import Query, captured, told
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import Held, Machine, held_together, on_all
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import HOST, Data, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import KUBECTL, Lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_workload import namespaces_left, workload_image

READY_TIMEOUT = 120.0  # seconds until all pods must be ready
PAUSE = 0.5
SERVER = ("_probe_dns", "_probe_dns_server")
CUT = "----"
# Arguments: the id of a pod's container, and names. The C library is the node's, network and resolv.conf are the pod's.
# A file of another mount namespace cannot be mounted, so it is copied to where nobody else sees it.
LOOK_UP = f"""
pid=$(ctr --namespace=k8s.io tasks list | sed -n "s/^$1 *\\([0-9]*\\) .*/\\1/p"); shift
cat /etc/resolv.conf; echo {CUT}; cat "/proc/$pid/root/etc/resolv.conf"; echo {CUT}
mount -t tmpfs none /mnt; cat "/proc/$pid/root/etc/resolv.conf" >/mnt/resolv.conf
mount --bind /mnt/resolv.conf /etc/resolv.conf
for name; do
  code=0; found=$(nsenter --target "$pid" --net getent ahostsv4 "$name") || code=$?
  echo "$name $code" $(echo "$found" | cut -d " " -f 1 | sort -u)
done"""


class Said(t.NamedTuple):
    """What was found in a pod: its own and its node's resolv.conf, and the answer for each name."""

    own: pods.Conf
    node: pods.Conf
    answers: dict[str, Answer]


class Container(t.NamedTuple):
    """Where a pod runs: its node, and its container's id."""

    node: str
    identity: str


def prove(lab: Lab) -> Seen:
    """Everything that a check of DNS sees."""
    cluster = lab.topology["cluster"]
    asked = model.lookups(cluster, uuid.uuid4().hex[:6])
    made = pods.objects(cluster, list(lab.topology["nodes"]), workload_image(lab.objects), model.services(asked))
    with held_together([(lab.control_plane, commands.populate(KUBECTL, made, pods.MARK), commands.HELD)]):
        seen = _ask(lab, asked)
    return dataclasses.replace(seen, left=namespaces_left(lab.control_plane, KUBECTL, pods.MARK))


def _ask(lab: Lab, asked: list[model.Lookup]) -> Seen:
    containers, addresses = _ready(lab)
    world = model.world(lab.topology["cluster"], asked, addresses)
    servers, watched = _servers(lab, world), _captures(lab)
    with held_together([server for _role, server in servers]) as serving, held_together([*watched.values()]) as held:
        said = _look_up(lab, containers, asked)
    queries: dict[str, list[Query]] = {role: [] for role in (model.COREDNS, *world.records)}
    for (role, _server), one in zip(servers, serving):
        queries[role] += told(one.output.decode())
    queries[model.COREDNS] += _captured(watched, held)
    if not sees_all(queries):
        raise ProofError("no query was captured at CoreDNS' pods, though pods asked: tcpdump saw nothing on eth0")
    answers = {name: answer for one in said.values() for name, answer in one.answers.items()}
    confs = {pod: (one.own, one.node) for pod, one in said.items()}
    return Seen(world, asked, confs, answers, queries, _unserved(lab, containers), [])


def _unserved(lab: Lab, containers: t.Mapping[str, Container]) -> dict[str, Answer]:
    """The control: names outside of the cluster, new ones, now that nobody serves them."""
    asked = model.lookups(lab.topology["cluster"], uuid.uuid4().hex[:6])
    first = [one for one in asked if one.pod == pods.PODS[0] and one.kind.owner not in ("", model.COREDNS)]
    return _look_up(lab, containers, [one for one in first if one.name.endswith(".")])[pods.PODS[0].name].answers


def _ready(lab: Lab) -> tuple[dict[str, Container], dict[str, str]]:
    """The containers of all pods once they run, and the services' addresses."""
    deadline = time.monotonic() + READY_TIMEOUT
    while True:
        command = f"{KUBECTL} --namespace={pods.NAMESPACE} get pods,services -o json"
        items = json.loads(lab.control_plane.run(command))["items"]
        found = {item["metadata"]["name"]: _container(item) for item in items if item["kind"] == "Pod"}
        missing = [pod.name for pod in pods.PODS if found.get(pod.name) is None]
        if not missing:
            addresses = {
                item["metadata"]["name"]: item["spec"]["clusterIP"] for item in items if item["kind"] == "Service"
            }
            return {name: one for name, one in found.items() if one}, addresses
        if time.monotonic() > deadline:
            raise ProofError(f"pods for names do not run after {READY_TIMEOUT:g} s: {', '.join(missing)}")
        time.sleep(PAUSE)


def _container(item: Data) -> Container | None:
    """Where a pod's container runs; None while it does not."""
    statuses = item["status"].get("containerStatuses", [])
    if not statuses or "running" not in statuses[0]["state"]:
        return None
    return Container(item["spec"]["nodeName"], statuses[0]["containerID"].rpartition("/")[2])


def _servers(lab: Lab, world: model.World) -> list[tuple[str, tuple[Machine, str, str]]]:
    """A server on each namespace that CoreDNS asks, with who that is, ready to be held."""
    dns, host = lab.topology["cluster"]["dns"], lab.machines[HOST]
    places = [(model.UPSTREAM, dns["upstream"]), *dns["stub_domains"].items()]
    netns = {one["address"]: one["netns"] for one in lab.topology["namespaces"].values()}
    return [
        (role, (dataclasses.replace(host, name=netns[address]), serve(netns[address], address, world, role), READY))
        for role, addresses in places
        for address in addresses
    ]


def serve(netns: str, address: str, world: model.World, role: str) -> str:
    """Answer for the names of an upstream server or a stub domain until standard input closes."""
    program = commands.python(SERVER, address, json.dumps(world.records[role]))
    return f"ip netns exec {netns} {program}"


def _captures(lab: Lab) -> dict[str, tuple[Machine, str, str]]:
    """A capture in the network of each of CoreDNS' pods, by the pod's address, ready to be held."""
    command = f"{KUBECTL} --namespace=kube-system get pods --selector=k8s-app=kube-dns -o json"
    found = [item for item in json.loads(lab.control_plane.run(command))["items"] if item["status"].get("podIP")]
    if not found:
        raise ProofError("CoreDNS has no running pod: kubectl -n kube-system get pods -l k8s-app=kube-dns")
    return {
        item["status"]["podIP"]: (
            lab.machines[item["spec"]["nodeName"]],
            commands.capture_pod(item["status"]["podIP"], "eth0"),
            commands.LISTENING,
        )
        for item in found
    }


def _captured(watched: t.Iterable[str], held: list[Held]) -> list[Query]:
    return [query for address, one in zip(watched, held) for query in captured(one.output, address)]


def _look_up(lab: Lab, containers: t.Mapping[str, Container], asked: list[model.Lookup]) -> dict[str, Said]:
    """Look names up in all pods that do, at once, and in each one after the other."""
    names: dict[str, list[str]] = {}
    for one in asked:
        names.setdefault(one.pod.name, []).append(one.name)
    machines = [dataclasses.replace(lab.machines[containers[pod].node], name=pod) for pod in names]
    return on_all(machines, lambda machine: _said(machine, containers[machine.name].identity, names[machine.name]))


def _said(machine: Machine, container: str, names: list[str]) -> Said:
    node, own, answers = machine.run(look_up(container, names)).split(f"{CUT}\n")
    words = [line.split() for line in answers.splitlines()]
    return Said(
        pods.parse(own), pods.parse(node), {name: Answer(int(code), tuple(found)) for name, code, *found in words}
    )


def look_up(container: str, names: list[str]) -> str:
    """Print a node's and a pod's resolv.conf, and the exit status of getent and the addresses for each name."""
    return shlex.join(["unshare", "--mount", "sh", "-euc", LOOK_UP, "sh", container, *names])
