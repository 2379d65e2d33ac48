# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico's data in an etcd of its own: the rules, and where it answers. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem

Data = dict[str, t.Any]

# For clients; kubeadm's etcd has 2379. It is among the ports that Felix never closes, with its neighbour for members
# (felix/config/config_params.go, FailsafeInboundHostPorts).
PORT = 6666
# What is said to nodes by objects of Calico, which kubectl puts in the cluster's API: there nobody would read them.
BY_OBJECTS = ("route_reflectors", "peers", "password")


def in_etcd(topology: Data) -> bool:
    """Whether the topology's Calico keeps its data in an etcd."""
    return (pod_network(topology).get("cni") or {}).get("datastore") == "etcd"


def datastore_problems(path: str, cni: Data) -> t.Iterator[Problem]:
    """What does not go with an etcd, of the network plugin at `path`."""
    for key in BY_OBJECTS if cni.get("datastore") == "etcd" else ():
        if cni.get(key):
            what = "is said by objects of the cluster's API, which Calico with its data in etcd does not read"
            yield Problem(f"{path}.{key}", what, f"remove {key}, or use datastore kubernetes")


def stored_problems(path: str, topology: Data) -> t.Iterator[Problem]:
    """A check of the datastore at `path` where it is not Calico's own."""
    if not in_etcd(topology):
        what = "no etcd of its own has the network plugin's data"
        yield Problem(path, what, "give cni datastore: etcd, or remove the check")


DATASTORE_RULES = {"datastore": stored_problems}  # of checks, by their mechanism


def break_mesh_problems(path: str, check: Data, topology: Data) -> t.Iterator[Problem]:
    """A mesh that the check at `path` cannot turn off."""
    if check["break"].get("mesh") and in_etcd(topology):
        what = "the mesh is turned off by an object of the cluster's API, and Calico has its own in etcd"
        yield Problem(f"{path}.break.mesh", what, "hide routes: write node and routes")


def with_endpoint(cni: Data, home: str) -> Data:
    """The network plugin's parameters with where its etcd answers, if it has one, on the node with an address."""
    return {**cni, "endpoint": f"https://{home}:{PORT}"} if cni.get("datastore") == "etcd" else cni
