# SPDX-License-Identifier: GPL-3.0-or-later
"""The verification suite: pytest tests/topology --topology NAME

Test cases come from the topology's checks alone. The first case that needs it makes everything be asked and captured at
once (docs/verification.md); the cases then judge what was seen, and all of it is written to results.json.
"""

from __future__ import annotations

import os
import pathlib
import signal
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_plan as plan
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_asked as served
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_deaf as unheard
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_rules as ruled
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_suite as suite
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import MECHANISMS, claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_capture import capture_claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_connect import all_macs, connected, inventory_variables
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_control import Control, control, deaf, following
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_dns import claims as dns_claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_mechanisms import MECHANISM_CLAIMS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy import claims as policy_claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_results import Results, endpoint_entries, versions
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc import claims as service_claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_path import Ways
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_tunnel import claims as tunnel_claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Evidence, streams
from ansible_collections.reftopo.lab.plugins.plugin_utils._report import write_reports

ROOT = pathlib.Path(__file__).parents[2]
HOSTS = pytest.StashKey[dict[str, t.Any]]()
RESULTS = pytest.StashKey[Results]()
CASES = pytest.StashKey[set[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("reftopo")
    group.addoption(
        "--topology", default=os.environ.get("REFTOPO_TOPOLOGY"), help="name of the running topology to verify"
    )
    group.addoption("--results", type=pathlib.Path, help="file to write; the topology's state folder by default")


def pytest_configure(config: pytest.Config) -> None:
    name = config.getoption("topology")
    if not name:
        raise pytest.UsageError("name the topology: pytest tests/topology --topology NAME")
    if (ROOT / "ansible.cfg").exists():  # a checkout; an installed collection has none
        os.environ.setdefault("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))
    try:
        hosts = inventory_variables(config.getoption("ansible_inventory", None) or str(ROOT / "inventories"), name)
    except ProofError as problem:
        raise pytest.UsageError(str(problem)) from problem
    config.stash[HOSTS] = hosts
    config.stash[RESULTS] = Results(hosts[f"host.{name}"]["reftopo_topology"])
    config.stash[CASES] = set()
    # Stopped by a signal, fixtures still end as they should: a broken link is repaired.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    topology = metafunc.config.stash[RESULTS].topology
    checks: dict[str, t.Any] = topology["checks"]
    overlays = [name for mechanism in MECHANISMS for name in checked_by(mechanism, checks)]
    mechanisms = overlays if pod_network(topology) else []
    nodes = list(topology["nodes"])
    groups = plan.groups(topology)
    cases: dict[str, list[tuple[t.Any, ...]]] = {
        "reach": [group for group in groups if "break" not in checks[group[0]]],
        "controlled": [
            (*group, state) for group in groups if "break" in checks[group[0]] for state in ("broken", "repaired")
        ],
        "control": [(name,) for name, check in checks.items() if "break" in check],
        **{
            fixture: [(name, claim) for name in checked_by(mechanism, checks) for claim in claims_of(topology)]
            for fixture, mechanism, claims_of in MECHANISM_CLAIMS
        },
        "tunnel": [] if mechanisms else [(name, claim) for name in overlays for claim in tunnel_claims(topology)],
        "claim": [(name, claim) for name in mechanisms for claim in claims(topology)],
        "stream": [(name, stream) for name in mechanisms for stream in streams(topology)],
        "capture": [(name, node, key) for name in mechanisms for node in nodes for key in capture_claims(topology)],
        "proxy": [(name, node) for name, check in checks.items() if check.get("to") == "services" for node in nodes],
        "policed": policy_claims(topology),
        "fronted": service_claims(topology),
        "named": dns_claims(topology),
        "mtu": [
            (name, source)
            for name, check in checks.items()
            if "mtu" in check
            for source in (*plan.names(topology, "pods"), *plan.names(topology, "nodes"))
        ],
    }
    for name in set(metafunc.fixturenames) & set(cases):
        metafunc.parametrize(name, cases[name], ids=["/".join(map(case_word, case)) for case in cases[name]])


def checked_by(mechanism: str, checks: dict[str, t.Any]) -> list[str]:
    """The checks of a mechanism."""
    return [name for name, check in checks.items() if check.get("mechanism") == mechanism]


def case_word(value: t.Any) -> str:
    """A part of a test case's id: what a claim says of itself, or a plain word."""
    return str(getattr(value, "case", value))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check by check, those last that break something."""
    checks = config.stash[RESULTS].topology["checks"]
    # Of a kind of case that the topology has none of, pytest makes one without parameters, to be skipped.
    items[:] = [item for item in items if isinstance(case_of(item), tuple)]
    items.sort(key=lambda item: ("break" in checks[check_of(item)], check_of(item)))
    config.stash[CASES] = {item.nodeid for item in items}


def case_of(item: pytest.Item) -> t.Any:
    """A test case's only parameter."""
    return next(iter(item.callspec.params.values()))  # type: ignore[attr-defined]


def check_of(item: pytest.Item) -> str:
    """The check that a test case belongs to: the first value of its parameter."""
    return case_of(item)[0]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> t.Generator[None, pytest.TestReport, pytest.TestReport]:
    """A case that could not be judged is noted as such, so that no report can look complete without it.

    Judges say by pytest.fail what speaks against a case, and it is noted then; anything else is that they broke.
    """
    report = yield
    if report.when == "call" or report.failed:
        item.config.stash[CASES].discard(item.nodeid)
    if report.failed and call.excinfo and not isinstance(call.excinfo.value, pytest.fail.Exception):
        item.config.stash[RESULTS].undecided(check_of(item), f"{report.when} of {item.name}", str(call.excinfo.value))
        if isinstance(call.excinfo.value, ProofError):
            report.longrepr = str(call.excinfo.value)
            item.session.shouldstop = "the suite cannot go on"
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if RESULTS not in config.stash or config.option.collectonly:
        return
    results = config.stash[RESULTS]
    results.skipped = len(config.stash[CASES])
    state = config.stash[HOSTS][f"host.{results.topology['name']}"]["reftopo_state_dir"]
    path = config.getoption("results") or pathlib.Path(state) / "report" / "results.json"
    results.write(path)
    write_reports(results.data(), path.parent)


@pytest.fixture(scope="session")
def results(pytestconfig: pytest.Config) -> Results:
    return pytestconfig.stash[RESULTS]


@pytest.fixture(scope="session")
def settle(results: Results) -> t.Callable[..., None]:
    """Note what came of a claim, and fail when it does not hold: a Settle."""

    def settled(promise: t.Any, faults: list[str]) -> None:
        results.claim(promise, faults)
        if faults:
            pytest.fail("\n".join(faults), pytrace=False)

    return settled


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config, results: Results) -> t.Iterator[suite.Lab]:
    with connected(pytestconfig.stash[HOSTS]) as machines:
        lab = suite.Lab(all_macs(results.topology, machines), machines)
        results.versions = versions(lab.objects)
        results.endpoints = endpoint_entries(lab.endpoints)
        yield lab


@pytest.fixture(scope="session")
def healthy(lab: suite.Lab, results: Results) -> Evidence:
    """Everything asked of the lab as it is, and captured."""
    evidence = results.once("{}", lambda _phase: suite.healthy(lab))("probes and captures")
    reached = [o.record for o in evidence.outcomes if "mechanism" not in results.topology["checks"][o.probe.check]]
    results.probes.extend(reached)
    return evidence


@pytest.fixture(scope="session")
def snapshots(lab: suite.Lab) -> dict[str, t.Any]:
    return lab.snapshots()


@pytest.fixture(scope="session")
def views(lab: suite.Lab, snapshots: dict[str, t.Any]) -> dict[str, ruled.View]:
    """What claims on kube-proxy's rules are judged by, by node."""
    return following(lab, lab.views(lab.services, snapshots, lab.fronts()))


@pytest.fixture(scope="session")
def services(
    lab: suite.Lab, results: Results, healthy: Evidence, snapshots: dict[str, t.Any]
) -> t.Callable[[str], served.Asked]:
    """What services were asked for a check; its first probes are among those of the healthy lab.

    The rest is not captured: so many connections would make every claim on the wire slow to judge.
    """

    def make(name: str) -> served.Asked:
        outcomes = [o for o in healthy.outcomes if o.probe.check == name]
        outcomes += lab.ask(served.probes(lab.topology, name, lab.endpoints, lab.services))
        results.paths.extend(Ways(lab.topology, snapshots, healthy.pods).paths(outcomes))
        return served.Asked(lab.topology, outcomes, snapshots, healthy.pods)

    return results.once("{}", make)


@pytest.fixture(scope="session")
def deafness(
    lab: suite.Lab, results: Results, services: t.Callable[[str], served.Asked], views: dict[str, ruled.View]
) -> t.Callable[[str], unheard.Deaf]:
    """What came of a pod that does not listen, for a check; everything else is asked and read first."""

    def make(name: str) -> unheard.Deaf:
        services(name)
        return deaf(lab, name)

    return results.once("{}, with a pod that does not listen", make)


@pytest.fixture(scope="session")
def controls(lab: suite.Lab, results: Results, healthy: Evidence) -> t.Callable[[str], Control]:
    """The control of a check. The healthy lab is asked first."""

    def make(name: str) -> Control:
        made = control(lab, name)
        results.probes.extend(o.record for o in (*made.broken, *made.repaired))
        return made

    return results.once("{}", make)
