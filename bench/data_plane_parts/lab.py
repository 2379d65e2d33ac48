# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's cluster: two nodes and two network namespaces on one bridge, and pods on the nodes."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import typing as t

from command import built, run

TOPOLOGY = "bench-data-plane"
CLIENT, SERVER = "cp1", "w1"  # the nodes of the two pods, which are called like them
ROUTER = "w1"  # the virtual machine that translates services for others
LEFT, RIGHT = "left", "right"
PODS, SERVICES = "10.244.0.0/16", "10.96.0.0/16"
SERVICE = "10.96.1.1"
STATE = pathlib.Path(os.environ.get("REFTOPO_STATE", "~/.local/state/reftopo")).expanduser() / TOPOLOGY
PORTS = {"load": 5201, "trips": 5202}
FILE = """\
name: {name}
description: Two nodes, and two network namespaces on the same bridge; made by bench/data_plane.
segments:
  lan: {{cidr: 172.31.71.0/24}}
nodes:
  cp1: {{role: control-plane, segment: lan}}
  w1: {{role: worker, segment: lan, provider: {provider}, proxy_mode: {mode}}}
namespaces:
  left: {{segment: lan}}
  right: {{segment: lan}}
cluster:
  kubernetes: v1.37.2
  pod_cidr: {pods}
  service_cidr: {services}
  cni: {{name: flannel, backend: {backend}}}
  proxy_mode: {first}
"""
# Answers to a pod's own address would return past the machine, whose connection tracking then takes what follows for
# INVALID, which kube-proxy drops. After kube-proxy's and flannel's rules, so that only what they leave is meant.
BACK = """\
table ip bench {
  chain back {
    type nat hook postrouting priority srcnat + 1
    oifname "flannel.1" masquerade
  }
}
"""


class End(t.NamedTuple):
    """Where load starts or goes to: a network namespace's file and the address in it."""

    namespace: str
    address: str

    def command(self, *words: str) -> list[str]:
        """A command that runs there."""
        return ["nsenter", f"--net={self.namespace}", *words]


class Lab(t.NamedTuple):
    """The ends of a cluster that is up.

    Attributes:
        bare: ends of the path that is 1.00.
        pods: ends of the path to a service; the second one is its endpoint.
        proxy: what runs a command, given as one more word, beside the kube-proxy that is measured.
        mode: that kube-proxy's mode.
    """

    bare: tuple[End, End]
    pods: tuple[End, End]
    proxy: list[str]
    mode: str


def mtu(end: End) -> int:
    """The MTU of an end's eth0 in bytes."""
    return int(json.loads(run(end.command("ip", "-j", "link", "show", "eth0")))[0]["mtu"])


def container(node: str) -> str:
    return f"reftopo.{TOPOLOGY}.{node}"


def kubectl(*words: str, given: str | None = None) -> str:
    """What kubectl prints, on the control plane."""
    inside = ["kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", *words]
    return run(["podman", "exec", "--interactive", container("cp1"), *inside], given)


@contextlib.contextmanager
def cluster(backend: str, mode: str, machine: bool = False) -> t.Iterator[Lab]:
    """A cluster for as long as the block runs, with its pods and one service for the server's.

    With a machine, that alone has the mode, and a namespace sends through it what it has for pods and services.
    """
    provider, first = ("vm", "nftables") if machine else ("container", mode)
    values = {"name": TOPOLOGY, "backend": backend, "mode": mode, "first": first, "provider": provider}
    text = FILE.format(pods=PODS, services=SERVICES, **values)
    with built(TOPOLOGY, text, "playbooks/nodes.yml", "playbooks/cluster.yml"):
        yield routed(mode) if machine else direct(mode)


def direct(mode: str) -> Lab:
    """From pod to pod, each on a node; 1.00 is from namespace to namespace."""
    addresses = make_pods(CLIENT, SERVER)
    bare = [End(f"/run/netns/{container(name)}", in_namespace(name)) for name in (LEFT, RIGHT)]
    ends = [End(pod_namespace(node, addresses[node]), addresses[node]) for node in (CLIENT, SERVER)]
    shell = ["nsenter", f"--net=/run/netns/{container(CLIENT)}", "sh", "-c"]
    return Lab((bare[0], bare[1]), (ends[0], ends[1]), shell, mode)


def routed(mode: str) -> Lab:
    """From a namespace through the machine to a pod on the other node; 1.00 is the pod's own address that way."""
    addresses = make_pods(CLIENT)
    listed = json.loads(kubectl("get", "node", ROUTER, "--output=json"))["status"]["addresses"]
    router = next(one["address"] for one in listed if one["type"] == "InternalIP")
    for prefix in (PODS, SERVICES):
        run(["ip", "-n", container(LEFT), "route", "replace", prefix, "via", router])
    ends = (
        End(f"/run/netns/{container(LEFT)}", in_namespace(LEFT)),
        End(pod_namespace(CLIENT, addresses[CLIENT]), addresses[CLIENT]),
    )
    options = [f"IdentityFile={STATE}/id_ed25519", f"UserKnownHostsFile={STATE}/known_hosts", "BatchMode=yes"]
    shell = ["ssh", "-F", "none", *(word for option in options for word in ("-o", option)), f"root@{router}"]
    run([*shell, "nft --file -"], BACK)
    return Lab(ends, ends, shell, mode)


def make_pods(*nodes: str) -> dict[str, str]:
    """Make a pod on each node, and the service of the last one; tell the pods' addresses."""
    images = run(["podman", "exec", container("cp1"), "ctr", "--namespace=k8s.io", "images", "ls", "-q"]).split()
    image = next(name for name in images if "/agnhost:" in name)
    objects = [pod(node, image, serves=node == nodes[-1]) for node in nodes] + [service("server", SERVICE)]
    kubectl("apply", "--filename=-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    kubectl("wait", "--for=condition=Ready", "--timeout=120s", "pod", "--all")
    pods = json.loads(kubectl("get", "pods", "--output=json"))["items"]
    return {item["metadata"]["name"]: item["status"]["podIP"] for item in pods}


def pod(node: str, image: str, serves: bool) -> dict[str, t.Any]:
    """A pod that does nothing: load is started in its network namespace from outside."""
    only = {"name": "pause", "image": image, "imagePullPolicy": "Never", "args": ["pause"]}
    spec = {"nodeName": node, "tolerations": [{"operator": "Exists"}], "terminationGracePeriodSeconds": 0}
    labels = {"serves": str(serves)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": node, "labels": labels},
        "spec": {**spec, "containers": [only]},
    }


def service(name: str, address: str) -> dict[str, t.Any]:
    """A service at a given address, whose only endpoint is the server's pod."""
    ports = [
        {"name": f"{name}-{protocol.lower()}", "protocol": protocol, "port": port}
        for name, port in PORTS.items()
        for protocol in ("TCP", "UDP")
    ]
    spec = {"clusterIP": address, "selector": {"serves": "True"}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def in_namespace(name: str) -> str:
    """The address of a namespace of the topology."""
    shown = json.loads(run(["ip", "-n", container(name), "-j", "-4", "address", "show", "eth0"]))
    return str(shown[0]["addr_info"][0]["local"])


def pod_namespace(node: str, address: str) -> str:
    """The file of a pod's network namespace, by way of its node's mounts."""
    pid = run(["podman", "inspect", "--format={{.State.Pid}}", container(node)]).strip()
    for path in sorted(pathlib.Path(f"/proc/{pid}/root/run/netns").iterdir()):
        shown = subprocess.run(
            ["nsenter", f"--net={path}", "ip", "-j", "-4", "address", "show", "eth0"],
            check=False,
            capture_output=True,
            text=True,
        ).stdout
        if f'"{address}"' in shown:
            return str(path)
    sys.exit(f"{node} has no network namespace with the address {address}")
