# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Calico keeps in an etcd of its own, in the shape in which the cluster's API would have it. Pure.

This plugin util is PRIVATE to the collection. Source of keys and values: Calico, libcalico-go/lib/backend/model
(resource.go, block.go); a block is the same in both datastores, a node's address is an annotation in the one and a
field in the other (apis/v3/node.go).
"""

from __future__ import annotations

import base64
import json
import shlex
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._flannel_etcd import etcdctl
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_calico import ADDRESS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data

FOLDER = "/etc/calico-etcd"  # what etcd on the control plane proves itself with, and may ask itself with
PREFIX = "/calico/"
POOLS, NODES = (f"{PREFIX}resources/v3/projectcalico.org/{kind}/" for kind in ("ippools", "nodes"))
BLOCKS = f"{PREFIX}ipam/v2/assignment/ipv4/block/"
# What else the proof needs, which is in the cluster's API.
RESOURCES = "nodes,pods"


class Stored(t.NamedTuple):
    """What etcd has: pools and nodes by name, and blocks of addresses."""

    pools: dict[str, Data]
    nodes: dict[str, Data]
    blocks: list[Data]


def read_command(endpoint: str) -> str:
    """Print all that Calico keeps, on the control plane."""
    return shlex.join(etcdctl(endpoint, "get", "--prefix", "--write-out=json", PREFIX, folder=FOLDER))


def stored(printed: str) -> Stored:
    """What the command prints: keys and values are in base64, those values that matter JSON."""
    pairs = {_text(one["key"]): one["value"] for one in json.loads(printed).get("kvs", [])}

    def below(prefix: str) -> dict[str, Data]:
        return {key[len(prefix) :]: json.loads(_text(pairs[key])) for key in sorted(pairs) if key.startswith(prefix)}

    return Stored(below(POOLS), below(NODES), list(below(BLOCKS).values()))


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()


def address(node: Data) -> str:
    """A node's own address with its prefix length; empty where Calico has none of it."""
    return str(node.get("spec", {}).get("bgp", {}).get("ipv4Address", ""))


def objects(printed: str, items: list[Data]) -> list[Data]:
    """Objects of the API, with what Calico would have put there, of what the command prints."""
    found, told = stored(printed), []
    for item in items:
        own = address(found.nodes.get(item["metadata"]["name"], {})) if item["kind"] == "Node" else ""
        notes = {**item["metadata"].get("annotations", {}), ADDRESS: own}
        told.append({**item, "metadata": {**item["metadata"], "annotations": notes}} if own else item)
    return told + [{"kind": "IPAMBlock", "spec": block} for block in found.blocks]
