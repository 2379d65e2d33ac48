# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on route reflectors, and on checks that break some of them. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem, did_you_mean

Data = dict[str, t.Any]

# BIRD takes a cluster id of 0 for none, and its router id instead (proto/bgp/bgp.c, bgp_start).
NO_ID = "0.0.0.0"
ENOUGH = 2  # reflectors: so many that one can be lost


def reflector_problems(path: str, given: Data | None, nodes: Data | None) -> t.Iterator[Problem]:
    """All that is wrong with the route_reflectors at `path`, beside what the schema says."""
    if (given or {}).get("cluster_id") == NO_ID:
        yield Problem(f"{path}.cluster_id", f"{NO_ID} stands for no cluster id", "use another, such as 244.0.0.1")
    named = (given or {}).get("nodes")
    if not named or nodes is None:
        return
    for number, name in enumerate(named):
        if name is not None and name not in nodes:
            yield Problem(f"{path}.nodes[{number}]", f"there is no node {name}", did_you_mean(str(name), nodes))
    if len(named) < ENOUGH:
        what = "one route reflector takes all routes between nodes with it when it is lost"
        yield Problem(f"{path}.nodes", what, f"name {ENOUGH} or more, or leave route_reflectors out")
    elif set(nodes) <= set(named):
        what = "every node is a route reflector, so nobody is a client of theirs, and all have sessions with each other"
        yield Problem(f"{path}.nodes", what, "leave a node out, or leave route_reflectors out, which is the same mesh")


def break_reflector_problems(path: str, check: Data, topology: Data) -> t.Iterator[Problem]:
    """Reflectors that are not there or that no probe of the check at `path` would miss; a mesh that is not there."""
    broken, cni = check["break"], pod_network(topology).get("cni") or {}
    known = (cni.get("route_reflectors") or {}).get("nodes") or []
    if broken.get("mesh") and "route_reflectors" in cni:
        what = "with route reflectors there is no mesh"
        yield Problem(f"{path}.break.mesh", what, "write reflectors, and which of them")
    for number, name in enumerate(broken.get("reflectors") or []):
        if name not in known:
            fix = did_you_mean(str(name), known) if known else "give cni route_reflectors, or break something else"
            yield Problem(f"{path}.break.reflectors[{number}]", f"there is no route reflector {name}", fix)
    ends = (check.get("from") in ("pods", "nodes", None), check.get("to") in ("pods", None))
    if broken.get("reflectors") and not all(ends):
        what = "route reflectors pass on routes to the pods of nodes alone"
        yield Problem(f"{path}.break.reflectors", what, "write from: pods or nodes, to: pods")
