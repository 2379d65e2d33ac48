# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster whose pods look names up, and servers that answer as they should."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_dns_model as model
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_dns import Answer, Seen
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_dns_pods import PODS, Conf, promised
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_dns_wire import Query

CLUSTER = {
    "dns_domain": "cluster.local",
    "dns_service_ip": "10.96.0.10",
    "dns": {"upstream": ["10.1.0.9"], "stub_domains": {"corp.test": ["10.1.0.8"]}},
}
NODE = Conf(("10.1.0.9",), (), ())
OWN = Conf(("10.96.0.10",), ("reftopo-dns.svc.cluster.local", "svc.cluster.local", "cluster.local"), ("ndots:5",))


def seen(**other: t.Any) -> Seen:
    """What a check sees where all is as it must be, but for some of it."""
    asked = model.lookups(CLUSTER, "abc123")
    addresses = {name: f"10.96.1.{number}" for number, name in enumerate(model.services(asked), 1)}
    world = model.world(CLUSTER, asked, addresses)
    confs = {pod.name: (promised(pod, CLUSTER, NODE), NODE) for pod in PODS}
    found = Seen(world, asked, confs, {}, {}, {"outside-dot.example.com.": Answer(2, ())}, [])
    wanted = [(one, found.expected(one)) for one in asked]
    answers = {one.name: Answer(0, (came.address,)) if came.address else Answer(2, ()) for one, came in wanted}
    queries: dict[str, list[Query]] = {role: [] for role in (model.COREDNS, *world.records)}
    for number, (_lookup, came) in enumerate(wanted):
        for role, names in came.seen.items():
            codes = [3] * (len(names) - 1) + [0 if came.address else 3]
            queries[role] += [Query(name, "10.244.1.2", 40000 + number, 7, code) for name, code in zip(names, codes)]
    return dataclasses.replace(found, **{"answers": answers, "queries": queries, **other})
