# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ingresses by which ingress-nginx's mechanism is tried, the pods behind them, and what its pod says. Pure.

This plugin util is PRIVATE to the collection. Source of what is read: ingress-nginx, internal/ingress/controller.
"""

from __future__ import annotations

import functools
import json
import re
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._ingress_controllers import CONTROLLERS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_plan import SERVER_PORTS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_workload import is_ready, own_object, pod_spec

NAMESPACE = MARK = "reftopo-ingress-nginx"  # of all that is made; MARK is its label
CLASS = "nginx"
# The controller's own namespace, and what its Deployment and Service are called there.
HOME, CONTROLLER = CONTROLLERS[CLASS].namespace, CONTROLLERS[CLASS].service
PODS = ("one", "two")
SERVICE, IN = "web", "in-service"  # the service has the pods with this label
ANNOTATION = "nginx.ingress.kubernetes.io"
# Ingresses by name, which is the start of their host's: one that is there from the first, one that comes; one with
# lines of its own for nginx.conf, one beside it; one whose path nginx cannot read, one beside it.
FIRST, SECOND, REFUSED, BESIDE, BROKEN, LATER = "first", "second", "refused", "beside", "broken", "later"
DOMAIN = "ingress-nginx.test"
BAD_PATH = "/("
ANNOTATIONS = {
    REFUSED: {f"{ANNOTATION}/configuration-snippet": "return 418;"},
    BROKEN: {f"{ANNOTATION}/use-regex": "true"},
}
PROGRAM = "/nginx-ingress-controller"
SEPARATOR = "reftopo: next"
_object = functools.partial(own_object, MARK)


def host(ingress: str) -> str:
    """The host of an Ingress."""
    return f"{ingress}.{DOMAIN}"


def objects(topology: Data, image: str) -> list[Data]:
    """All that is made first: pods on two nodes, of which one is in the service, and one Ingress."""
    nodes = list(topology["nodes"])
    found = [_object("v1", "Namespace", NAMESPACE), _object("v1", "ServiceAccount", MARK)]
    found += [_pod(name, node, image) for name, node in zip(PODS, (nodes[-1], nodes[0]))]
    ports = [{"port": 80, "targetPort": SERVER_PORTS["tcp"]}]
    service = _object("v1", "Service", SERVICE, spec={"selector": {IN: "yes"}, "ports": ports})
    return [*found, service, ingress(FIRST)]


def ingress(name: str) -> Data:
    """An Ingress that leads its host to the service; two of them are bad."""
    path: Data = {"path": "/", "pathType": "Prefix"}
    if name == BROKEN:
        path = {"path": BAD_PATH, "pathType": "ImplementationSpecific"}
    path["backend"] = {"service": {"name": SERVICE, "port": {"number": 80}}}
    rule = {"host": host(name), "http": {"paths": [path]}}
    found = _object("networking.k8s.io/v1", "Ingress", name, spec={"ingressClassName": CLASS, "rules": [rule]})
    if name in ANNOTATIONS:
        found["metadata"]["annotations"] = ANNOTATIONS[name]
    return found


def membership(kubectl: str, pods: t.Collection[str]) -> str:
    """A command that has just these pods in the service."""
    words = [f"label pod {name} {IN}={'yes' if name in pods else 'no'} --overwrite" for name in PODS]
    return " && ".join(f"{kubectl} --namespace={NAMESPACE} {one} >/dev/null" for one in words)


def _pod(name: str, node: str, image: str) -> Data:
    container = {"name": "server", "image": image, "args": ["netexec", f"--http-port={SERVER_PORTS['tcp']}"]}
    spec = {**pod_spec(MARK), "nodeName": node, "containers": [container]}
    return _object("v1", "Pod", name, labels={IN: "yes" if name == PODS[0] else "no"}, spec=spec)


def ready_pods(items: list[Data]) -> dict[str, str]:
    """The addresses of those pods that are ready, by name."""
    return {one["metadata"]["name"]: str(one["status"]["podIP"]) for one in items if is_ready(one)}


# What the controller's pod says of itself: nginx's configuration, all processes, and the backends that Lua has. The
# shell is one of these processes, and its own words must not be taken for the separator.
NEXT = f"echo '{SEPARATOR[:-1]}''{SEPARATOR[-1]}'"
STATE = "; ".join(
    [
        "cat /etc/nginx/nginx.conf",
        f"echo; {NEXT}",
        "for p in /proc/[0-9]*; do echo \"${p#/proc/} $(tr '\\0' ' ' <$p/cmdline)\"; done 2>/dev/null",
        NEXT,
        "/dbg backends all",
    ]
)


def signal(name: str) -> str:
    """A command that sends the controller's program a signal, inside its pod."""
    words = "$(tr '\\0' ' ' <$p/cmdline)"
    return (
        f'for p in /proc/[0-9]*; do case "{words}" in {PROGRAM}*) kill -{name} ${{p#/proc/}};; esac; done 2>/dev/null'
    )


class State(t.NamedTuple):
    """nginx's configuration, the process IDs of its master and of workers that take connections, of the controller's
    program, and the addresses of endpoints that Lua has for the service."""

    conf: str
    master: tuple[int, ...]
    workers: tuple[int, ...]
    program: tuple[int, ...]
    endpoints: tuple[str, ...]

    @property
    def servers(self) -> set[str]:
        """The hosts in the configuration, without nginx's own."""
        return set(re.findall(rf"^\s*server_name\s+([\w-]+\.{re.escape(DOMAIN)})\b", self.conf, re.MULTILINE))

    @property
    def settled(self) -> bool:
        """Whether there are as many workers as there are to be: those before a reload have left."""
        wanted = re.search(r"^worker_processes (\d+);", self.conf, re.MULTILINE)
        return wanted is not None and len(self.workers) == int(wanted[1])


def state(text: str) -> State:
    """The same of what STATE printed.

    Raises:
        ProofError: it is not all there.
    """
    parts = text.split(SEPARATOR)
    if len(parts) != 3 or "server_name" not in parts[0]:
        raise ProofError(f"the controller's pod did not say what nginx has: {text[-300:]}")
    processes = [line.partition(" ") for line in parts[1].strip().splitlines()]

    def running(pattern: str) -> tuple[int, ...]:
        return tuple(sorted(int(pid) for pid, _space, words in processes if re.search(pattern, words)))

    try:
        backends = json.loads(parts[2])
    except ValueError as problem:
        raise ProofError(f"the controller's pod did not say what Lua has: {parts[2][-300:]}") from problem
    names = [one for one in backends if one["name"] == f"{NAMESPACE}-{SERVICE}-80"]
    addresses = sorted(end["address"] for one in names for end in one.get("endpoints") or ())
    return State(
        parts[0],
        running(r"^nginx: master process"),
        running(r"^nginx: worker process\s*$"),
        running(rf"^{PROGRAM}\b"),
        tuple(addresses),
    )


def complaints(log: str) -> list[str]:
    """What nginx found wrong with a configuration, in the controller's log.

    Events tell it, too, but after 25 there is one in five minutes (client-go, tools/record/events_cache.go). Each try
    and each reload is one, so that the suite would see none the next time.
    """
    return [line for line in log.splitlines() if "[emerg]" in line]
