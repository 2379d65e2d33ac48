#!/usr/bin/python
# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Tells whether this machine can carry a topology
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Looks for exactly what the compiled topology needs, and fails with every problem at once, each with its fix.
  - Kernel features are tried, in a network and mount namespace that ends with the trial. Nothing else is touched; the
    kernel may load a module of its own that a trial is the first to use.
  - Where a bridge of the topology is there already and something else is plugged in there, whether that has one of the
    topology's addresses is asked by ARP (RFC 5227).
  - Warns of what the topology has chosen that is retired upstream.
  - What cannot be known before the role C(host) has installed a package is reported as C(later), not as good.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: Never changes anything.
  diff_mode:
    support: none
  platform:
    platforms: posix
options:
  name:
    description: The topology's name.
    type: str
    required: true
  topology:
    description: The compiled topology, see docs/architecture.md. Empty when its file has errors.
    type: dict
    default: {}
  errors:
    description: What the inventory plugin found wrong with the topology's file; each is reported as a problem.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where in the file.
        type: str
        required: true
      problem:
        description: What is wrong.
        type: str
        required: true
      fix:
        description: How to put it right.
        type: str
        required: true
  cache_dir:
    description: Folder of artifacts and node images; its file system must have room for them. It need not exist.
    type: path
    default: ~/.cache/reftopo
  state_dir:
    description:
      - The topology's state folder, whose C(cluster.json) says what its cluster was built with. It need not exist.
      - Without it nothing is said of a cluster that is there.
    type: path
"""

EXAMPLES = r"""
- name: Look at this machine
  reftopo.lab.preflight:
    name: flannel-vxlan
    topology: "{{ reftopo_topology }}"
    cache_dir: "{{ reftopo_cache_dir }}"
"""

RETURN = r"""
gone:
  description: Nodes that carry the topology's mark and that it no longer has, or whose removal was interrupted.
  type: list
  elements: str
  returned: success
  sample: ["w2"]
checks:
  description: Every line of the table as data. A failure has all of it in its message.
  type: list
  elements: dict
  returned: success
  contains:
    what:
      description: The thing that was looked for.
      type: str
      sample: "kernel: vxlan"
    needed_by:
      description: What of the topology's file needs it.
      type: str
      sample: cluster.cni.backend
    found:
      description: What is there instead, or how it is there.
      type: str
      sample: works in a scratch namespace
    verdict:
      description: V(ok), V(later) (a package is missing that the role C(host) installs) or V(PROBLEM).
      type: str
      sample: ok
    fix:
      description: What to do about a problem; empty otherwise.
      type: str
      sample: ""
later:
  description: What has to be looked at again when packages are installed.
  type: list
  elements: str
  returned: success
  sample: ["kernel: nftables"]
table:
  description: The lines of the table, ready to be shown.
  type: list
  elements: str
  returned: success
"""

from dataclasses import asdict
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_addresses import with_wires
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_checks import cautions, checks, topology_errors
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_members import gone
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import LATER, PreflightError
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_observe import RECORD, observe
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_table import problems, table

ERROR = {name: {"type": "str", "required": True} for name in ("path", "problem", "fix")}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "topology": {"type": "dict", "default": {}},
            "errors": {"type": "list", "elements": "dict", "default": [], "options": ERROR},
            "cache_dir": {"type": "path", "default": "~/.cache/reftopo"},
            "state_dir": {"type": "path"},
        },
        supports_check_mode=True,
    )
    module.run_command_environ_update = {"LC_ALL": "C"}
    params = module.params
    topology, lines, leaving = params["topology"], topology_errors(params["errors"]), []
    record = Path(params["state_dir"], RECORD) if params["state_dir"] else None
    try:
        if topology:
            facts = observe(module.run_command, params["name"], topology["needs"], Path(params["cache_dir"]), record)
            facts = with_wires(module.run_command, facts, topology)
            lines += checks(facts, topology)
            leaving = gone(facts, topology)
    except PreflightError as error:
        module.fail_json(msg=str(error))
    failure = problems(params["name"], lines)
    if failure:
        module.fail_json(msg=f"{table(lines)}\n\n{failure}")
    for text in cautions(topology):
        module.warn(text)
    later = [line.what for line in lines if line.verdict == LATER]
    module.exit_json(
        changed=False,
        gone=leaving,
        later=later,
        table=table(lines).splitlines(),
        checks=[asdict(line) for line in lines],
    )


if __name__ == "__main__":
    main()
