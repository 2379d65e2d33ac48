# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab of plain namespaces that looks to the suite like a flannel cluster of two nodes: so the suite itself is tested.

lan (a bridge) - n1, n2 (nodes: VXLAN device, bridge, service rules) - a and b of each node (pods), and outside.
"""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import types
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._probe_server import READY
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import Machine, held_together
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import Lab

PREFIX = "t-proof."
NODES = ("n1", "n2")
PODS = tuple(f"{name}-{node}" for node in NODES for name in ("a", "b"))
SERVICE = "10.98.0.1"


def sh(command: str) -> None:
    subprocess.run(["sh", "-ec", command], check=True)


def number(name: str) -> int:
    """n1 is 1, n2 is 2, outside is 9."""
    return int(name[-1]) if name[-1].isdigit() else 9


def pod_address(pod: str) -> str:
    return f"10.99.{number(pod)}.{2 if pod.startswith('a') else 3}"


def lan_port(name: str) -> str:
    return f"""
    ip -n {PREFIX}lan link add {name} type veth peer name eth0 netns {PREFIX}{name}
    ip -n {PREFIX}lan link set {name} master br0 up
    ip -n {PREFIX}{name} address add 172.30.99.{10 + number(name)}/24 dev eth0
    ip -n {PREFIX}{name} link set eth0 up"""


def node(name: str, peer: str) -> str:
    mine, other, ip = number(name), number(peer), f"ip -n {PREFIX}{name}"
    return f"""
    {ip} link add flannel.1 address 02:00:00:00:00:0{mine} mtu 1450 type vxlan id 1 dev eth0 \
      local 172.30.99.{10 + mine} dstport 8472 nolearning
    {ip} address add 10.99.{mine}.0/32 dev flannel.1
    {ip} link set flannel.1 up
    {ip} link add cni0 mtu 1450 type bridge
    {ip} address add 10.99.{mine}.1/24 dev cni0
    {ip} link set cni0 up
    {ip} neighbour replace 10.99.{other}.0 lladdr 02:00:00:00:00:0{other} dev flannel.1 nud permanent
    bridge -n {PREFIX}{name} fdb append 02:00:00:00:00:0{other} dev flannel.1 dst 172.30.99.{10 + other}
    {ip} route add 10.99.{other}.0/24 via 10.99.{other}.0 dev flannel.1 onlink
    {ip} route add default dev eth0 scope link
    ip netns exec {PREFIX}{name} sysctl -qw net.ipv4.ip_forward=1
    ip netns exec {PREFIX}{name} nft -f - <<'END'
{service_rules(f"10.99.{mine}.0/24")}
END"""


def service_rules(subnet: str) -> str:
    """What kube-proxy makes of a service, in small, and the masquerading that flannel does.

    Answers from this node's own pods would pass by the rules over the bridge, hence the masquerading towards them.
    """
    ends = ", ".join(f"{index} : {pod_address(pod)}" for index, pod in enumerate(PODS))
    choice = f"numgen random mod {len(PODS)} map {{ {ends} }}"
    return f"""table ip kube-proxy {{
  chain to-tcp {{ meta l4proto tcp dnat to {choice} : 8080; }}
  chain to-udp {{ meta l4proto udp dnat to {choice} : 8081; }}
  map service-ips {{
    type ipv4_addr . inet_proto . inet_service : verdict
    elements = {{ {SERVICE} . tcp . 80 : goto to-tcp, {SERVICE} . udp . 81 : goto to-udp }}
  }}
  chain services {{
    type nat hook prerouting priority dstnat;
    ip daddr . meta l4proto . th dport vmap @service-ips
  }}
  chain extra {{ }}
  chain leaving {{
    type nat hook postrouting priority srcnat;
    jump extra
    ip saddr 10.99.0.0/16 ip daddr != 10.99.0.0/16 masquerade
    ct status dnat ip daddr {subnet} masquerade
  }}
}}"""


def pod(name: str) -> str:
    owner = PREFIX + name.partition("-")[2]
    return f"""
    ip -n {owner} link add pod-{name[0]} mtu 1450 type veth peer name eth0 mtu 1450 netns {PREFIX}{name}
    ip -n {owner} link set pod-{name[0]} master cni0 up
    bridge -n {owner} link set dev pod-{name[0]} hairpin on
    ip -n {PREFIX}{name} address add {pod_address(name)}/24 dev eth0
    ip -n {PREFIX}{name} link set eth0 up
    ip -n {PREFIX}{name} route add default via 10.99.{number(name)}.1"""


def machine(name: str, *prefix: str) -> Machine:
    """A machine whose commands run here, in a namespace."""

    def run(command: str) -> types.SimpleNamespace:
        done = subprocess.run([*prefix, "sh", "-c", command], check=False, capture_output=True, text=True)
        return types.SimpleNamespace(rc=done.returncode, stdout=done.stdout, stderr=done.stderr)

    return Machine(name, types.SimpleNamespace(run=run), (*prefix, "sh", "-c"))


def inside(name: str) -> Machine:
    return machine(name, "ip", "netns", "exec", PREFIX + name)


TOPOLOGY: dict[str, t.Any] = {
    "name": "t-proof",
    "segments": {"lan": {"mtu": 1500}},
    "nodes": {
        name: {
            "name": name,
            "proxy_mode": "nftables",
            "address": f"172.30.99.{10 + number(name)}",
            "interfaces": {"eth0": {"mtu": 1500}},
        }
        for name in NODES
    },
    "namespaces": {"outside": {"name": "outside", "netns": PREFIX + "outside", "address": "172.30.99.19"}},
    "cluster": {
        "pod_cidr": "10.99.0.0/16",
        "dns_domain": "cluster.local",
        "proxy_mode": "nftables",
        "cni": {"name": "flannel", "backend": "vxlan", "vni": 1, "port": 8472, "device": "flannel.1", "mtu": 1450},
    },
    "checks": {
        "pods": {"from": "pods", "to": "pods", "source": "pod"},
        "services": {"from": "pods", "to": "services"},
        "nodes": {"from": "nodes", "to": "pods"},
        "outside": {"from": "pods", "to": "namespaces", "source": "node"},
        "to-nodes": {"from": "pods", "to": "nodes", "source": "node"},
        "from-outside": {"from": "namespaces", "to": "nodes"},
        "overlay": {"mechanism": "vxlan"},
        "mtu": {"mtu": "exact"},
        "control": {
            "from": "pods",
            "to": "pods",
            "break": {"node": "n1", "link": "flannel.1", "state": "down"},
            "expect": {"same-node": "ok", "cross-node": ["timeout", "unreachable"]},
        },
    },
}


def objects() -> list[dict[str, t.Any]]:
    """The cluster's objects as kubectl would print them."""
    pods = [
        {
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"set": name[0]}},
            "spec": {"nodeName": name.partition("-")[2]},
            "status": {"podIP": pod_address(name)},
        }
        for name in PODS
    ]
    ports = [{"protocol": "TCP", "port": 80}, {"protocol": "UDP", "port": 81}]
    service = {"kind": "Service", "metadata": {"name": "agnhost"}, "spec": {"clusterIP": SERVICE, "ports": ports}}
    notes = "flannel.alpha.coreos.com/"
    nodes = [
        {
            "kind": "Node",
            "metadata": {
                "name": name,
                "annotations": {
                    notes + "backend-data": f'{{"VNI":1,"VtepMAC":"02:00:00:00:00:0{number(name)}"}}',
                    notes + "public-ip": f"172.30.99.{10 + number(name)}",
                },
            },
            "spec": {"podCIDR": f"10.99.{number(name)}.0/24"},
        }
        for name in NODES
    ]
    return [*pods, service, *nodes]


@pytest.fixture(name="sh")
def sh_fixture() -> t.Callable[[str], None]:
    """Runs a shell command."""
    return sh


@pytest.fixture(scope="module")
def lab() -> t.Iterator[Lab]:
    """The lab, with a server in each pod; gone afterwards."""
    names = ["lan", *NODES, *PODS, "outside"]
    remove = "; ".join(f"ip netns delete {PREFIX}{name}" for name in names)
    with contextlib.ExitStack() as stack:
        subprocess.run(["sh", "-c", remove], check=False, stderr=subprocess.DEVNULL)
        stack.callback(sh, remove)
        for name in names:
            sh(f"ip netns add {PREFIX}{name}; ip -n {PREFIX}{name} link set lo up")
        sh(f"ip -n {PREFIX}lan link add br0 type bridge; ip -n {PREFIX}lan link set br0 up")
        sh("".join(lan_port(name) for name in (*NODES, "outside")))
        sh(node("n1", "n2") + node("n2", "n1"))
        sh("".join(pod(name) for name in PODS))
        made = Lab(TOPOLOGY, {**{name: inside(name) for name in NODES}, "host": machine("host")})
        made.objects = objects()
        pods = [dataclasses.replace(end, namespace=None) for end in made.endpoints["pods"]]
        stack.enter_context(held_together([(inside(end.name), commands.server(end), READY) for end in pods]))
        yield made
