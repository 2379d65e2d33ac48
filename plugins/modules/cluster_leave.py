#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_leave
short_description: Takes nodes out of a kubeadm cluster
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Drains the nodes, so that what their pods' controllers want runs elsewhere, deletes the Node objects, and removes
    the pods of DaemonSets that are left without a node.
  - Pods without a controller are lost, as is what pods keep on the node (C(emptyDir)).
  - Marks each node's folder first, so that an interrupted removal is known as one, and is ended by running again.
  - The machines themselves are left alone; M(reftopo.lab.container_nodes) and M(reftopo.lab.vm_nodes) remove them.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - reftopo.lab.attributes
options:
  nodes:
    description: Names of the nodes. One that is no member any more is no error.
    type: list
    elements: str
    required: true
  folder:
    description: Folder of the topology's nodes in the cache, C(nodes/<topology>).
    type: path
    required: true
  kubectl:
    description: The kubectl binary to run.
    type: path
    required: true
  kubeconfig:
    description: A kubeconfig of the cluster's administrator.
    type: path
    required: true
  timeout:
    description:
      - Seconds until the nodes' pods must have ended. A PodDisruptionBudget may keep them longer; the call then fails.
    type: int
    default: 240
"""

EXAMPLES = r"""
- name: Take a node out of the cluster
  reftopo.lab.cluster_leave:
    nodes: [w2]
    folder: /root/.cache/reftopo/nodes/flannel-vxlan
    kubectl: /root/.cache/reftopo/artifacts/0123456789abcdef/bin/kubectl
    kubeconfig: /root/.local/state/reftopo/flannel-vxlan/admin.conf
"""

RETURN = r"""
before:
  description: The nodes that are members, and the pods on them.
  type: dict
  returned: always
  sample: {"nodes": ["w2"], "pods": ["kube-system/coredns-5d78c9869d-4vjwq"]}
after:
  description: The same after; in check mode as predicted.
  type: dict
  returned: always
  sample: {"nodes": [], "pods": []}
commands:
  description: The commands that changed something; none in check mode.
  type: list
  elements: str
  returned: always
  sample: ["kubectl drain w2"]
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._cluster_leave import Cluster, Observed
from ansible_collections.reftopo.lab.plugins.module_utils._file import write_whole
from ansible_collections.reftopo.lab.plugins.module_utils._node_common import LEAVING
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "nodes": {"type": "list", "elements": "str", "required": True},
            "folder": {"type": "path", "required": True},
            "kubectl": {"type": "path", "required": True},
            "kubeconfig": {"type": "path", "required": True},
            "timeout": {"type": "int", "default": 240},
        },
        supports_check_mode=True,
    )
    params = module.params
    runner = Runner(module.run_command)
    cluster = Cluster(runner, [params["kubectl"], f"--kubeconfig={params['kubeconfig']}"], params["nodes"])
    try:
        before = cluster.observe()
        after = Observed()
        if before != Observed() and not module.check_mode:
            for name in params["nodes"]:
                write_whole(os.path.join(params["folder"], name, LEAVING), "")
            cluster.remove(before.nodes, params["timeout"])
            after = cluster.observe()
    except (NodeError, OSError) as error:
        module.fail_json(msg=str(error), commands=runner.commands)
    diff = {"before": before.describe(), "after": after.describe()}
    module.exit_json(changed=before != Observed(), commands=runner.commands, diff=diff, **diff)


if __name__ == "__main__":
    main()
