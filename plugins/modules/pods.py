#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pods
short_description: Makes pods by hand, with containerd and CNI plugins and without a kubelet
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Does for each pod what a container runtime does for the kubelet. A pause container holds the network, IPC and UTS
    namespaces, CNI plugins of C(/opt/cni/bin) attach the network namespace, and the pod's containers join all three.
  - Containers are started with C(ctr) in containerd's namespace C(k8s.io), where a node has its images.
  - Pods that this module made and that are not named any more are detached and removed; others are left alone. What was
    made of what is recorded in C(/var/lib/reftopo/pods).
  - A pod whose parts change is made anew. A container that has ended is started again, and where the plugins' C(CHECK)
    finds a pod's network not as they left it, or the pause container has ended, the pod is made anew.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - reftopo.lab.attributes
options:
  network:
    description:
      - The network configuration list, as L(the CNI specification,https://www.cni.dev/docs/spec/#configuration-format)
        has it, with V(cniVersion), V(name) and V(plugins).
      - Written to C(/etc/cni/net.d/10-NAME.conflist).
    type: dict
    required: true
  pods:
    description:
      - The pods by name; each maps the names of its containers to the commands that they run.
      - A container's id in containerd is V(POD.CONTAINER), that of the pause container V(POD).
    type: dict
    required: true
  image:
    description: The containers' image, which containerd must have.
    type: str
    required: true
  pause_image:
    description: The pause container's image, which containerd must have.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: One pod of two containers
  reftopo.lab.pods:
    network:
      cniVersion: 1.0.0
      name: pods
      plugins:
        - type: bridge
          bridge: cni0
          isGateway: true
          ipam: {type: host-local, ranges: [[{subnet: 10.88.0.0/24}]]}
    pods:
      web:
        server: [/agnhost, netexec, --http-port=8080]
        sidecar: [/agnhost, netexec, --http-port=8090]
    image: registry.k8s.io/e2e-test-images/agnhost:2.66.1
    pause_image: registry.k8s.io/pause:3.10.2
"""

RETURN = r"""
steps:
  description: What was done, or would be in check mode, in order.
  type: list
  elements: str
  returned: always
  sample: ["write /etc/cni/net.d/10-pods.conflist", "make web", "start web.server", "start web.sidecar"]
commands:
  description: The commands that ran, and the calls of CNI plugins.
  type: list
  elements: str
  returned: always
  sample:
    - ctr --namespace=k8s.io run --detach --null-io --hostname=web registry.k8s.io/pause:3.10.2 web
    - CNI ADD web
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._file import read_text
from ansible_collections.reftopo.lab.plugins.module_utils._pod_apply import converge
from ansible_collections.reftopo.lab.plugins.module_utils._pod_model import Desired, PodError, configuration_file
from ansible_collections.reftopo.lab.plugins.module_utils._pod_plan import configuration


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "network": {"type": "dict", "required": True},
            "pods": {"type": "dict", "required": True},
            "image": {"type": "str", "required": True},
            "pause_image": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    desired = Desired(params["network"], params["pods"], params["image"], params["pause_image"])
    file = configuration_file(desired.network)
    before = read_text(file) or ""
    try:
        steps, commands = converge(module.run_command, desired, module.check_mode)
    except PodError as error:
        module.fail_json(msg=str(error))
    described = [str(step) for step in steps]
    network = {"before_header": file, "after_header": file, "before": before, "after": configuration(desired.network)}
    diff = [network] if before != network["after"] else []
    diff.append({"prepared": "".join(f"{line}\n" for line in described)})
    module.exit_json(changed=bool(steps), steps=described, commands=commands, diff=diff if steps else [])


if __name__ == "__main__":
    main()
