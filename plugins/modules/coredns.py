#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: coredns
short_description: Tells a kubeadm cluster's CoreDNS whom to ask for names that are not the cluster's
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Runs on a control plane. The Corefile in the ConfigMap C(coredns) becomes kubeadm's own with these servers, whatever
    was written in it by hand. kubeadm itself is asked for its Corefile, so that it is the one of its version.
  - CoreDNS' pods are then made again, one after the other, and waited for. They would read the file by themselves, but
    up to two minutes later (the kubelet's sync, and 30 seconds of the plugin C(reload)), and nothing tells when.
  - The pods' template names the version of the ConfigMap in the annotation C(reftopo.lab/corefile), so that a run that
    was interrupted before it is ended by the next.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - reftopo.lab.attributes
options:
  upstream:
    description: Addresses of the servers for all names that are elsewhere; when empty, the nodes' own servers.
    type: list
    elements: str
    default: []
  stub_domains:
    description: Domains and, for each, a list of addresses of the servers that alone are asked for its names.
    type: dict
    default: {}
  kubeconfig:
    description: A kubeconfig of the cluster's administrator.
    type: path
    default: /etc/kubernetes/admin.conf
  config:
    description: The configuration that kubeadm made the cluster with.
    type: path
    default: /etc/kubernetes/reftopo/kubeadm.yaml
  timeout:
    description: Seconds until CoreDNS' new pods must be ready.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Ask one machine for names of the company, and another for all others
  reftopo.lab.coredns:
    upstream: [172.30.27.202]
    stub_domains:
      corp.test: [172.30.27.201]
"""

RETURN = r"""
before:
  description: The Corefile as it was.
  type: str
  returned: always
  sample: ".:53 {..."
after:
  description: The Corefile after, in check mode as predicted.
  type: str
  returned: always
  sample: ".:53 {..."
steps:
  description: What was done, or would be in check mode, in order.
  type: list
  elements: str
  returned: always
  sample: [apply, restart]
commands:
  description: The commands that changed something; none in check mode.
  type: list
  elements: str
  returned: always
  sample: ["kubectl --kubeconfig=/etc/kubernetes/admin.conf --namespace=kube-system apply --server-side --filename=-"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._coredns import Cluster, desired, plan
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "upstream": {"type": "list", "elements": "str", "default": []},
            "stub_domains": {"type": "dict", "default": {}},
            "kubeconfig": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
            "config": {"type": "path", "default": "/etc/kubernetes/reftopo/kubeadm.yaml"},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    params = module.params
    runner = Runner(module.run_command)
    cluster = Cluster(runner, params["kubeconfig"], params["config"], params["timeout"])
    try:
        own, before = cluster.own(), cluster.state()
        wanted = desired(own, params["upstream"], params["stub_domains"])
        steps = plan(before, wanted, own)
        if not module.check_mode:
            cluster.apply(steps, wanted)
        after = cluster.state().corefile if steps and not module.check_mode else wanted
    except NodeError as error:
        module.fail_json(msg=str(error), commands=runner.commands)
    diff = [{"before": before.corefile, "after": after, "before_header": "Corefile", "after_header": "Corefile"}]
    diff.append({"prepared": "".join(f"{step} CoreDNS\n" for step in steps)})
    shown = {"before": before.corefile, "after": after, "steps": steps}
    module.exit_json(changed=bool(steps), commands=runner.commands, diff=diff if steps else [], **shown)


if __name__ == "__main__":
    main()
