# SPDX-License-Identifier: GPL-3.0-or-later
"""What is claimed of ingress-nginx: a sound run satisfies every claim, and what goes wrong fails just its own."""

from __future__ import annotations

import copy
import subprocess

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_nginx as proof
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_nginx_objects as made
from ansible_collections.reftopo.lab.plugins.plugin_utils._ingress_controllers import CONTROLLERS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ingress_cases import DEFAULT, cases
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError
from nginx_pod import MASTER, PROGRAM, conf, printed

ONE, TWO = "10.244.1.5", "10.244.0.5"
NAMES = {ONE: "200 one", TWO: "200 two"}
# By phase: the Ingresses that are served, and the endpoints of their service.
PHASES: dict[str, tuple[str, list[str]]] = {
    proof.BEGUN: ("first", [ONE]),
    proof.ADDED: ("first second", [ONE]),
    proof.BOTH: ("first second", [TWO, ONE]),
    proof.OTHER: ("first second", [TWO]),
    proof.NONE: ("first second", []),
    proof.FULL: ("first second", [TWO, ONE]),
    proof.SKIPPED: ("first second beside", [TWO, ONE]),
    proof.STUCK: ("first second beside", [TWO, ONE]),
    proof.FREED: ("first second beside later", [TWO, ONE]),
    proof.ALONE: ("first second beside later", [TWO, ONE]),
    proof.CAUGHT_UP: ("first beside later", [ONE]),
}


def sound() -> proof.Seen:
    """A run in which all is as it must be: other workers with each other configuration."""
    seen = proof.Seen(
        pods={"one": ONE, "two": TWO}, warned=[f'pcre2_compile() failed: missing ) in "^{made.BAD_PATH}"']
    )
    generations: list[str] = []
    for phase, (servers, endpoints) in PHASES.items():
        if servers not in generations:
            generations.append(servers)
        workers = [100 * len(generations), 100 * len(generations) + 1]
        seen.states[phase] = made.state(printed(servers.split(), workers, endpoints))
        served = [NAMES[one] for one in endpoints] * 6 or ["503"] * 12
        every = ("first", "second", "refused", "beside", "broken", "later")
        seen.answers[phase] = {made.host(one): served if one in servers.split() else ["404"] * 12 for one in every}
    return seen


def failing(seen: proof.Seen) -> dict[str, list[str]]:
    found = {claim.key: proof.faults(claim, seen) for claim in proof.claims({})}
    return {key: faults for key, faults in found.items() if faults}


def test_a_sound_run_satisfies_every_claim() -> None:
    assert failing(sound()) == {}
    assert [claim.key for claim in proof.claims({})] == list(proof.TOLD)


def answer(phase: str, ingress: str, *what: str):
    return lambda seen: seen.answers[phase].update({made.host(ingress): list(what)})


def change(phase: str, **fields: object):
    return lambda seen: seen.states.update({phase: seen.states[phase]._replace(**fields)})


CASES = {
    "an Ingress is not served": (answer(proof.BEGUN, "first", "404"), {"served"}),
    "one is served before it is there": (answer(proof.BEGUN, "second", "200 one"), {"served"}),
    "nginx.conf lacks it": (change(proof.ADDED, conf=conf(["first"])), {"reload", "followed"}),
    "a reload left the workers": (change(proof.ADDED, workers=(100, 101)), {"reload", "followed"}),
    "another nginx": (change(proof.ADDED, master=(21,)), {"reload", "followed"}),
    "no workers": (change(proof.CAUGHT_UP, workers=()), {"caught-up"}),
    "endpoints cost a reload": (change(proof.OTHER, workers=(900, 901)), {"followed"}),
    "endpoints cost another nginx.conf": (change(proof.BOTH, conf=conf([])), {"followed"}),
    "Lua keeps an endpoint": (change(proof.OTHER, endpoints=(TWO, ONE)), {"followed"}),
    "a pod is not met": (answer(proof.BOTH, "first", *["200 one"] * 12), {"followed"}),
    "one that left is met": (answer(proof.OTHER, "first", "200 one", "200 two"), {"followed"}),
    "none is not 503": (answer(proof.NONE, "first", "504"), {"followed"}),
    "the bad annotation is served": (answer(proof.SKIPPED, "refused", "200 one", "200 two"), {"skipped"}),
    "the one beside it is not": (answer(proof.SKIPPED, "beside", "404"), {"skipped"}),
    "the bad path was written": (change(proof.STUCK, conf=conf(["broken"])), {"stuck"}),
    "the bad path was loaded": (change(proof.STUCK, workers=(900, 901)), {"stuck"}),
    "others suffer": (answer(proof.STUCK, "first", "502"), {"stuck"}),
    "nobody warns": (lambda seen: seen.warned.clear(), {"warned"}),
    "what comes later is served at once": (answer(proof.STUCK, "later", "200 one", "200 two"), {"waits"}),
    "it never is": (answer(proof.FREED, "later", "404"), {"waits"}),
    "followed without the program": (change(proof.ALONE, endpoints=(ONE,)), {"alone"}),
    "deleted without the program": (answer(proof.ALONE, "second", "404"), {"alone"}),
    "not served without the program": (answer(proof.ALONE, "later", "timeout"), {"alone"}),
    "not caught up": (answer(proof.CAUGHT_UP, "second", "200 one"), {"caught-up"}),
    "started again": (change(proof.CAUGHT_UP, program=(8,)), {"caught-up"}),
    "something is left": (lambda seen: seen.left.append("a namespace is still there"), {"gone"}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_goes_wrong_fails_its_claim(case: str) -> None:
    spoil, claims = CASES[case]
    seen = copy.deepcopy(sound())
    spoil(seen)
    assert set(failing(seen)) == claims


def test_every_claim_can_fail() -> None:
    assert {key for _spoil, keys in CASES.values() for key in keys} == set(proof.TOLD)


def test_a_fault_says_what_was_seen() -> None:
    seen = sound()
    seen.answers[proof.BOTH][made.host("first")] = ["200 one"] * 11 + ["502"]
    assert failing(seen)["followed"] == [
        "both: first.ingress-nginx.test was answered by 11 x 200 one, 1 x 502; must be 200 one and 200 two"
    ]


def test_workers_that_leave_are_none_of_nginx_s() -> None:
    leaving = "90 nginx: worker process is shutting down"
    state = made.state(printed(["first"], [100, 101], [ONE], leaving, "30 nginx: cache manager process"))
    assert (state.master, state.workers, state.program) == ((MASTER,), (100, 101), (PROGRAM,))
    assert (state.servers, state.endpoints, state.settled) == ({made.host("first")}, (ONE,), True)
    assert not made.state(printed(["first"], [90, 100, 101], [ONE])).settled


def test_a_process_that_ended_meanwhile_has_no_words() -> None:
    assert made.state(printed(["first"], [100, 101], [ONE], "99 ")).settled


@pytest.mark.parametrize("text", ["", conf([]), printed([], [1], []).replace("[{", "Nginx returned code 500 ")])
def test_a_pod_that_does_not_say_it_all_is_an_error(text: str) -> None:
    with pytest.raises(ProofError, match="the controller's pod did not say what"):
        made.state(text)


def test_the_shell_s_own_words_are_no_separator() -> None:
    done = subprocess.run(["sh", "-c", made.NEXT], capture_output=True, text=True, check=True)
    assert done.stdout == f"{made.SEPARATOR}\n"
    assert made.SEPARATOR not in made.STATE


def test_objects_are_of_the_check_s_namespace_and_on_two_nodes() -> None:
    found = made.objects({"nodes": {"cp1": {}, "w1": {}, "w2": {}}}, "agnhost:1")
    assert all(made.MARK in one["metadata"]["labels"] for one in found)
    assert {one["metadata"].get("namespace", made.NAMESPACE) for one in found} == {made.NAMESPACE}
    pods = [one for one in found if one["kind"] == "Pod"]
    assert [(one["spec"]["nodeName"], one["metadata"]["labels"][made.IN]) for one in pods] == [
        ("w2", "yes"),
        ("cp1", "no"),
    ]


def test_bad_ingresses_are_bad_in_one_way_each() -> None:
    found = {name: made.ingress(name) for name in ("refused", "broken", "first")}
    paths = {name: one["spec"]["rules"][0]["http"]["paths"][0]["path"] for name, one in found.items()}
    assert paths == {"refused": "/", "broken": made.BAD_PATH, "first": "/"}
    annotations = {name: list(one["metadata"].get("annotations", ())) for name, one in found.items()}
    assert annotations == {
        "refused": [f"{made.ANNOTATION}/configuration-snippet"],
        "broken": [f"{made.ANNOTATION}/use-regex"],
        "first": [],
    }


def test_membership_names_every_pod() -> None:
    command = made.membership("kubectl", ["two"])
    assert [word for word in command.split() if word.startswith(made.IN)] == ["in-service=no", "in-service=yes"]


def test_complaints_are_what_nginx_found_wrong() -> None:
    wrong = 'nginx: [emerg] pcre2_compile() failed: missing closing parenthesis in "^/(" in /tmp/nginx/nginx-cfg1:9'
    log = ["E1129 12:00:00.000000 7 controller.go:208] Unexpected failure reloading the backend:", "", wrong, "---"]
    assert made.complaints("\n".join(log)) == [wrong]


def test_what_nginx_does_otherwise():
    nginx = CONTROLLERS["nginx"]
    cells = {cell.url: cell for case in cases(nginx) for cell in case.cells if not cell.sni}
    assert (cells["http://slash.test/foo"].by, cells["http://slash.test/foo"].status) == (None, 301)
    assert cells["http://precedence.test/both"].by == "one"
    secure = next(cell for cell in cells.values() if cell.certificate == "secure.test")
    assert secure.without(nginx)[2:5] == (None, 404, "secure.test")
    assert secure.without(CONTROLLERS["traefik"])[2:5] == (None, 404, DEFAULT)


def test_a_line_of_nginx_is_read():
    line = (
        '192.0.2.201 - - [29/Nov/2026:11:00:00 +0000] "GET /foo/?key=a1 HTTP/1.1" 200 345 "-" "-" 120 0.003'
        " [reftopo-ingress-one-80] [] 10.0.0.2:8080 345 0.003 200 4f6c"
    )
    found = CONTROLLERS["nginx"].line.search(line)
    assert found
    assert found.groupdict() == {"path": "/foo/?key=a1", "router": "reftopo-ingress-one-80", "server": "10.0.0.2:8080"}
