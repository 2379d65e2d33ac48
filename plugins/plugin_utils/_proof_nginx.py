# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is claimed of ingress-nginx's mechanism, and what is concluded from what was seen. Pure.

The controller watches, writes nginx.conf and has nginx reload it, which replaces the workers; endpoints it only tells
to Lua, in the same workers. What nginx would not take is not written, and holds up whatever comes after it.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim, of_no_node
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_nginx_objects import (
    BAD_PATH,
    BESIDE,
    BROKEN,
    CONTROLLER,
    FIRST,
    HOME,
    LATER,
    MARK,
    PODS,
    REFUSED,
    SECOND,
    State,
    host,
)

MECHANISM = "ingress-nginx"
BEGUN, ADDED, BOTH, OTHER, NONE, FULL = "begun", "added", "both", "other", "none", "full"
SKIPPED, STUCK, FREED, ALONE, CAUGHT_UP = "skipped", "stuck", "freed", "alone", "caught-up"
NOT_FOUND, UNAVAILABLE = "404", "503"
CONF = f"kubectl --namespace={HOME} exec deploy/{CONTROLLER} -- /dbg conf"
BACKENDS = f"kubectl --namespace={HOME} exec deploy/{CONTROLLER} -- /dbg backends all"
LOG = f"kubectl --namespace={HOME} logs deploy/{CONTROLLER} | grep emerg"
# Phases in which endpoints change, with the pods that are in the service then.
MEMBERS: dict[str, tuple[str, ...]] = {BOTH: PODS, OTHER: PODS[1:], NONE: (), FULL: PODS}


@dataclasses.dataclass
class Seen:
    """All that a check saw, by phase: what the controller's pod had, and what was answered for each host.

    pods are their addresses, warned what nginx found wrong while an Ingress is bad.
    """

    pods: dict[str, str] = dataclasses.field(default_factory=dict)
    states: dict[str, State] = dataclasses.field(default_factory=dict)
    answers: dict[str, dict[str, list[str]]] = dataclasses.field(default_factory=dict)
    warned: list[str] = dataclasses.field(default_factory=list)
    left: list[str] = dataclasses.field(default_factory=list)


def claims(_topology: Data) -> list[Claim]:
    """What is claimed."""
    return of_no_node(TOLD)


def faults(claim: Claim, seen: Seen) -> list[str]:
    """Why a claim does not hold; empty when it does."""
    return TOLD[claim.key][2](seen)


def answered(seen: Seen, phase: str, wanted: t.Collection[str], *ingresses: str) -> list[str]:
    """Why the answers for the host of each of these Ingresses are not just the wanted ones, each of them there."""
    answers = {host(one): seen.answers[phase][host(one)] for one in ingresses}
    must = " and ".join(sorted(wanted))
    return [
        f"{phase}: {name} was answered by {_counted(found)}; must be {must}"
        for name, found in answers.items()
        if set(found) != set(wanted)
    ]


def _counted(found: list[str]) -> str:
    return ", ".join(f"{found.count(one)} x {one}" for one in sorted(set(found))) or "nothing"


def from_pods(*names: str) -> set[str]:
    """The answers of these pods."""
    return {f"200 {name}" for name in names}


def written(seen: Seen, phase: str, *ingresses: str) -> list[str]:
    """Why nginx.conf does not have just the servers of these Ingresses."""
    found, wanted = seen.states[phase].servers, {host(one) for one in ingresses}
    lacking = [f"{phase}: nginx.conf has no server {one}" for one in sorted(wanted - found)]
    return lacking + [f"{phase}: nginx.conf has a server {one}" for one in sorted(found - wanted)]


def reloaded(seen: Seen, before: str, after: str) -> list[str]:
    """Why one nginx did not get other workers, all of them."""
    old, new = seen.states[before], seen.states[after]
    strange = [
        f"{phase}: {len(one.master)} masters and {len(one.workers)} workers of nginx"
        for phase, one in ((before, old), (after, new))
        if len(one.master) != 1 or not one.workers
    ]
    other = [] if old.master == new.master else [f"{after}: another master: {old.master}, now {new.master}"]
    kept = sorted(set(old.workers) & set(new.workers))
    return strange + other + ([f"{after}: workers {kept} are still there"] if kept else [])


def untouched(seen: Seen, before: str, after: str) -> list[str]:
    """Why nginx has not the configuration and the workers that it had."""
    old, new = seen.states[before], seen.states[after]
    conf = [] if old.conf == new.conf else [f"{after}: nginx.conf is another than before ({before})"]
    same = (old.master, old.workers) == (new.master, new.workers)
    return conf + (
        [] if same else [f"{after}: nginx's processes were {old.master + old.workers}, are {new.master + new.workers}"]
    )


def known(seen: Seen, phase: str) -> list[str]:
    """Why Lua has not just the addresses of the pods that are in the service."""
    found, wanted = seen.states[phase].endpoints, sorted(seen.pods[name] for name in MEMBERS[phase])
    return [] if list(found) == wanted else [f"{phase}: Lua has the endpoints {list(found)}, must be {wanted}"]


def _served(seen: Seen) -> list[str]:
    nobody = answered(seen, BEGUN, [NOT_FOUND], SECOND)
    return written(seen, BEGUN, FIRST) + answered(seen, BEGUN, from_pods(PODS[0]), FIRST) + nobody


def _reload(seen: Seen) -> list[str]:
    both = answered(seen, ADDED, from_pods(PODS[0]), FIRST, SECOND)
    return written(seen, ADDED, FIRST, SECOND) + reloaded(seen, BEGUN, ADDED) + both


def _followed(seen: Seen) -> list[str]:
    """Endpoints came and went, and nginx was the same all along."""
    found = []
    for phase, names in MEMBERS.items():
        found += untouched(seen, ADDED, phase) + known(seen, phase)
        found += answered(seen, phase, from_pods(*names) if names else [UNAVAILABLE], FIRST)
    return found


def _skipped(seen: Seen) -> list[str]:
    found = written(seen, SKIPPED, FIRST, SECOND, BESIDE) + reloaded(seen, FULL, SKIPPED)
    found += answered(seen, SKIPPED, [NOT_FOUND], REFUSED)
    return found + answered(seen, SKIPPED, from_pods(*PODS), FIRST, BESIDE)


def _stuck(seen: Seen) -> list[str]:
    found = untouched(seen, SKIPPED, STUCK)
    found += answered(seen, STUCK, from_pods(*PODS), FIRST, SECOND, BESIDE)
    return found + answered(seen, STUCK, [NOT_FOUND], BROKEN)


def _warned(seen: Seen) -> list[str]:
    if any(BAD_PATH in one for one in seen.warned):
        return []
    return [f"what nginx found wrong does not name {BAD_PATH}: {'; '.join(seen.warned) or 'there is nothing'}"]


def _waits(seen: Seen) -> list[str]:
    waiting = answered(seen, STUCK, [NOT_FOUND], LATER)
    freed = written(seen, FREED, FIRST, SECOND, BESIDE, LATER) + reloaded(seen, STUCK, FREED)
    return waiting + freed + answered(seen, FREED, from_pods(*PODS), LATER)


def _alone(seen: Seen) -> list[str]:
    """Without the controller's program nothing changes: not the pods that are asked, nor the Ingresses."""
    found = untouched(seen, FREED, ALONE) + answered(seen, ALONE, from_pods(*PODS), LATER, SECOND)
    before, now = seen.states[FREED].endpoints, seen.states[ALONE].endpoints
    kept = [] if before == now else [f"{ALONE}: Lua had the endpoints {list(before)}, has {list(now)}"]
    return found + kept


def _caught_up(seen: Seen) -> list[str]:
    found = written(seen, CAUGHT_UP, FIRST, BESIDE, LATER) + reloaded(seen, ALONE, CAUGHT_UP)
    same = seen.states[ALONE].program == seen.states[CAUGHT_UP].program
    other = [] if same else ["the controller's program was started again, instead of going on"]
    found += answered(seen, CAUGHT_UP, [NOT_FOUND], SECOND)
    return found + other + answered(seen, CAUGHT_UP, from_pods(PODS[0]), FIRST)


def _gone(seen: Seen) -> list[str]:
    return seen.left


Judge = t.Callable[[Seen], list[str]]
# Title, command, judge.
TOLD: dict[str, tuple[str, str, Judge]] = {
    "served": ("an Ingress is a server of nginx.conf and served; a host that has none is 404", CONF, _served),
    "reload": (
        "another Ingress is written into nginx.conf, and nginx reloads it: other workers, the same master",
        CONF,
        _reload,
    ),
    "followed": (
        "Lua follows endpoints that come and go, the last one too (503): nginx.conf and the workers stay as they were",
        BACKENDS,
        _followed,
    ),
    "skipped": (
        f"an Ingress with lines of its own for nginx.conf ({REFUSED}) is left out; one that comes beside it is served",
        CONF,
        _skipped,
    ),
    "stuck": (
        f"of an Ingress that nginx cannot read ({BROKEN}) nothing is written, and all others are served",
        CONF,
        _stuck,
    ),
    "warned": (f"the controller tells what is wrong with {BROKEN}", LOG, _warned),
    "waits": (f"what comes while {BROKEN} is there waits for its end, and is then served", CONF, _waits),
    "alone": ("nginx goes on without the controller's program, and nothing is followed then", BACKENDS, _alone),
    "caught-up": ("with the program again what has changed meanwhile is followed", CONF, _caught_up),
    "gone": ("nothing of it is left in the cluster", f"kubectl get namespace {MARK}", _gone),
}
