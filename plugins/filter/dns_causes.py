# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: dns_causes
short_description: Names why names do not resolve in a cluster
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Walks the usual causes and tells of each whether it is the case, what was seen of it, and what to do.
positional: nodes, logs, service
options:
  _input:
    description: Namespaces, pods, network policies, deployments, services and endpoint slices, as the API has them.
    type: list
    elements: dict
    required: true
  nodes:
    description: What the module M(reftopo.lab.dns_probe) returned, by node.
    type: dict
    required: true
  logs:
    description: The end of the logs of CoreDNS' pods, by pod.
    type: dict
    required: true
  service:
    description: The address of the cluster's DNS service.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Say why names do not resolve
  ansible.builtin.debug:
    msg: "{{ objects | reftopo.lab.dns_causes(probes, logs, '10.96.0.10') | selectattr('found') }}"
"""

RETURN = r"""
_value:
  description: One entry a cause, in the order in which they were looked for.
  type: list
  elements: dict
  sample:
    - cause: coredns-down
      found: true
      seen: deployment/coredns wants 0 replicas; 0 of 0 pods of CoreDNS are ready
      fix: kubectl -n kube-system scale deployment/coredns --replicas=2
"""

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._dns_causes import walk
from ansible_collections.reftopo.lab.plugins.plugin_utils._dns_facts import Data, Facts


def dns_causes(objects: list[Data], nodes: Data, logs: dict[str, str], service: str) -> list[Data]:
    """All causes as plain data."""
    return [step.describe() for step in walk(Facts(objects, logs, nodes, service))]


class FilterModule:
    """The collection's filters on DNS."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"dns_causes": dns_causes}
