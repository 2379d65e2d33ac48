#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: route_reflectors
short_description: Makes nodes of a Calico cluster route reflectors of BGP
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Runs on a control plane. Makes a BGPPeer C(route-reflectors) of all nodes with the reflectors, gives each reflector
    its label C(route-reflector) and its cluster id, and turns the node-to-node mesh off.
  - The order is that which loses least. A node with a cluster id leaves the mesh at once, so one comes after the other,
    each when BIRD of the one before has an established session with every node; the mesh goes last. Until then nodes
    that are no reflectors have their routes by it.
  - No other node keeps that label or cluster id. Other fields of the BGPConfiguration C(default) stay.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - reftopo.lab.attributes
options:
  cluster_id:
    description: The reflectors' cluster id, four bytes written as an IPv4 address (RFC 4456).
    type: str
    required: true
  nodes:
    description: The nodes that are reflectors.
    type: list
    elements: str
    required: true
  kubeconfig:
    description: A kubeconfig of the cluster's administrator.
    type: path
    default: /etc/kubernetes/admin.conf
  timeout:
    description: Seconds until the reflectors' sessions must be established. If they are not, the mesh is left on.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Let two nodes reflect routes
  reftopo.lab.route_reflectors:
    cluster_id: 244.0.0.1
    nodes: [w1, w2]
"""

RETURN = r"""
before:
  description: Each node's label and cluster id, the BGPPeer, and whether there is a mesh.
  type: dict
  returned: always
  sample: {"nodes": {"cp1": {}, "w1": {}}, "BGPPeer": {}, "nodeToNodeMeshEnabled": true}
after:
  description: The same after, in check mode as predicted.
  type: dict
  returned: always
  sample:
    nodes:
      cp1: {}
      w1: {"route-reflector": "true", "projectcalico.org/RouteReflectorClusterID": "244.0.0.1"}
    BGPPeer: {"nodeSelector": "all()", "peerSelector": "route-reflector == 'true'"}
    nodeToNodeMeshEnabled: false
commands:
  description: The commands that changed something; none in check mode.
  type: list
  elements: str
  returned: always
  sample: ["kubectl --kubeconfig=/etc/kubernetes/admin.conf create --filename=-"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner
from ansible_collections.reftopo.lab.plugins.module_utils._route_reflectors import Cluster, desired, parse, plan


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "cluster_id": {"type": "str", "required": True},
            "nodes": {"type": "list", "elements": "str", "required": True},
            "kubeconfig": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    params = module.params
    runner = Runner(module.run_command)
    cluster = Cluster(runner, params["kubeconfig"], params["timeout"])
    try:
        before = parse(cluster.items())
        wanted = desired(before, params["cluster_id"], params["nodes"])
        steps = plan(before, wanted)
        if not module.check_mode:
            cluster.apply(steps)
        after = parse(cluster.items()) if steps and not module.check_mode else wanted
    except NodeError as error:
        module.fail_json(msg=str(error), commands=runner.commands)
    shown = {"before": before.describe(), "after": after.describe()}
    module.exit_json(changed=bool(steps), commands=runner.commands, diff=shown, **shown)


if __name__ == "__main__":
    main()
