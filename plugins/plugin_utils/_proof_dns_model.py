# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names pods ask for, who knows them, and which queries the C library makes of that. Pure.

This plugin util is PRIVATE to the collection. A small model of resolv.conf(5), search and ndots: the names that are
asked for in turn until one is known. Each server sees what it is asked, and CoreDNS asks on what is not the cluster's.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._probe_dns import candidates
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_dns_pods import NAMESPACE, PODS, Conf, Pod
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, ProofError

# Who sees queries; a stub domain's servers are called like the domain.
COREDNS, UPSTREAM = "CoreDNS", "the upstream server"
OUTSIDE = "example.com"  # a domain of nobody (RFC 2606), whose names the upstream server knows
OUTSIDE_ADDRESS, STUB_ADDRESS = "192.0.2.80", "198.51.100.80"  # RFC 5737: of documents


class Kind(t.NamedTuple):
    """A way to spell a name, with {} for its first label and whose it is; a name that is nobody's has no owner."""

    key: str
    spelled: str
    owner: str

    @property
    def shown(self) -> str:
        """The name for a person."""
        return self.spelled.format("nobody" if not self.owner else "name")


def kinds(cluster: Data) -> list[Kind]:
    """All spellings that each pod looks up."""
    full = f"{{}}.{NAMESPACE}.svc.{cluster['dns_domain']}"
    found = [
        Kind("short", "{}", COREDNS),
        Kind("with-namespace", f"{{}}.{NAMESPACE}", COREDNS),
        Kind("full", full, COREDNS),
        Kind("full-dot", full + ".", COREDNS),
        Kind("outside", f"{{}}.{OUTSIDE}", UPSTREAM),
        Kind("outside-dot", f"{{}}.{OUTSIDE}.", UPSTREAM),
        Kind("nobody", "{}", ""),
        Kind("nobody-outside", f"{{}}.{OUTSIDE}", ""),
    ]
    for number, domain in enumerate(cluster["dns"]["stub_domains"], 1):
        found.append(Kind(f"stub{number}", f"{{}}.{domain}", domain))
        found.append(Kind(f"stub{number}-dot", f"{{}}.{domain}.", domain))
    return found


class Lookup(t.NamedTuple):
    """A name that a pod looks up. No other lookup has its first label, by which its queries are known at any server."""

    pod: Pod
    kind: Kind
    label: str

    @property
    def name(self) -> str:
        """The name as the pod gives it to its resolver."""
        return self.kind.spelled.format(self.label)


def lookups(cluster: Data, key: str) -> list[Lookup]:
    """Every pod looks up every kind of name; key makes the names new, so that no cache knows them."""
    return [Lookup(pod, kind, f"{kind.key}-{pod.name}-{key}") for pod in PODS for kind in kinds(cluster)]


@dataclasses.dataclass(frozen=True)
class World:
    """Who knows which names, with final dots, and who is asked at which address."""

    cluster: Data
    services: t.Mapping[str, str]
    records: t.Mapping[str, t.Mapping[str, str]]  # by upstream and by stub domain

    def role(self, server: str) -> str:
        """Who answers at the address of a server.

        Raises:
            ProofError: nothing is known of it.
        """
        dns = self.cluster["dns"]
        known = {self.cluster["dns_service_ip"]: COREDNS, **dict.fromkeys(dns["upstream"], UPSTREAM)}
        known.update({address: domain for domain, servers in dns["stub_domains"].items() for address in servers})
        if server not in known:
            raise ProofError(f"a resolv.conf names {server}, which is none of {', '.join(known)}")
        return known[server]

    def asked(self, server: str, name: str) -> tuple[list[str], str | None]:
        """Who sees a query to a server for a name, and the address that comes back, if any."""
        role = self.role(server)
        if role != COREDNS:
            return [role], self.records[role].get(name)
        if within(name, self.cluster["dns_domain"]):
            return [COREDNS], self.services.get(name)
        stubs = [domain for domain in self.cluster["dns"]["stub_domains"] if within(name, domain)]
        other = max(stubs, key=len, default=UPSTREAM)
        return [COREDNS, other], self.records[other].get(name)


def within(name: str, domain: str) -> bool:
    """Whether a name with a final dot is in a domain."""
    return f".{name}".endswith(f".{domain}.")


class Expected(t.NamedTuple):
    """What must come of a lookup: the address, or None, and the names that each server is asked for, in order."""

    address: str | None
    seen: dict[str, list[str]]


def expected(conf: Conf, name: str, world: World) -> Expected:
    """What the C library makes of a name: one name after the other, until one has an address."""
    seen: dict[str, list[str]] = {}
    for full in candidates(name, conf.resolver):
        roles, address = world.asked(conf.servers[0], full)
        for role in roles:
            seen.setdefault(role, []).append(full)
        if address:
            return Expected(address, seen)
    return Expected(None, seen)


def world(cluster: Data, asked: t.Iterable[Lookup], addresses: t.Mapping[str, str]) -> World:
    """Everything that is known of the names of some lookups; addresses are those of services, by name."""
    dns, found = cluster["dns"], list(asked)
    suffix = f"{NAMESPACE}.svc.{cluster['dns_domain']}."
    records: dict[str, dict[str, str]] = {role: {} for role in (UPSTREAM, *dns["stub_domains"])}
    for one in found:
        if one.kind.owner in records:
            address = OUTSIDE_ADDRESS if one.kind.owner == UPSTREAM else STUB_ADDRESS
            records[one.kind.owner][one.name.rstrip(".") + "."] = address
    return World(cluster, {f"{name}.{suffix}": address for name, address in addresses.items()}, records)


def services(asked: t.Iterable[Lookup]) -> list[str]:
    """The services that must be there."""
    return [one.label for one in asked if one.kind.owner == COREDNS]
