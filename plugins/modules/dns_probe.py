#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dns_probe
short_description: Asks the cluster's DNS from a node and from its pods
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Runs on a node. The node and each of the given pods ask the service and each server for a name by UDP.
  - Tells besides which servers the node itself has in C(/etc/resolv.conf), and whether the kernel has rules of
    kube-proxy for the service.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - reftopo.lab.attributes
options:
  name:
    description: The name that is asked for, with its final dot.
    type: str
    required: true
  service:
    description: The address of the cluster's DNS service.
    type: str
    required: true
  servers:
    description: Addresses of CoreDNS' pods.
    type: list
    elements: str
    default: []
  pods:
    description: Addresses of pods on this node that ask, too.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds until silence is called a timeout.
    type: float
    default: 1.5
"""

EXAMPLES = r"""
- name: Ask from the node and one of its pods
  reftopo.lab.dns_probe:
    name: kubernetes.default.svc.cluster.local.
    service: 10.96.0.10
    servers: [10.244.1.2]
    pods: [10.244.1.7]
"""

RETURN = r"""
nameservers:
  description: The node's own servers.
  type: list
  elements: str
  returned: always
  sample: [172.30.10.201]
rules:
  description: The modes of kube-proxy of which the kernel has rules for the service.
  type: list
  elements: str
  returned: always
  sample: [nftables]
answers:
  description: Who asked whom and what was observed, one entry a question; C(from) is none for the node itself.
  type: list
  elements: dict
  returned: always
  sample: [{"from": null, "server": "10.96.0.10", "observed": "ok", "detail": "code 0, 10.96.0.1"}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._dns_probe import ask_all, questions, rules
from ansible_collections.reftopo.lab.plugins.module_utils._probe_agent import read


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "servers": {"type": "list", "elements": "str", "default": []},
            "pods": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "float", "default": 1.5},
        },
        supports_check_mode=True,
    )
    params = module.params
    asked = questions([None, *params["pods"]], [params["service"], *params["servers"]])
    words = [line.split() for line in read("/etc/resolv.conf").splitlines()]
    module.exit_json(
        changed=False,
        nameservers=[line[1] for line in words if line[:1] == ["nameserver"] and len(line) > 1],
        rules=rules(module.run_command, params["service"]),
        answers=ask_all(asked, params["name"], params["timeout"]),
    )


if __name__ == "__main__":
    main()
