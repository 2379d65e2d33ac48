#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: existing_host
short_description: Makes a node of a host that is there already, and takes that back
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Puts on a host with Debian and systemd what a node of a cluster needs, which nodes that are made have from their
    image. That is the artifacts' programs and container images, units, settings, and packages.
  - Refuses a host that cannot be a node or is in use as one, with all reasons at once, before anything is touched.
    Nothing that is there already is changed or written over.
  - What is put there, and what was there before, is recorded first, in C(/var/lib/reftopo/existing.json).
    O(state=absent) takes back what the record says, and needs nothing else. The next run continues an interrupted one.
  - The contents are brought by the action plugin of this name, which runs on the controller, and only those that the
    host has not.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - reftopo.lab.attributes
attributes:
  diff_mode:
    details: Lists the steps.
options:
  state:
    description: V(absent) takes back what was put there, and what the programs that were put there made.
    type: str
    choices: [present, absent]
    default: present
  owner:
    description: The topology's name. A host that is a node of another one is refused.
    type: str
    required: true
  node:
    description:
      - The node as the compiled topology has it; C(name), C(role) and the first of C(interfaces) are used.
      - It must have the name, the address and the MTU that the host has already.
    type: dict
  artifacts:
    description:
      - Folder of the artifacts on the controller, whose manifest says what goes where.
      - One that is not complete yet is taken for empty in check mode, so that the host can be looked at before.
    type: path
  left_out:
    description: Programs of the artifacts that the host does not get.
    type: list
    elements: str
    default: []
  files:
    description: Absolute paths on the host, each with the file on the controller that goes there.
    type: dict
    default: {}
  packages:
    description: Debian packages. Those that are there stay as they are.
    type: list
    elements: str
    default: []
  units:
    description: Units to enable; C(containerd.service) among them is started.
    type: list
    elements: str
    default: []
  links:
    description:
      - Names of links that the network plugin will make, or patterns of a shell. They must not be there, and go with
        O(state=absent).
    type: list
    elements: str
    default: []
  networks:
    description:
      - Networks that no route of the host may overlap, by their place in the topology's file. Routes to them that the
        network plugin left go with O(state=absent).
    type: dict
    default: {}
  ports:
    description: Ports that must be free at first, lists by V(tcp) and V(udp).
    type: dict
    default: {}
  needs:
    description: Kernel features to try, by the names that M(reftopo.lab.preflight) has for them.
    type: list
    elements: str
    default: []
  brought:
    description: What the action plugin makes of O(artifacts), O(left_out) and O(files). Not for playbooks.
    type: dict
    suboptions:
      machine:
        description: The architecture that the programs are for, as uname(1) has it.
        type: str
        required: true
      contents:
        description: Absolute paths with C(sha256), C(mode) and C(size).
        type: dict
        required: true
      images:
        description: Container images by name, with the same of their archives.
        type: dict
        required: true
      incoming:
        description: Folder on the host with the contents that it lacks; until it is there, nothing is done.
        type: path
"""

EXAMPLES = r"""
- name: Make a node of the host
  reftopo.lab.existing_host:
    owner: office
    node: "{{ reftopo_node }}"
    artifacts: "{{ artifacts_result['path'] }}"
    files:
      /etc/containerd/config.toml: "{{ role_path }}/files/config.toml"
    packages: [conntrack, runc]
    units: [containerd.service, kubelet.service]

- name: Take it back
  reftopo.lab.existing_host:
    owner: office
    state: absent
"""

RETURN = r"""
steps:
  description: What was done, or would be in check mode, in order.
  type: list
  elements: str
  returned: always
  sample: ["record /var/lib/reftopo/existing.json", "install conntrack", "write /usr/bin/kubelet"]
commands:
  description: The commands that ran.
  type: list
  elements: str
  returned: always
  sample: ["systemctl enable --quiet kubelet.service"]
lacking:
  description: Digests of contents that the host had not.
  type: list
  elements: str
  returned: success
  sample: []
kept:
  description: What was put there and stays, because it is not only ours any more; each is a warning, too.
  type: list
  elements: str
  returned: success
  sample: []
container:
  description: Whether the host shares its kernel with the machine that carries it, as containers do.
  type: bool
  returned: when O(state=present)
  sample: false
emulated:
  description: Whether the host is a virtual machine without KVM, which takes minutes for what others do in seconds.
  type: bool
  returned: when O(state=present)
  sample: false
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._existing_converge import absent, present
from ansible_collections.reftopo.lab.plugins.module_utils._existing_record import ExistingError
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import PreflightError

BROUGHT = {
    "machine": {"type": "str", "required": True},
    "contents": {"type": "dict", "required": True},
    "images": {"type": "dict", "required": True},
    "incoming": {"type": "path"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "owner": {"type": "str", "required": True},
            "node": {"type": "dict"},
            "artifacts": {"type": "path"},
            "left_out": {"type": "list", "elements": "str", "default": []},
            "files": {"type": "dict", "default": {}},
            "packages": {"type": "list", "elements": "str", "default": []},
            "units": {"type": "list", "elements": "str", "default": []},
            "links": {"type": "list", "elements": "str", "default": []},
            "networks": {"type": "dict", "default": {}},
            "ports": {"type": "dict", "default": {}},
            "needs": {"type": "list", "elements": "str", "default": []},
            "brought": {"type": "dict", "options": BROUGHT},
        },
        required_if=[("state", "present", ["node", "brought"])],
        supports_check_mode=True,
    )
    module.run_command_environ_update = {"LC_ALL": "C"}
    converge = absent if module.params["state"] == "absent" else present
    try:
        result = converge(module.params, module.run_command, module.check_mode)
    except (ExistingError, PreflightError) as error:
        module.fail_json(msg=str(error))
    for line in result["kept"]:
        module.warn(line)
    diff = {"prepared": "".join(f"{line}\n" for line in result["steps"])} if result["steps"] else {}
    module.exit_json(changed=bool(result["steps"]), diff=diff, **result)


if __name__ == "__main__":
    main()
