# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the pods for NetworkPolicies in a running cluster, has all cases played, and sees that nothing is left.

This plugin util is PRIVATE to the collection. The pods live on a held command: when the suite ends, however it does,
their namespaces are deleted.
"""

from __future__ import annotations

import dataclasses
import json
import time

from ansible_collections.reftopo.lab.plugins.module_utils._probe_server import READY
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_policy_where as where
from ansible_collections.reftopo.lab.plugins.plugin_utils._policy_model import End
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import Machine, held_together, on_all
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import HOST, Data, Endpoint, Probe, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy import AFTER, BEFORE, ENFORCED, Played, Seen
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_cases import PODS, cases
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_ground import LANES, MARK, Ground, Lane
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_objects import dns_ends, objects, running
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_run import Place, Stage, groups, play
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import KUBECTL, Lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_workload import namespaces_left, workload_image

SILENCE = 1.0  # seconds until silence is called a timeout; most of a run's time is spent on it
PARALLEL = 128  # probes at once on a machine: nearly all of them wait for nothing
READY_TIMEOUT = 180.0  # seconds until all pods must be ready
PAUSE = 1.0


def prove(lab: Lab, name: str) -> Seen:
    """Everything that a check of policies sees."""
    image = workload_image(lab.objects)
    empty = [Lane(number, tuple(lab.topology["nodes"])) for number in range(1, LANES + 1)]
    made = [item for lane in empty for item in objects(lane, image)]
    with held_together([(lab.control_plane, commands.populate(KUBECTL, made, MARK), commands.HELD)]):
        ground = _ground(lab, empty)
        with held_together(_servers(lab, ground)):
            seen = _play(_stage(lab, name, ground, image), lab)
    return dataclasses.replace(seen, left=namespaces_left(lab.control_plane, KUBECTL, MARK))


def _play(stage: Stage, lab: Lab) -> Seen:
    before, played, misplaced = stage.everything(f"no policy, {BEFORE}"), dict[str, Played](), dict[str, list[str]]()
    for group in groups(cases(), len(stage.ground.lanes)):
        played.update(play(stage, group))
    if stage.enforced and len(lab.nodes) > 1:
        misplaced = {way.key: _misplaced(stage, way, lab) for way in where.WAYS}
    return Seen(before, stage.everything(f"no policy, {AFTER}"), played, [], misplaced)


def _misplaced(stage: Stage, way: where.Way, lab: Lab) -> list[str]:
    """Why what a case closes between two pods is not dropped where it must be."""
    case, lane = next(case for case in cases() if case.name == way.case), stage.ground.lanes[0]
    place = Place(lane, case, case.steps[0])
    (outcomes,) = stage.show([place])
    between = [one.probe.again() for one in outcomes if (one.probe.source.name, one.probe.target.name) == way.ends]
    before = on_all(lab.nodes, lambda machine: machine.run(where.COMMAND))
    stage.ask(between)
    after = on_all(lab.nodes, lambda machine: machine.run(where.COMMAND))
    stage.leave([place])
    return where.faults(way, lane, before, after)


def _stage(lab: Lab, name: str, ground: Ground, image: str) -> Stage:
    enforced = lab.topology["checks"][name]["policy"] == ENFORCED

    def ask(probes: list[Probe]) -> list[Outcome]:
        return lab.ask_once(probes, SILENCE, PARALLEL)

    def change(applied: list[Data], deleted: list[Data]) -> None:
        lines = [commands.remove(KUBECTL, deleted)] if deleted else []
        lines += [commands.apply(KUBECTL, applied)] if applied else []
        lab.control_plane.run(" && ".join(lines) or "true")

    stage = Stage(name, enforced, ground, image, ask, change)
    stage.had = {lane.number: objects(lane, image) for lane in ground.lanes}
    return stage


def _pods(lab: Lab) -> list[Data]:
    found: list[Data] = json.loads(lab.control_plane.run(f"{KUBECTL} get pods --all-namespaces -o json"))["items"]
    return found


def _ground(lab: Lab, lanes: list[Lane]) -> Ground:
    """The lanes when all of their pods are ready, and everybody else."""
    ready, dns = _ready(lab, lanes)
    cluster = lab.topology["cluster"]
    name = Endpoint(f"kubernetes.default.svc.{cluster['dns_domain']}.", "dns", None, cluster["api_service_ip"])
    outside = next(iter(lab.endpoints["namespaces"]), None)
    return Ground(ready, tuple(lab.endpoints["nodes"]), outside, name, dns, cluster["pod_cidr"])


def _ready(lab: Lab, lanes: list[Lane]) -> tuple[tuple[Lane, ...], tuple[End, ...]]:
    """The lanes with their pods' addresses, and the pods that answer for names."""
    deadline = time.monotonic() + READY_TIMEOUT
    while True:
        found = _pods(lab)
        ready, dns = tuple(running(found, lane) for lane in lanes), dns_ends(found)
        missing = [lane.pod(pod) for lane in ready for pod in PODS if pod not in lane.addresses]
        if not missing and dns:
            return ready, dns
        if time.monotonic() > deadline:
            raise ProofError(
                f"pods for NetworkPolicies are not ready after {READY_TIMEOUT:g} s: {', '.join(missing)}"
                if missing
                else "no pod that answers for names is ready: kubectl -n kube-system get pods -l k8s-app=kube-dns"
            )
        time.sleep(PAUSE)


def _servers(lab: Lab, ground: Ground) -> list[tuple[Machine, str, str]]:
    return [(lab.machines[HOST], commands.server(ground.outside), READY)] if ground.outside else []
