#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm
short_description: Makes a machine a member of a kubeadm cluster
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Runs C(kubeadm init) or C(kubeadm join) once, applies the cluster's first manifests while C(init) still runs, and
    starts the kubelet of a member that was stopped.
  - An interrupted run leaves no record; the next one resets what it finds half done and begins anew. If only the
    playbook was killed and its work on the machine still goes on, the next call waits for that to end.
  - kubeadm applies its configuration only once, so a member whose settings differ is refused, naming both values. Who
    else is a worker is none of them.
  - Settings of kube-proxy (C(proxy_mode), C(proxy_modes), C(proxy_scheduler)) are in a manifest, so they can change.
    Only from V(iptables) to V(ipvs) or back is refused, as kube-proxy would leave the old mode's rules behind.
  - Another backend of flannel is taken over. The control plane applies it, every member waits until its own
    routes are there, removes what is left of the old one, and gives pods that run the new MTU.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - reftopo.lab.attributes
attributes:
  diff_mode:
    details: Files given as O(secrets) are named, their contents are not shown.
options:
  role:
    description: What the machine is in the cluster.
    type: str
    choices: [control-plane, worker]
    required: true
  endpoint:
    description: The API server's V(address:port), which a worker waits for.
    type: str
    required: true
  settings:
    description: What the cluster is built with; recorded on the member and compared at every later run.
    type: dict
    required: true
  files:
    description:
      - Absolute paths and contents of files that kubeadm needs, mode 0644.
      - Those below C(/etc/kubernetes/reftopo/manifests/) are applied to the cluster. Of a C(kustomization.yaml) it is
        what C(kubectl kustomize) makes of it, by server-side apply.
    type: dict
    default: {}
  secrets:
    description:
      - The same for files with secrets, mode 0600.
      - Must hold C(/etc/kubernetes/reftopo/kubeadm.yaml), the configuration of C(kubeadm).
    type: dict
    required: true
  timeout:
    description: Seconds until a call that still works must end and the API server must answer.
    type: int
    default: 240
"""

EXAMPLES = r"""
- name: Join the cluster
  reftopo.lab.kubeadm:
    role: worker
    endpoint: 172.30.10.11:6443
    settings:
      kubernetes: v1.37.2
    secrets:
      /etc/kubernetes/reftopo/kubeadm.yaml: "{{ lookup('ansible.builtin.template', 'join.yaml.j2') }}"
"""

RETURN = r"""
steps:
  description: What was done, or would be in check mode, in order.
  type: list
  elements: str
  returned: always
  sample:
    - write /etc/kubernetes/reftopo/kubeadm.yaml
    - join /etc/kubernetes/reftopo/kubeadm.yaml
    - record /etc/kubernetes/reftopo/member.json
commands:
  description: The commands that ran.
  type: list
  elements: str
  returned: always
  sample: ["kubeadm join --config /etc/kubernetes/reftopo/kubeadm.yaml"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._file import diffs
from ansible_collections.reftopo.lab.plugins.module_utils._kubeadm_apply import Applier, observe
from ansible_collections.reftopo.lab.plugins.module_utils._kubeadm_plan import CONFIG, Desired, KubeadmError, plan


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "role": {"type": "str", "choices": ["control-plane", "worker"], "required": True},
            "endpoint": {"type": "str", "required": True},
            "settings": {"type": "dict", "required": True},
            "files": {"type": "dict", "default": {}},
            "secrets": {"type": "dict", "required": True, "no_log": True},
            "timeout": {"type": "int", "default": 240},
        },
        supports_check_mode=True,
    )
    params = module.params
    desired = Desired(params["role"], params["settings"], params["files"], params["secrets"])
    if CONFIG not in desired.contents():
        module.fail_json(msg=f"secrets: {CONFIG} is missing; kubeadm takes its configuration from that file")
    applier = Applier(module.run_command, desired, params["endpoint"], params["timeout"])
    try:
        with applier.alone():
            observed = observe(applier.run, desired, applier.wait_for)
            steps = plan(observed, desired)
            if steps and not module.check_mode:
                applier.apply(steps)
    except KubeadmError as error:
        module.fail_json(msg=str(error), commands=applier.commands)
    described = [str(step) for step in steps]
    written = [step.subject for step in steps if step.action == "write" and step.subject in desired.files]
    diff = diffs(written, observed.files, desired.files)
    diff.append({"prepared": "".join(f"{line}\n" for line in described)})
    module.exit_json(changed=bool(steps), steps=described, commands=applier.commands, diff=diff if steps else [])


if __name__ == "__main__":
    main()
