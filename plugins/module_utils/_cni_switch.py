# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node whose cluster gets another backend of flannel: when the new one is there, and what is left of the old.

flannel's new process leaves the old one's device, and those of its routes that its own do not replace: a route of vxlan
or host-gw is replaced by the other's to the same pods (flannel, pkg/backend/route_network.go, vxlan/vxlan_network.go),
but not by that of udp, which is one to all pods. The TUN device of udp ends with its process. Pods and their bridge
keep the MTU that they were made with (containernetworking/plugins, plugins/main/bridge).

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import ipaddress
import json
import time
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import CNI_BRIDGE
from ansible_collections.reftopo.lab.plugins.module_utils._kubeadm_plan import KubeadmError

Run = t.Callable[..., tuple[int, str, str]]
Row = dict[str, t.Any]
Cluster = t.Mapping[str, t.Any]  # the compiled topology's

OWN_DEVICE = "flannel"  # what the names of all its devices begin with
POD_NAMESPACE = "cni-"  # what containerd calls a pod's network namespace
LINKS = ["ip", "-j", "-d", "link", "show"]
ROUTES = ["ip", "-j", "-4", "route", "show"]
POLL_INTERVAL = 0.5  # seconds


class State(t.NamedTuple):
    """A node's links and routes as ``ip -j`` prints them, and the MTU of each pod's interface by its namespace."""

    links: list[Row]
    routes: list[Row]
    pods: dict[str, int]


def observe(run: Run) -> State:
    """A node as it is. A pod may end meanwhile, and then has no interface."""
    namespaces = [line.split()[0] for line in run(["ip", "netns", "list"])[1].splitlines() if line]
    pods = {}
    for name in namespaces:
        if name.startswith(POD_NAMESPACE):
            rc, out, dummy = run(["ip", "-n", name, "-j", "link", "show", "dev", "eth0"])
            if rc == 0:
                pods[name] = json.loads(out)[0]["mtu"]
    links, routes = (json.loads(run(command)[1] or "[]") for command in (LINKS, ROUTES))
    # Where there is no link of a kind, ip prints an empty object for it.
    return State([link for link in links if link], routes, pods)


def _pod_routes(state: State, cluster: Cluster) -> list[Row]:
    """Routes to pods of other nodes, by whichever backend."""
    pods = ipaddress.IPv4Network(cluster["pod_cidr"])
    rows = [row for row in state.routes if row["dst"] != "default" and row.get("dev") != CNI_BRIDGE]
    return [row for row in rows if ipaddress.IPv4Network(row["dst"]).subnet_of(pods)]


def _belongs(row: Row, cni: Row) -> bool:
    """Whether a route to pods is of the backend that the cluster is to have."""
    return bool(row["dev"] == cni["device"] if cni["device"] else not row["dev"].startswith(OWN_DEVICE))


def lacking(state: State, cluster: Cluster) -> str:
    """What the new backend has not made yet; empty when it carries this node's pods."""
    cni = cluster["cni"]
    link = next((link for link in state.links if link["ifname"] == cni["device"]), None)
    if cni["device"] and link is None:
        return f"there is no {cni['device']}"
    if link and cni["backend"] == "vxlan" and link["linkinfo"]["info_data"]["port"] != cni["port"]:
        return f"{cni['device']} does not have the port {cni['port']}"
    there = [row["dst"] for row in _pod_routes(state, cluster) if _belongs(row, cni)]
    if cni["backend"] == "udp":
        return "" if cluster["pod_cidr"] in there else f"no route to {cluster['pod_cidr']}"
    others = len(cluster["control_plane"]) + len(cluster["workers"]) - 1
    return "" if len(there) >= others else f"routes to the pods of {len(there)} of {others} nodes"


def leftovers(state: State, cluster: Cluster) -> list[list[str]]:
    """Commands that remove what is left of another backend, and give pods the MTU of this one."""
    cni, mtu = cluster["cni"], cluster["cni"]["mtu"]
    names = [link["ifname"] for link in state.links]
    old = [name for name in names if name.startswith(OWN_DEVICE) and name != cni["device"]]
    routes = [row for row in _pod_routes(state, cluster) if row["dev"] not in old and not _belongs(row, cni)]
    bridge = [
        link["ifname"]
        for link in state.links
        if CNI_BRIDGE in (link["ifname"], link.get("master")) and link["mtu"] != mtu
    ]
    pods = sorted(name for name, value in state.pods.items() if value != mtu)
    return [
        *(["ip", "link", "delete", "dev", name] for name in old),
        *(
            ["ip", "route", "delete", row["dst"], "via", row["gateway"], "dev", row["dev"]]
            for row in routes
            if "gateway" in row
        ),
        *(["ip", "link", "set", "dev", name, "mtu", str(mtu)] for name in bridge),
        *(["ip", "-n", name, "link", "set", "dev", "eth0", "mtu", str(mtu)] for name in pods),
    ]


def settle(run: Run, change: t.Callable[[list[str]], t.Any], cluster: Cluster, deadline: float) -> None:
    """Wait until the new backend carries this node's pods, then remove what is left of the old.

    The nodes' flannel is started anew one by one; until the last one is, pods need the old backend too.

    Args:
        change: runs a command that changes something.
        deadline: by ``time.monotonic()``.

    Raises:
        KubeadmError: the backend is not there in time.
    """
    while problem := lacking(observe(run), cluster):
        if time.monotonic() > deadline:
            raise KubeadmError(
                f"flannel's backend {cluster['cni']['backend']} is not there in time: {problem}\n"
                "Look at `kubectl logs --namespace=kube-flannel daemonset/flannel` on the control plane."
            )
        time.sleep(POLL_INTERVAL)
    for command in leftovers(observe(run), cluster):
        change(command)
