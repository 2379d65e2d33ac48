# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""flannel's records in etcd: where they are, how a node reads them, and what is in them.

This module util is PRIVATE to the collection. Source of keys and values: flannel, pkg/subnet/etcd/registry.go and
pkg/lease/lease.go.
"""

from __future__ import annotations

import base64
import json
import typing as t

PREFIX = "/coreos.com/network"  # flanneld's default
CONFIG = f"{PREFIX}/config"
SUBNETS = f"{PREFIX}/subnets/"
SUBNET_FILE = "/run/flannel/subnet.env"  # flanneld's default, and its CNI plugin's
# The folders with what a client proves itself with, and knows etcd by: of flanneld on every node, and of etcd itself.
FLANNEL, ETCD = "/etc/flannel", "/etc/etcd"
AUTHORITY, CERTIFICATE, KEY = "ca.crt", "tls.crt", "tls.key"


class Lease(t.NamedTuple):
    """A node's lease: its subnet, the node's underlay address, and what its backend tells the others."""

    key: str
    subnet: str
    address: str
    backend: str
    data: dict[str, t.Any]


def etcdctl(endpoint: str, *words: str, folder: str = FLANNEL) -> list[str]:
    """etcd's client as a node runs it."""
    identity = (f"--cacert={folder}/{AUTHORITY}", f"--cert={folder}/{CERTIFICATE}", f"--key={folder}/{KEY}")
    return ["etcdctl", f"--endpoints={endpoint}", *identity, *words]


def read_all(endpoint: str, folder: str = FLANNEL) -> list[str]:
    """The command that prints all of flannel's records."""
    return etcdctl(endpoint, "get", "--prefix", "--write-out=json", f"{PREFIX}/", folder=folder)


def parse(printed: str) -> dict[str, t.Any]:
    """The records by key, from what ``read_all`` prints: keys and values are in base64, the values JSON."""
    pairs = json.loads(printed).get("kvs", [])
    return {base64.b64decode(one["key"]).decode(): json.loads(base64.b64decode(one["value"])) for one in pairs}


def leases(records: dict[str, t.Any]) -> list[Lease]:
    """The leases among the records; a key ends in the subnet, with a hyphen in place of the slash."""
    return [
        Lease(
            key,
            key[len(SUBNETS) :].replace("-", "/"),
            value["PublicIP"],
            value.get("BackendType", ""),
            value.get("BackendData") or {},
        )
        for key, value in sorted(records.items())
        if key.startswith(SUBNETS)
    ]


def plan(records: dict[str, t.Any], config: dict[str, t.Any], members: t.Collection[str]) -> list[tuple[str, str, str]]:
    """What has to be done to flannel's records: put or del, a key, and why.

    Args:
        config: the network's configuration.
        members: the nodes' underlay addresses; a lease of anybody else is of a node that is gone.
    """
    kept = records.get(CONFIG)
    why = "it is not there" if kept is None else f"it is {json.dumps(kept)}"
    put = [("put", CONFIG, why)] if kept != config else []
    gone = [one for one in leases(records) if one.address not in members]
    return put + [("del", one.key, f"{one.address} is no node of the topology") for one in gone]
