# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that make links. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._link_body import Step, full
from ansible_collections.reftopo.lab.plugins.module_utils._link_kind import TUNTAP, creation, keeps_mtu
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import (
    PEER_SUFFIX,
    ROOT,
    End,
    Link,
    State,
    group,
    place,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_order import height

# All others are made by a process in their own namespace. What is made from outside looks up `dev` there, and a tunnel
# sends from the namespace in which it was made (vxlan_net in drivers/net/vxlan; tunnel->net in net/ipv4/ip_tunnel.c).
MADE_FROM_OUTSIDE = ("bridge", "veth")


def made_outside(kept: State, desired: State) -> list[Step]:
    """Every link is made in its final namespace; moving one costs the kernel an RCU barrier.

    Linux 6.12 refuses a name that the machine itself has, too, since it looks for it where the request comes from
    (rtnl_newlink in net/core/rtnetlink.c); 6.18 does not. So that comes from inside.
    """
    own = [link for state in (kept, desired) for link in state.namespaces[ROOT].links.values()]
    taken = {name for link in own for name in (link.name, *link.altnames)}
    steps = []
    for end, want in desired.ends():
        if want.kind in MADE_FROM_OUTSIDE and not kept.find(end) and not want.mark.endswith(PEER_SUFFIX):
            first, second = (want.peer, end) if _leads_out(end, want.peer) else (end, want.peer)
            here = first.namespace if first.name in taken else ROOT
            command = f"link add {_new(desired, first, here)} {creation(want.kind, want.options)}"
            if second:
                command += f" peer {_new(desired, second, here)}"
            steps.append(Step(full(desired, here), command, place(end.namespace, "links", end.name)))
    return sorted(steps, key=lambda step: step.netns)  # one process for each


def _leads_out(end: End, peer: End | None) -> bool:
    return end.namespace != ROOT and peer is not None and peer.namespace == ROOT


def made_inside(kept: State, desired: State, namespace: str) -> t.Iterator[Step]:
    """The others of one namespace, each after the link that it lies on."""
    links = desired.namespaces[namespace].links.values()
    missing = [
        End(namespace, link.name)
        for link in links
        if link.kind and link.kind not in MADE_FROM_OUTSIDE and not kept.find(End(namespace, link.name))
    ]
    for end in sorted(missing, key=lambda end: height(desired, end)):
        path = place(namespace, "links", end.name)
        yield Step(full(desired, namespace), _made_inside(desired, t.cast(Link, desired.find(end))), path)


def _made_inside(desired: State, want: Link) -> str:
    """A tun or tap cannot be made with a link group; the group of users that may open it takes its place.

    TUNSETGROUP comes before TUNSETPERSIST (tap_add_ioctl in iproute2's ip/iptuntap.c), so that no unmarked one stays of
    a run that is killed. It also keeps users from it who may not configure the network: nobody has that group.
    """
    if want.kind in TUNTAP:
        return f"tuntap add dev {want.name} mode {want.kind} group {group(desired.owner)}"
    words = [f"link add name {want.name} group {group(desired.owner)}"]
    words += [f"mtu {want.mtu}"] if want.mtu and keeps_mtu(want.kind, want.options) else []
    words += [f"address {want.mac}"] if want.mac else []
    return " ".join([*words, creation(want.kind, want.options)])


def _new(desired: State, end: End, here: str) -> str:
    link = t.cast(Link, desired.find(end))
    words = [f"name {end.name} group {group(desired.owner)}"]
    words += [f"mtu {link.mtu}"] if link.mtu and keeps_mtu(link.kind, link.options) else []
    words += [f"address {link.mac}"] if link.mac else []
    words += [f"netns {full(desired, end.namespace)}"] if end.namespace != here else []
    return " ".join(words)
