# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a cluster whose names do not resolve, and what is said of one cause. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_workload import is_ready

Data = dict[str, t.Any]

SYSTEM = "kube-system"
SELECTOR = ("k8s-app", "kube-dns")  # of CoreDNS' pods, in kubeadm's manifest and others'


@dataclass(frozen=True)
class Facts:
    """What was found: objects of the API, the end of CoreDNS' logs by pod, and of each node what dns_probe returned."""

    objects: list[Data]
    logs: t.Mapping[str, str]
    nodes: t.Mapping[str, Data]
    service: str

    def of(self, kind: str, namespace: str | None = None) -> list[Data]:
        """The objects of a kind, of a namespace or of all."""
        found = [item for item in self.objects if item["kind"] == kind]
        return [item for item in found if namespace in (None, item["metadata"].get("namespace"))]

    @property
    def servers(self) -> list[Data]:
        """CoreDNS' pods."""
        key, value = SELECTOR
        return [pod for pod in self.of("Pod", SYSTEM) if pod["metadata"].get("labels", {}).get(key) == value]

    @property
    def ready(self) -> list[Data]:
        """Those of them that are ready."""
        return [pod for pod in self.servers if is_ready(pod)]

    def answer(self, node: str, source: str | None, server: str) -> str | None:
        """What was observed when one asked another; None when that was not tried."""
        found = self.nodes.get(node, {}).get("answers", [])
        told = (one["observed"] for one in found if (one["from"], one["server"]) == (source, server))
        return next(told, None)


class Step(t.NamedTuple):
    """One cause: whether it is the case, what was seen of it, and what to do."""

    cause: str
    found: bool
    seen: str
    fix: str = ""

    def describe(self) -> Data:
        """The same as plain data."""
        return {"cause": self.cause, "found": self.found, "seen": self.seen, "fix": self.fix}
