# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes Services and their servers in a running cluster, asks all cases, and sees that nothing is left.

This plugin util is PRIVATE to the collection. All of it lives on a held command: when the suite ends, however it does,
its namespace is deleted.
"""

from __future__ import annotations

import json
import time

from ansible_collections.reftopo.lab.plugins.module_utils._probe_server import READY
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_svc_ground as ground_of
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import held_together
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import HOST, Data, Probe, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_run import effective
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import KUBECTL, Lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc import Played, Seen, unmet
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_cases import FAR, NEAR, OUTSIDE, cases
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_ground import Ground
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_objects import (
    MARK,
    SERVERS,
    objects,
    servers,
    service,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_path import Ways
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_rollout import Rollout
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_workload import namespaces_left, workload_image

SILENCE, PARALLEL = 1.0, 64  # seconds until silence is called a timeout; probes at once on a machine
READY_TIMEOUT = 120.0  # seconds until all servers must be ready
EFFECTIVE = 30.0  # seconds until the rules of every node, and the DNS, must know of a change
PAUSE = 0.5
# What there is of the Deployment, one after the other; from none it is made as many as are rolled.
REPLICAS = (3, 0, 2)


def prove(lab: Lab, name: str) -> Seen:
    """Everything that a check of Services sees."""
    words, two = ground_of.words(lab.topology), ground_of.nodes(lab.topology)
    made = objects(two, workload_image(lab.objects), cases(), words)
    outside = lab.endpoints["namespaces"][0]
    with held_together(
        [
            (lab.control_plane, commands.populate(KUBECTL, made, MARK), commands.HELD),
            (lab.machines[HOST], commands.server(outside), READY),
        ]
    ):
        ground = _ground(lab)
        asked = _asked(lab, ground, name)
        paths = _paths(lab, ground, asked)
        rollout = Rollout(lab, ground, name)
        scaled = [rollout.scale(number) for number in REPLICAS]
        rolled, recreated = rollout.roll(), rollout.recreate()
        without = _without(lab, ground, asked)
    played = {key: Played(found, without[key]) for key, found in asked.items()}
    return Seen(played, scaled, rolled, recreated, namespaces_left(lab.control_plane, KUBECTL, MARK), paths)


def _ground(lab: Lab) -> Ground:
    """What runs, when all servers are ready."""
    two, deadline = ground_of.nodes(lab.topology), time.monotonic() + READY_TIMEOUT
    while missing := sorted({*SERVERS} - {*(found := servers(_items(lab, "pods"), two))}):
        if time.monotonic() > deadline:
            raise ProofError(f"namespace {MARK}: not ready after {READY_TIMEOUT:g} s: {', '.join(missing)}")
        time.sleep(PAUSE)
    outside = lab.endpoints["namespaces"][0]
    near, far = two[NEAR]["name"], two[FAR]["name"]
    askers = ground_of.askers(lab.topology, lab.endpoints)
    snapshots, made = lab.snapshots(near, far), _items(lab, "services")
    by_name = {item["metadata"]["name"]: item for item in made}
    return Ground(lab.topology, near, far, askers, {**found, OUTSIDE: outside}, snapshots, by_name)


def _items(lab: Lab, kinds: str) -> list[Data]:
    found: list[Data] = json.loads(lab.control_plane.run(f"{KUBECTL} --namespace={MARK} get {kinds} -o json"))["items"]
    return found


def _asked(lab: Lab, ground: Ground, name: str) -> dict[str, list[Outcome]]:
    """All that all cases ask, at once, until it is as it must be or its time is up.

    Until a node's rules know of a server that became ready last, others answer for it, which is no wrong answer.
    """
    asked, deadline = _by_case(lab, ground_of.everything(ground, name)), time.monotonic() + EFFECTIVE
    while (late := [key for key, found in asked.items() if unmet(found)]) and time.monotonic() < deadline:
        time.sleep(PAUSE)
        asked.update(_by_case(lab, {key: [one.probe.again() for one in asked[key]] for key in late}))
    return asked


def _paths(lab: Lab, ground: Ground, asked: dict[str, list[Outcome]]) -> list[Data]:
    """How what was asked of each case went, by rules that are read when all of them have answered."""
    ways = Ways(lab.topology, lab.snapshots(ground.near, ground.far), ground.servers.values())
    return [path for found in asked.values() for path in ways.paths(found)]


def _without(lab: Lab, ground: Ground, asked: dict[str, list[Outcome]]) -> dict[str, list[Outcome]]:
    """The same when the Services are deleted."""
    words = ground_of.words(lab.topology)
    lab.control_plane.run(commands.remove(KUBECTL, [service(case, words) for case in cases()]))
    again = {case.name: ground_of.without(ground, [one.probe for one in asked[case.name]], case) for case in cases()}
    return _by_case(lab, again)


def _by_case(lab: Lab, wanted: dict[str, list[Probe]]) -> dict[str, list[Outcome]]:
    flat = [(key, probe) for key, found in wanted.items() for probe in found]
    outcomes = effective(
        lambda probes: lab.ask_once(probes, SILENCE, PARALLEL), [probe for _key, probe in flat], EFFECTIVE
    )
    made: dict[str, list[Outcome]] = {key: [] for key in wanted}
    for (key, _probe), outcome in zip(flat, outcomes):
        made[key].append(outcome)
    return made
