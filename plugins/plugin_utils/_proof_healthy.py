# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a lab as it is.

This plugin util is PRIVATE to the collection. All probes run at once while the wire is captured, so that reachability,
encapsulation and MTU are shown by the very same packets.
"""

from __future__ import annotations

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_between as between
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_plan as plan
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_pod as pod_proof
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_asked as proxy_asked
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_tunnel as tunnel
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import MECHANISMS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import held_together
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import Lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Evidence, capture_packets


def healthy_probes(lab: Lab) -> list[Probe]:
    """All probes of the lab as it is, what the captures need included."""
    probes: list[Probe] = []
    for name, check in lab.topology["checks"].items():
        if check.get("mechanism") == between.MECHANISM:
            probes += between.bare_samples(name, lab.topology)
        elif "mtu" in check and not pod_network(lab.topology):
            probes += between.mtu_probes(name, lab.topology, lab.endpoints["namespaces"])
        elif check.get("mechanism") in MECHANISMS and lab.tunnels:
            probes += tunnel.bare_samples(name, lab.topology, lab.endpoints)
        elif check.get("mechanism") == "proxy":
            probes += proxy_asked.first_probes(lab.topology, name, lab.endpoints, lab.services)
        elif check.get("mechanism") == "pod":
            probes += pod_proof.samples(name, lab.topology, lab.pods)
        elif check.get("mechanism") in MECHANISMS:
            probes += plan.service_samples(name, lab.endpoints) + plan.bare_samples(name, lab.endpoints)
        elif "mtu" in check:
            probes += plan.mtu_probes(lab.topology, name, lab.endpoints)
        elif "from" in check and "break" not in check:
            probes += plan.reach_probes(lab.topology, name, lab.endpoints)
    return probes


def healthy(lab: Lab) -> Evidence:
    """Ask everything of the lab as it is, and capture on all nodes meanwhile."""
    on_wire = {*MECHANISMS, between.MECHANISM}
    captured = any(check.get("mechanism") in on_wire or "mtu" in check for check in lab.topology["checks"].values())
    with held_together(lab.servers()), held_together(lab.captures() if captured else []) as held:
        lab.forget()
        outcomes = lab.ask(healthy_probes(lab))
    captures = {one.name: capture_packets(one.name, one.output, one.log, lab.carrier(one.name)) for one in held}
    return Evidence(lab.topology, lab.endpoints.get("pods", []), outcomes, captures)
