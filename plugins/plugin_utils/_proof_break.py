# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check breaks, in words. Pure.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pod import home
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_change import title


class Break(t.NamedTuple):
    """What a check breaks, in words: its two states, the node if it is one's, what must be as before, and commands.

    `how` breaks the same by hand, `shown` shows whether it is repaired; `gone` claims what must go while it is broken,
    `meanwhile` what pings without a pause must see, from before it is broken until it is repaired.
    """

    down: str
    repaired: str
    node: str | None
    what: str
    how: str
    shown: str
    gone: str = ""
    meanwhile: str = ""


def described(topology: Data, broken: Data) -> Break:
    """A check's break in words."""
    if "change" in broken:
        change = title(broken["change"])
        plan_again = f"ansible-playbook playbooks/nodes.yml -e topology={topology['name']} --check --diff"
        return Break(change, f"{change}, repaired", None, "the link state", plan_again, plan_again)
    if "pod" in broken:
        pod, how = broken["pod"], f"CNI_COMMAND=DEL CNI_CONTAINERID={broken['pod']} … /opt/cni/bin/…"
        states = (f"{pod} detached", f"{pod} attached again")
        words = (f"the network of {pod}", how, "ip address", f"DEL leaves nothing of {pod}")
        return Break(*states, home(topology, pod), *words)
    if "mesh" in broken or "reflectors" in broken:
        return _without_sessions(broken)
    node = broken.get("node", "")
    if "lease" in broken:
        states = (f"lease of {node} deleted", f"flanneld back on {node}")
        how, gone = "systemctl stop flanneld; etcdctl del …", f"no other node knows a way to the pods of {node}"
        return Break(*states, node, f"what the nodes have of {node}", how, "ip route show", gone)
    if "routes" in broken:
        what = f"routes to pods of {', '.join(broken['routes'])}"
        states = (f"{what} hidden on {node}", f"{what} back on {node}")
        return Break(*states, node, "ip rule", "ip rule add to … unreachable", "ip rule show")
    (node, link), state = cut_link(topology, broken), broken.get("state", "down")
    words = f"the way of {broken['segment']} to other hosts" if "segment" in broken else link
    states = (f"{words} {state} on {node}", f"{words} repaired on {node}")
    return Break(
        *states, node, link, f"ip link set {link} down", f"ip route show dev {link}; bridge fdb show dev {link}"
    )


def cut_link(topology: Data, broken: Data) -> tuple[str, str]:
    """The machine and the link of it that a check takes down: a node's, or that of a segment to other hosts."""
    if "host" in broken:
        return broken["host"], topology["segments"][broken["segment"]]["tunnel"]
    return broken["node"], broken["link"]


def _without_sessions(broken: Data) -> Break:
    """Sessions of BGP that are not there: of all nodes, or of route reflectors; of these some cut all nodes off."""
    what, shown = "what the nodes have of each other", "birdcl show protocols; ip route"
    all_gone = "no node has a session, or a route to others' pods"
    if "mesh" in broken:
        how = "calicoctl create … nodeToNodeMeshEnabled: false"
        return Break("the mesh is off", "the mesh is on again", None, what, how, shown, all_gone)
    names = " and ".join(broken["reflectors"])
    states, how = (f"no session with {names}", f"sessions with {names} again"), "birdcl disable '\"Node_*\"'"
    gone = f"no node has a session with {names}, or a route to pods between {names} and others"
    meanwhile = f"of ten pings a second all between pods of other nodes than {names} are answered, and not all others"
    if {*broken["cut"]} > {*broken["reflectors"]}:
        gone, meanwhile = all_gone, "of ten pings a second not all between pods of any two nodes are answered"
    return Break(*states, None, what, how, shown, gone, meanwhile)
