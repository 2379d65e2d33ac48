#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: units
short_description: Runs units of systemd with the files that they work by
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Writes files and units, enables the units, and starts them. A unit is restarted when any of the files or units of
    the call is not as when it was started.
  - Waits until every unit is active, which for C(Type=notify) means that it says so itself.
  - An interrupted run is continued by the next. What a unit was started with is recorded in
    C(/var/lib/reftopo/units.json).
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - reftopo.lab.attributes
attributes:
  diff_mode:
    details: Files given as O(secrets) are named, their contents are not shown.
options:
  units:
    description: The units by name, each with the text of its file in C(/etc/systemd/system).
    type: dict
    required: true
  files:
    description: Absolute paths and contents of files that the units work by, mode 0644.
    type: dict
    default: {}
  secrets:
    description: The same for files with secrets, mode 0600.
    type: dict
    default: {}
  settings:
    description:
      - What cannot change while the machine has units of this module; recorded with the first of them.
      - A call with others is refused before anything is touched, naming both values.
    type: dict
    default: {}
  timeout:
    description: Seconds until all units must be active.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Run flanneld
  reftopo.lab.units:
    units:
      flanneld.service: "{{ lookup('ansible.builtin.template', 'flanneld.service.j2') }}"
    files:
      /etc/flannel/ca.crt: "{{ lookup('ansible.builtin.file', 'ca/tls.crt', rstrip=false) }}"
    secrets:
      /etc/flannel/tls.key: "{{ lookup('ansible.builtin.file', 'm1/tls.key', rstrip=false) }}"
"""

RETURN = r"""
steps:
  description: What was done, or would be in check mode, in order.
  type: list
  elements: str
  returned: always
  sample: ["write /etc/systemd/system/flanneld.service", "enable flanneld.service", "start flanneld.service"]
commands:
  description: The commands that ran.
  type: list
  elements: str
  returned: always
  sample: ["systemctl daemon-reload", "systemctl enable --quiet flanneld.service", "systemctl restart flanneld.service"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._file import diffs
from ansible_collections.reftopo.lab.plugins.module_utils._units import Applier, Desired, UnitError, observe, plan


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "dict", "required": True},
            "files": {"type": "dict", "default": {}},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "settings": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    params = module.params
    desired = Desired(params["units"], params["files"], params["secrets"], params["settings"])
    applier = Applier(module.run_command, desired, params["timeout"])
    try:
        observed = observe(module.run_command, desired)
        steps = plan(observed, desired)
        if steps and not module.check_mode:
            applier.apply(steps, observed)
    except UnitError as error:
        module.fail_json(msg=str(error), commands=applier.commands)
    described = [str(step) for step in steps]
    written = [step.subject for step in steps if step.action == "write" and step.subject not in desired.secrets]
    diff = diffs(written, observed.contents, desired.contents())
    diff.append({"prepared": "".join(f"{line}\n" for line in described)})
    module.exit_json(changed=bool(steps), steps=described, commands=applier.commands, diff=diff if steps else [])


if __name__ == "__main__":
    main()
