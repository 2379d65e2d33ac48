# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads Calico's data in its etcd, stops that etcd, and makes pods before, meanwhile and afterwards.

This plugin util is PRIVATE to the collection. Whatever is changed hangs on a held command: when the suite ends, however
it does, etcd runs again and the check's pods are gone.
"""

from __future__ import annotations

import itertools
import json
import time
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_calico_etcd import read_command, stored
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_datastore import NETWORKED, Pod, Seen, cni_endpoint
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import held_together, on_all, until
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import KUBECTL, Lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_workload import (
    is_ready,
    namespaces_left,
    own_object,
    pod_spec,
    workload_image,
)

MARK = "reftopo-datastore"  # namespace of the check's pods, and a label of it
UNIT = "calico-etcd"
# What Calico's installer lays down on each node of its Secret (cni-plugin/pkg/install/install.go).
IDENTITY = tuple(f"/etc/cni/net.d/calico-tls/etcd-{kind}" for kind in ("ca", "cert", "key"))
# Seconds until a pod must be ready, until a CNI plugin must be at work for it, and that this must lead to nothing.
READY, BEGUN, STILL = 120.0, 30.0, 10.0
PLUGINS = "pgrep --exact --count calico || true"  # the plugin's program; calico-node has another name


class Trial:
    """One check: the lab, and the pods that it makes, on the last node."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.node = lab, list(lab.topology["nodes"])[-1]
        self.image = workload_image(lab.objects)

    def kubectl(self, words: str) -> t.Any:
        """What the API says, as data."""
        return json.loads(self.lab.control_plane.run(f"{KUBECTL} --namespace={MARK} {words}"))

    def make(self, name: str) -> None:
        """Make a pod that does nothing."""
        container = {"name": "pause", "image": self.image, "args": ["pause"]}
        spec = {**pod_spec(MARK), "nodeName": self.node, "containers": [container]}
        self.lab.control_plane.run(commands.apply(KUBECTL, [own_object(MARK, "v1", "Pod", name, spec=spec)]))

    def pod(self, name: str) -> Pod:
        """A pod as it is now."""
        found, plugins = self.kubectl(f"get pod {name} -o json"), self.lab.machines[self.node].run(PLUGINS)
        conditions = {one["type"]: one["status"] for one in found["status"].get("conditions", ())}
        networked = conditions.get(NETWORKED) == "True"
        return Pod(found["status"].get("podIP", ""), networked, is_ready(found), int(plugins))

    def ready(self, name: str) -> Pod:
        """A pod once it is ready; as it is when it is not in time."""
        return until(READY, lambda: self.pod(name), lambda pod: pod.ready)

    def waiting(self, name: str) -> Pod:
        """A pod some time after a CNI plugin has begun with it."""
        until(BEGUN, lambda: self.pod(name), lambda pod: bool(pod.plugins or pod.address))
        time.sleep(STILL)
        return self.pod(name)


def read(lab: Lab) -> Seen:
    """What is in etcd and in the API, and whom etcd answers."""
    endpoint = cni_endpoint(lab.topology)
    printed = lab.control_plane.run(read_command(endpoint))
    groups = json.loads(lab.control_plane.run(f"{KUBECTL} get --raw /apis"))["groups"]
    ask = commands.etcd_facts(endpoint, *IDENTITY)
    answers: dict[str, Data] = on_all(lab.nodes, lambda machine: json.loads(machine.run(ask))["answers"])
    return Seen(lab.topology, stored(printed), [group["name"] for group in groups], answers)


def prove(lab: Lab) -> Seen:
    """Everything that a check of the datastore sees."""
    trial, seen = Trial(lab), read(lab)
    home = [own_object(MARK, "v1", kind, MARK) for kind in ("Namespace", "ServiceAccount")]
    ends = list(itertools.permutations({pod.node: pod for pod in lab.endpoints["pods"]}.values(), 2))
    pings = [(lab.machines[one.machine], commands.ping(one.address, to.address), commands.HELD) for one, to in ends]
    stopped = commands.hold(f"systemctl stop {UNIT}", f"systemctl start {UNIT}")
    with held_together([(lab.control_plane, commands.populate(KUBECTL, home, MARK), commands.HELD)]):
        trial.make("before")
        seen.before = trial.ready("before")
        with held_together(pings) as held:
            with lab.control_plane.held(stopped, commands.HELD):
                trial.make("waiting")
                seen.waiting = trial.waiting("waiting")
            seen.after = trial.ready("waiting")
    seen.left = namespaces_left(lab.control_plane, KUBECTL, MARK)
    seen.pings = {(str(one.node), str(to.node)): it.output.decode() for (one, to), it in zip(ends, held)}
    return seen
