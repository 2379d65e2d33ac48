# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom CoreDNS asks for names that are not the cluster's: the rules, and the addresses. PRIVATE to the collection.

A check of DNS needs servers of its own outside of the cluster, for a lab has no way to any other.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import in_order
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem, did_you_mean

Data = dict[str, t.Any]


def dns_problems(topology: Data) -> t.Iterator[Problem]:
    """Servers that are not there or asked for two things, domains that are the cluster's, checks without servers."""
    cluster = topology.get("cluster") or {}
    dns = cluster.get("dns") or {}
    domains = dict(in_order(dns.get("stub_domains")))
    for path, names in _servers(dns):
        yield from _name_problems(path, names, topology)
    for domain in domains:
        yield from _domain_problems(f"cluster.dns.stub_domains.{domain}", domain, cluster.get("dns_domain"))
    checks = [name for name, check in in_order(topology.get("checks")) if (check or {}).get("dns")]
    yield from _twice(dns) if checks else ()
    for name in checks:
        yield from _check_problems(f"checks.{name}.dns", topology)


def _servers(dns: Data) -> t.Iterator[tuple[str, list[str | None]]]:
    """Every list of servers and where it is."""
    yield "cluster.dns.upstream", dns.get("upstream") or []
    for domain, names in in_order(dns.get("stub_domains")):
        yield f"cluster.dns.stub_domains.{domain}", names or []


def _name_problems(path: str, names: list[str | None], topology: Data) -> t.Iterator[Problem]:
    known = topology.get("namespaces") or {}
    for number, name in enumerate(names):
        if name is not None and name not in known:
            fix = did_you_mean(name, known) if known else "add it to namespaces"
            yield Problem(f"{path}[{number}]", f"there is no namespace {name}", fix)


def _domain_problems(path: str, domain: str, own: str | None) -> t.Iterator[Problem]:
    """A server block for a domain takes all that is in it away from the one for the cluster's."""
    if own and (own == domain or own.endswith(f".{domain}")):
        what = f"the names of services are in it: they end in {own}"
        yield Problem(path, what, "use another domain, or change cluster.dns_domain")
    elif own and domain.endswith(f".{own}"):
        what = f"it is a part of the cluster's own domain, {own}"
        yield Problem(path, what, "use a domain beside it")


def _twice(dns: Data) -> t.Iterator[Problem]:
    """A machine that is asked for two things could not tell a check which of them a query was meant for."""
    first: dict[str, str] = {}
    for path, names in _servers(dns):
        for number, name in enumerate(names):
            if name is not None and first.setdefault(name, path) != path:
                what = f"{name} is asked by {first[name]} already"
                yield Problem(f"{path}[{number}]", what, "name another namespace, so that each has names of its own")


def _check_problems(path: str, topology: Data) -> t.Iterator[Problem]:
    cluster = topology.get("cluster")
    if "cluster" not in topology:
        yield Problem(path, "the topology has no cluster, whose pods ask for names", "add cluster, or remove the check")
    elif cluster is not None and not (cluster.get("dns") or {}).get("upstream"):
        what = "nobody is there to ask for names outside of the cluster"
        yield Problem(path, what, "add cluster.dns with upstream: [NAME], a namespace, or remove the check")


def addressed(dns: Data, namespaces: Data) -> Data:
    """cluster.dns with addresses in place of names; domains in the order of their names."""

    def addresses(names: list[str]) -> list[str]:
        return [namespaces[name]["address"] for name in names]

    stubs = {domain: addresses(names) for domain, names in in_order(dns["stub_domains"])}
    return {"upstream": addresses(dns.get("upstream", [])), "stub_domains": stubs}
