#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certificates
short_description: Makes a certificate authority and certificates of it
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Keeps C(ca) and one folder a certificate in a folder, each with C(tls.crt) and C(tls.key). Folders have mode 0700,
    keys 0600.
  - What is there is kept as long as C(openssl verify) takes it for what it is asked for; with the authority everything
    that it signed is made anew. What is not named any more is removed. Certificates are valid for a year.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details: Certificates are named, their contents are not shown.
  platform:
    platforms: posix
options:
  folder:
    description: Where they are kept.
    type: path
    required: true
  authority:
    description: The authority's name.
    type: str
    required: true
  servers:
    description:
      - Certificates of servers by name, each with the IP address that it is valid for. A client may show one as well.
    type: dict
    default: {}
  clients:
    description: Names of certificates of clients.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: An authority, a server, and two clients
  reftopo.lab.certificates:
    folder: ~/.local/state/reftopo/flannel-etcd/etcd
    authority: flannel-etcd
    servers:
      etcd: 172.30.49.11
    clients: [m1, m2]
"""

RETURN = r"""
steps:
  description: What was done, or would be in check mode, in order, each with its reason.
  type: list
  elements: str
  returned: always
  sample: ["make etcd: it is not there", "remove m3: nobody uses it"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._certificates import CertificateError, Folder, Wanted


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "authority": {"type": "str", "required": True},
            "servers": {"type": "dict", "default": {}},
            "clients": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    params = module.params
    folder = Folder(module.run_command, params["folder"], params["authority"])
    wanted = [Wanted(name, "server", str(address)) for name, address in params["servers"].items()]
    wanted += [Wanted(name, "client") for name in params["clients"]]
    try:
        steps = folder.plan(wanted)
        if not module.check_mode:
            folder.apply(steps, wanted)
    except (CertificateError, OSError) as error:
        module.fail_json(msg=str(error))
    described = [f"{action} {name}: {why}" for action, name, why in steps]
    diff = {"prepared": "".join(f"{line}\n" for line in described)} if steps else {}
    module.exit_json(changed=bool(steps), steps=described, diff=diff)


if __name__ == "__main__":
    main()
