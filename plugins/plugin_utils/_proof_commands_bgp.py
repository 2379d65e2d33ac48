# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of the suite that change with whom nodes speak BGP, or speak it themselves. Pure.

This plugin util is PRIVATE to the collection. Whatever changes something ends when its standard input closes.
"""

from __future__ import annotations

import json
import shlex

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_commands import hold, python
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import BIRDCL

BIRD = ("_probe_bird",)
# The object that says how all nodes speak BGP; without it they have a session with each other.
MESH = {"apiVersion": "crd.projectcalico.org/v1", "kind": "BGPConfiguration", "metadata": {"name": "default"}}
MESH_NAME = "bgpconfigurations.crd.projectcalico.org default"
PROGRAM = "cat /proc/$(pgrep --exact bird)/exe"  # BIRD itself, as a node runs it
# The password of all sessions, as nodes have it; empty where there is none.
PASSWORD = "get secret bgp-password --namespace=kube-system --ignore-not-found --output=jsonpath={.data.password}"


def speak(netns: str) -> str:
    """Run a BIRD that is given in a namespace, until standard input closes."""
    return python(BIRD, "run", netns)


def ask(path: str, *commands: str) -> str:
    """Print, as a JSON list, what the BIRD with a socket says to each command."""
    return python(BIRD, "ask", path, *commands)


def again() -> str:
    """Let a node's BIRD tell other nodes all routes again, and ask them for theirs; sessions stay."""
    return f"""{BIRDCL} reload '"Mesh_*"'"""


def unmesh(kubectl: str, configured: bool = False) -> str:
    """Tell Calico to have no session between nodes, and take it back when standard input closes.

    It is said by an object that must not be there; where the topology made that, by a field that must not be. So what
    a user says is neither written over nor deleted.
    """
    if not configured:
        text = json.dumps({**MESH, "spec": {"nodeToNodeMeshEnabled": False}})
        create = f"printf %s {shlex.quote(text)} | {kubectl} create --filename=- >/dev/null"
        return hold(f"{{ {create} || exit 1; }}", f"{kubectl} delete --ignore-not-found {MESH_NAME} >/dev/null")
    said = f'test -z "$({kubectl} get {MESH_NAME} --output=jsonpath={{.spec.nodeToNodeMeshEnabled}})"'
    change, repair = (
        f"{kubectl} patch {MESH_NAME} --type=merge --patch={shlex.quote(json.dumps(patch))} >/dev/null"
        for patch in ({"spec": {"nodeToNodeMeshEnabled": one}} for one in (False, None))
    )
    return hold(f"{{ {{ {said} && {change}; }} || exit 1; }}", repair)


def unreflect() -> str:
    """Let a node's BIRD close all its sessions that Calico made by a BGPPeer, and open them when input closes."""
    change, repair = (f"""{BIRDCL} {action} '"Node_*"'""" for action in ("disable", "enable"))
    return hold(f"{{ {change} | grep disabled >/dev/null || exit 1; }}", repair)
