# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that remove links. PRIVATE to the collection."""

from __future__ import annotations

from collections import defaultdict

from ansible_collections.reftopo.lab.plugins.module_utils._link_body import Step, full
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import ROOT, End, State, group, place
from ansible_collections.reftopo.lab.plugins.module_utils._link_order import height


def removals(current: State, desired: State, doomed: set[End]) -> list[Step]:
    """What removes the doomed links, those of the machine's own namespace last."""
    chosen = defaultdict(list)
    for end in _one_of_each_pair(current, doomed):
        chosen[end.namespace].append(end)
    steps = []
    for namespace in sorted(chosen, key=lambda namespace: namespace == ROOT):
        together = _as_group(current, chosen[namespace], doomed)
        if together:
            command = f"link del group {group(desired.owner)}"
            steps.append(Step(full(desired, namespace), command, place(namespace, "links"), may_be_gone=True))
        for end in chosen[namespace]:
            if end not in together:
                path = place(end.namespace, "links", end.name)
                steps.append(Step(full(desired, namespace), f"link del dev {end.name}", path, may_be_gone=True))
    return steps


def _as_group(current: State, ends: list[End], doomed: set[End]) -> set[End]:
    """Those of the ends that can go by the owner's link group: several, and no link that stays is in it.

    The kernel waits for an RCU grace period with each request (synchronize_net in unregister_netdevice_many,
    net/core/dev.c), which makes a thousand of them take half a minute.
    """
    namespace = ends[0].namespace
    members = {End(namespace, link.name) for link in current.namespaces[namespace].links.values() if link.grouped}
    together = members & set(ends)
    return together if len(together) > 1 and members <= doomed else set()


def _one_of_each_pair(current: State, doomed: set[End]) -> list[End]:
    """Deleting one end of a veth deletes the other; the machine's own end costs no further process.

    What lies on another link goes before that one.
    """
    chosen: dict[End, None] = {}
    for end in sorted(doomed, key=lambda end: (end.namespace != ROOT, end.namespace, -height(current, end), end)):
        link = current.find(end)
        if not (link and link.peer in chosen):
            chosen[end] = None
    return list(chosen)
