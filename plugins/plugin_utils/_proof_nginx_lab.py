# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries ingress-nginx's mechanism in a running cluster: Ingresses and endpoints come and go, bad ones among them.

This plugin util is PRIVATE to the collection. Whatever is changed hangs on a held command: when the suite ends, however
it does, it is undone.
"""

from __future__ import annotations

import json
import shlex
import time
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_nginx as proof
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_nginx_objects as made
from ansible_collections.reftopo.lab.plugins.plugin_utils._ingress_controllers import CONTROLLERS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ingress_objects import controller_pod
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import held_together, until
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_nginx_objects import (
    BESIDE,
    BROKEN,
    FIRST,
    LATER,
    PODS,
    REFUSED,
    SECOND,
    host,
    ingress,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import KUBECTL, Lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_workload import namespaces_left, workload_image

# Seconds until pods must be ready, until a change must have been followed, and that nothing must be followed for: the
# controller takes up changes every 3.3 seconds (--sync-rate-limit), and tries what nginx has refused again and again.
READY, FOLLOWED, STILL = 120.0, 20.0, 8.0
TIMES = 12  # requests of each host: two pods in turn are both met
HOSTS = ("_probe_protocols", "_probe_hosts")
INSIDE = f"{KUBECTL} --namespace={made.HOME} exec deploy/{made.CONTROLLER} --"


class Trial:
    """One check: the lab, the address of the controller's pod, and what was seen so far."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.seen = lab, proof.Seen()
        self.asked = {host(name): TIMES for name in (FIRST, SECOND, REFUSED, BESIDE, BROKEN, LATER)}
        self.address = ""

    def kubectl(self, words: str) -> t.Any:
        """What the API says, as data."""
        return json.loads(self.lab.control_plane.run(f"{KUBECTL} {words} --output=json"))

    def change(self, *names: str) -> None:
        """Make Ingresses."""
        self.lab.control_plane.run(commands.apply(KUBECTL, [ingress(name) for name in names]))

    def remove(self, name: str) -> None:
        """Delete an Ingress."""
        self.lab.control_plane.run(commands.remove(KUBECTL, [ingress(name)]))

    def serve_by(self, pods: t.Collection[str]) -> None:
        """Have the service lead to these pods."""
        self.lab.control_plane.run(made.membership(KUBECTL, pods))

    def begin(self) -> None:
        """Wait until pods are ready, and find the controller's."""
        get = f"--namespace={made.NAMESPACE} get pods"
        found = until(READY, lambda: made.ready_pods(self.kubectl(get)["items"]), lambda one: len(one) == len(PODS))
        if len(found) < len(PODS):
            raise ProofError(f"pods of namespace {made.NAMESPACE} are not ready after {READY:g} s; ready are {found}")
        controllers = self.kubectl(f"--namespace={made.HOME} get pods")["items"]
        self.seen.pods, self.address = found, controller_pod(controllers, CONTROLLERS[made.CLASS]).address

    def ask(self) -> dict[str, list[str]]:
        """What the pod answers for each host. A node asks it, not a service: nobody stands between.

        Its own program says that it is ready; while that is stopped no service would lead to it.
        """
        command = commands.python(HOSTS, self.address, "80", json.dumps(self.asked))
        return t.cast("dict[str, list[str]]", json.loads(self.lab.control_plane.run(command)))

    def look(self, phase: str, **wanted: t.Collection[str]) -> None:
        """Wait until Ingresses are answered as they must be, for so long at most; then see what nginx has."""

        def good(found: dict[str, list[str]]) -> bool:
            return all(set(found[host(name)]) == set(answers) for name, answers in wanted.items())

        self.seen.answers[phase] = until(FOLLOWED, self.ask, good)
        self.seen.states[phase] = until(FOLLOWED, self.state, lambda one: one.settled)

    def state(self) -> made.State:
        """What the controller's pod says."""
        return made.state(self.lab.control_plane.run(f"{INSIDE} sh -c {shlex.quote(made.STATE)}"))

    def stay(self, phase: str) -> None:
        """Give a change time to be followed, which it must not be; then ask, and see what nginx has."""
        time.sleep(STILL)
        self.seen.answers[phase], self.seen.states[phase] = self.ask(), self.state()

    def change_endpoints(self) -> None:
        """Have pods come into the service and leave it."""
        for phase, names in proof.MEMBERS.items():
            self.serve_by(names)
            self.look(phase, first=proof.from_pods(*names) if names else [proof.UNAVAILABLE])

    def spoil(self) -> None:
        """Make Ingresses that are bad, and good ones beside them."""
        self.change(REFUSED, BESIDE)
        self.look(proof.SKIPPED, beside=proof.from_pods(*PODS))
        before = self.warnings()
        self.change(BROKEN)
        self.seen.warned = until(FOLLOWED, lambda: [one for one in self.warnings() if one not in before], bool)
        self.change(LATER)
        self.stay(proof.STUCK)
        self.remove(BROKEN)
        self.look(proof.FREED, later=proof.from_pods(*PODS))

    def warnings(self) -> list[str]:
        """What nginx found wrong so far; a line has the name of a file of its own."""
        command = f"{KUBECTL} --namespace={made.HOME} logs deploy/{made.CONTROLLER}"
        return made.complaints(self.lab.control_plane.run(command))

    def stop_the_program(self) -> None:
        """Stop the controller's program, but not nginx; change what it would follow; and let it go on."""
        stop, go_on = (f"{INSIDE} sh -c {shlex.quote(made.signal(one))}" for one in ("STOP", "CONT"))
        stopped = commands.hold(f"{{ {stop} || exit 1; }}", go_on)
        with held_together([(self.lab.control_plane, stopped, commands.HELD)]):
            self.serve_by(PODS[:1])
            self.remove(SECOND)
            self.stay(proof.ALONE)
        self.look(proof.CAUGHT_UP, first=proof.from_pods(PODS[0]), second=[proof.NOT_FOUND])


def prove(lab: Lab) -> proof.Seen:
    """Everything that a check of ingress-nginx's mechanism sees."""
    trial = Trial(lab)
    objects = made.objects(lab.topology, workload_image(lab.objects))
    with held_together([(lab.control_plane, commands.populate(KUBECTL, objects, made.MARK), commands.HELD)]):
        trial.begin()
        trial.look(proof.BEGUN, first=proof.from_pods(PODS[0]))
        trial.change(SECOND)
        trial.look(proof.ADDED, second=proof.from_pods(PODS[0]))
        trial.change_endpoints()
        trial.spoil()
        trial.stop_the_program()
    trial.seen.left = namespaces_left(lab.control_plane, KUBECTL, made.MARK)
    return trial.seen
