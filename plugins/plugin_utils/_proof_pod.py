# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a pod a pod, where it was made by hand: claims on what its node says (_probe_pods.py). Pure.

This plugin util is PRIVATE to the collection. Source: namespaces(7), and Kubernetes' pod model for which are shared.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import bridge_name
from ansible_collections.reftopo.lab.plugins.module_utils._pod_model import container_id
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_cni import plugged_faults, result_faults
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint, Probe, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import line
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Evidence
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_pods import Pod, pods

SHARED, OWN = ("net", "ipc", "uts"), ("pid", "mnt")
LOCALHOST = "127.0.0.1"
PROTOCOLS = ("tcp", "udp")
BRIDGED = ("bridge", "flannel")  # CNI plugins that plug pods into a bridge; flannel's delegates to the other


class Claim(t.NamedTuple):
    """What is claimed of a pod; container, peer and protocol where it is of one container's way to another."""

    node: str
    pod: str
    key: str
    title: str
    command: str
    container: str = ""
    peer: str = ""
    protocol: str = ""

    @property
    def case(self) -> str:
        """The claim in a test case's id."""
        return "-".join(filter(None, (self.pod, self.key, self.container, self.peer, self.protocol)))


class Way(t.NamedTuple):
    """A way over localhost: from a container of a pod to a port that a container has, of this pod or of another."""

    source: str
    target: str
    port: int
    protocol: str
    open: bool


def claims(topology: Data) -> list[Claim]:
    """All claims, pod by pod: its namespaces, what is in them, and the ways between its containers."""
    return [claim for pod in pods(topology) for claim in _claims(pod, topology)]


def _claims(pod: Pod, topology: Data) -> t.Iterator[Claim]:
    enter = f"nsenter --net --target $(ctr -n k8s.io tasks list | awk '$1 == \"{pod.name}\" {{print $2}}')"
    names = ", ".join(pod.containers)
    common = (pod.node, pod.name)
    title = f"{names} of {pod.name} are in the network, IPC and UTS namespaces of its pause container"
    yield Claim(*common, "shared", title, "lsns --type net --type ipc --type uts")
    title = f"{names} of {pod.name} have PID and mount namespaces of their own, and share none with the node"
    yield Claim(*common, "own", title, "lsns --type pid --type mnt")
    title = f"the kernel has what the CNI plugins returned for {pod.name}, and nothing else"
    yield Claim(*common, "result", title, f"{enter} ip address")
    for plugin in topology["nodes"][pod.node]["cni"]["plugins"]:
        if plugin["type"] in BRIDGED:
            title = f"eth0 of {pod.name} is one end of a veth pair, whose other is a port of {bridge_name(plugin)}"
            yield Claim(*common, "plugged", title, f"ip link show master {bridge_name(plugin)}")
    for way in ways(topology, pod):
        what = "answers" if way.open else "refuses"
        title = f"{way.protocol} port {way.port} of {way.target} {what} on the localhost of {way.source}"
        ask = f"{enter} ss --listening --numeric --processes"
        yield Claim(*common, "localhost", title, ask, way.source, way.target, way.protocol)


def ways(topology: Data, pod: Pod) -> list[Way]:
    """Each container's ways to the others of its pod, and the control: from it to ports that only other pods have."""
    own = {(protocol, port) for ports in pod.containers.values() for protocol, port in ports.items()}
    return [
        Way(container_id(pod.name, name), container_id(other.name, peer), ports[protocol], protocol, other == pod)
        for name in pod.containers
        for other in pods(topology)
        for peer, ports in other.containers.items()
        for protocol in PROTOCOLS
        if (other == pod and peer != name) or (other != pod and (protocol, ports[protocol]) not in own)
    ]


def endpoints(topology: Data, facts: dict[str, Data]) -> list[Endpoint]:
    """The pods, at the ports of their first containers; facts are those of each node.

    Raises:
        ProofError: a pod does not run, or has no address.
    """
    return [_endpoint(pod, facts[pod.node], topology["name"]) for pod in pods(topology)]


def _endpoint(pod: Pod, facts: Data, topology: str) -> Endpoint:
    result, running = facts["results"].get(pod.name), facts["containers"]
    absent = [name for name in (pod.name, *identities(pod)) if name not in running]
    if absent or not result or not result.get("ips"):
        what = f"{', '.join(absent)} does not run" if absent else "it has no address"
        raise ProofError(
            f"{pod.node}: pod {pod.name}: {what}. Make it: ansible-playbook playbooks/pods.yml -e topology={topology}"
        )
    address = result["ips"][0]["address"].partition("/")[0]
    return Endpoint(
        pod.name,
        "pods",
        pod.node,
        address,
        machine=pod.node,
        namespace=f"/proc/{running[pod.name]['pid']}/ns/net",
        ports=next(iter(pod.containers.values())),
        answers=(pod.name,),
    )


def home(topology: Data, name: str) -> str:
    """The node of a pod."""
    return next(pod.node for pod in pods(topology) if pod.name == name)


def identities(pod: Pod) -> list[str]:
    """containerd's ids of a pod's containers; that of the pause container is the pod's name."""
    return [container_id(pod.name, name) for name in pod.containers]


def samples(name: str, topology: Data, facts: dict[str, Data]) -> list[Probe]:
    """A probe for each way over localhost."""
    return [
        Probe(
            name,
            Endpoint(way.source, "pods", pod.node, LOCALHOST, machine=pod.node, namespace=_netns(way, pod, facts)),
            Endpoint(way.target, "pods", pod.node, LOCALHOST, ports={way.protocol: way.port}, answers=(pod.name,)),
            way.protocol,
            ("ok",) if way.open else ("refused",),
            LOCALHOST if way.open else None,
        )
        for pod in pods(topology)
        for way in ways(topology, pod)
    ]


def _netns(way: Way, pod: Pod, facts: dict[str, Data]) -> str:
    """The namespace of the container itself, not of the pause container that it should share it with."""
    return f"/proc/{facts[pod.node]['containers'][way.source]['pid']}/ns/net"


def faults(claim: Claim, facts: Data, evidence: Evidence) -> list[str]:
    """What speaks against a claim; facts are those of the pod's node."""
    pod = next(pod for pod in pods(evidence.topology) if pod.name == claim.pod)
    if claim.key == "localhost":
        return _localhost_faults(claim, facts, evidence)
    if claim.key == "result":
        return result_faults(pod.name, facts)
    if claim.key == "plugged":
        return plugged_faults(pod.name, facts)
    found = _shared_faults if claim.key == "shared" else _own_faults
    return found(pod, {identity: one["namespaces"] for identity, one in facts["containers"].items()}, facts["own"])


def _shared_faults(pod: Pod, namespaces: dict[str, Data], _node: Data) -> list[str]:
    pause = namespaces[pod.name]
    return [
        f"{identity} is in {namespaces[identity][kind]}, the pause container in {pause[kind]}"
        for identity in identities(pod)
        for kind in SHARED
        if namespaces[identity][kind] != pause[kind]
    ]


def _own_faults(pod: Pod, namespaces: dict[str, Data], node: Data) -> list[str]:
    """Namespaces that a container has in common with another, or a pod with the node or another pod."""
    mine = {pod.name, *identities(pod)}
    others = {"the node": node, **namespaces}
    return [
        f"{identity} and {other} are both in {theirs[kind]}"
        for identity in sorted(mine)
        for other, theirs in others.items()
        for kind in (*OWN, *(SHARED if other not in mine else ()))
        if other != identity and theirs[kind] == namespaces[identity][kind]
    ]


def _localhost_faults(claim: Claim, facts: Data, evidence: Evidence) -> list[str]:
    """The probe of one way; where it must answer, the container that it asks must be the one that listens there."""
    wanted = (claim.container, claim.peer, claim.protocol)
    asked = [o for o in evidence.outcomes if (o.probe.source.name, o.probe.target.name, o.probe.protocol) == wanted]
    if not asked:
        return ["no probe was made"]
    found = [line(o.record) for o in asked if not o.record["ok"]]
    for probe in (o.probe for o in asked if o.probe.expect == ("ok",)):
        found += _socket_faults(claim, probe.target.ports[claim.protocol], facts)
    return found


def _socket_faults(claim: Claim, port: int, facts: Data) -> list[str]:
    pid, listening = facts["containers"][claim.peer]["pid"], facts["networks"][claim.pod]["listening"]
    at_port = [socket for socket in listening if re.search(rf"^{claim.protocol} .*:{port} ", socket)]
    if any(f"pid={pid}," in socket for socket in at_port):
        return []
    return [f"no socket of {claim.peer} (PID {pid}) listens on {claim.protocol} port {port}"]
