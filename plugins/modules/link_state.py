#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: link_state
short_description: Converges all links, addresses, routes and network namespaces of one owner on a machine
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Describes in one call everything that an owner has on a machine, its network namespaces included, and makes it so.
  - Reads with C(ip -j), writes with C(ip -batch), C(nft -f) and C(sysctl -p), reads again,
    and fails naming whatever is still different.
  - What is the owner's is marked in the kernel and never guessed. A link carries the alternative name
    C(reftopo.OWNER.MARK) and a link group made of the owner's name; a namespace is named C(reftopo.OWNER.NAME); a route
    or rule has protocol 152; address translation is in an nftables table
    C(ip reftopo.OWNER). Something that has a wanted name and lacks the mark is an error and is not touched.
  - Links, routes and rules of others, also in the owner's namespaces, stay as they are.
  - Routing tables are told apart by number, whatever names they have below C(/etc/iproute2).
  - A link of the owner that carries the machine's default route or the address of the running SSH session is not cut,
    unless O(allow_uplink) says so.
  - An interrupted call is completed by the next one.
requirements:
  - iproute2 and kernel 5.5 or newer, for alternative names
  - root
  - nft, for C(nat), and sysctl, for C(sysctls)
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: posix
options:
  owner:
    description:
      - In whose name links, routes and namespaces are made, such as the name of a topology.
      - Letters, digits, V(-) and V(_).
    type: str
    required: true
  state:
    description:
      - With V(overridden), the owner has what the other options describe and nothing else.
      - With V(merged), what they describe is added to what the owner has, and changed where it is there already; what
        is not mentioned stays. Entries of a list are added to it, and replace those with the same address, routes those
        with the same destination, table and metric, rules those with the same priority. Translations in C(nat) are put
        before those that are there.
      - With V(deleted), the owner has nothing. No process is stopped; a namespace that processes still use loses its
        name and the owner's links.
      - With V(verified), nothing is changed; it fails with every difference from what V(overridden) would make, by its
        place in the input.
      - With V(gathered), nothing is changed; RV(gathered) is what the owner has, as input of V(overridden), without
        C(sysctls), which have no mark. It takes O(owner) alone.
      - With V(rendered), RV(commands) are those that lead from nothing to what is described. No machine is looked at,
        and neither root nor iproute2 is needed.
    type: str
    choices: [merged, overridden, deleted, gathered, rendered, verified]
    default: overridden
  allow_uplink:
    description:
      - Whether a link of the owner in the machine's own namespace that carries its default route, or has the address at
        which the running SSH session arrived, may be deleted, made anew, taken down, given another master or lose that
        address, and whether a default route of the machine may be added to one that is there, or removed.
      - Without it, such a change is an error before anything is touched.
    type: bool
    default: false
  links:
    description:
      - Links of the machine's own namespace by name. A name has at most 15 characters.
      - The options of a link follow; others are errors.
      - C(kind) is what to make, V(bond), V(bridge), V(dummy), V(ipip), V(macvlan), V(tap), V(tun), V(veth), V(vlan) or
        V(vxlan). What the kernel cannot make is an error before anything is changed. A veth's other end is named by
        C(peer), and has an entry without C(kind) where it needs options; so has V(lo), in a namespace.
      - C(mark) is the last part of the alternative name, by default the link's name, in a namespace with the
        namespace's name and a dot before it. Both ends of a veth have the same, the other end with V(.peer) behind it.
      - C(peer) is the other end of a veth, with its C(name), and C(namespace) if it is not in the machine's own.
      - C(mtu), in bytes, and C(mac) are left as they are when not given.
      - C(master) is the bridge or bond of the same namespace that the link is a port of; without it the link is no
        port. A bond's port has no C(addresses) and no C(mac), and the MTU of the bond.
      - C(hairpin) says whether that bridge may send a frame back to the port that it came from, by default V(false).
      - C(up) says whether the link is up, by default V(true).
      - C(addresses) is the list of all IPv4 and IPv6 addresses with their prefix lengths, by default empty. Addresses
        that the kernel sets by itself do not count.
      - C(fdb) is the list of all forwarding entries that are not learned. Those of a vxlan have a C(mac) and the
        address C(dst) of the tunnel's other end; C(00:00:00:00:00:00) is for unknown and broadcast frames. Those of a
        bridge's port have a C(mac), and a C(vlan) where the bridge has C(vlan_filtering).
      - C(neighbours) is the list of all permanent neighbours, each with C(address) and C(mac).
      - The other options belong to kinds. One that is not given has its default, also on a link that exists. Where the
        kernel cannot change one, the link is made anew, with all that lies or hangs on it.
      - C(dev) is the link that this one lies on, for C(ipip) and C(vxlan) optional, for C(macvlan) and C(vlan)
        required. It is in the same namespace; in the machine's own it may be one of others.
      - For a bridge, C(vlan_filtering) and C(stp) are by default V(false). C(ageing) is after how many seconds a
        learned address is forgotten, by default V(300); while its spanning tree changes (35 seconds), the kernel hides
        that time, so that it is neither gathered nor compared.
      - For a vxlan, C(id) is required. C(port) is by default V(4789) as in RFC 7348; the kernel's own default is 8472.
        C(local) is the address to send from. Frames to unknown addresses go to C(group), a multicast address, which
        needs C(dev), or to C(remote), a unicast address. C(learning) is by default V(true), C(ttl) V(0), the kernel's
        choice.
      - For a vlan, C(id) is required. For an ipip, the IPv4 addresses C(local) and C(remote) are required; C(ttl) is by
        default V(0), that of the packet inside.
      - For a bond, C(mode) is by default V(balance-rr), and C(miimon), in milliseconds, V(100). For a macvlan, C(mode)
        is V(vepa) (the default), V(bridge), V(private) or V(passthru).
      - A tun or tap stays when no program has it open; until it has its alternative name, its mark is the number of the
        group of users that may open it.
    type: dict
    default: {}
  namespaces:
    description: Network namespaces by name, each with its own C(links), C(routes), C(rules), C(sysctls) and C(nat).
    type: dict
    default: {}
extends_documentation_fragment: [reftopo.lab.link_body, ansible.builtin.action_common_attributes]
"""

EXAMPLES = r"""
- name: Connect two namespaces by a bridge
  reftopo.lab.link_state:
    owner: demo
    links:
      demo-br: {kind: bridge, mark: lan, mtu: 1500, addresses: [10.1.1.1/24]}
      demo-ns1: {kind: veth, mark: ns1.eth0, master: demo-br, peer: {name: eth0, namespace: ns1}}
      demo-ns2: {kind: veth, mark: ns2.eth0, master: demo-br, peer: {name: eth0, namespace: ns2}}
    namespaces:
      ns1:
        links: {lo: {}, eth0: {addresses: [10.1.1.2/24]}}
        routes: [{to: default, via: 10.1.1.1}]
      ns2:
        links: {lo: {}, eth0: {addresses: [10.1.1.3/24]}}
        routes: [{to: default, via: 10.1.1.1}]

- name: Make one end of a tunnel between bridges, with the other end entered and not found by multicast
  reftopo.lab.link_state:
    owner: demo
    links:
      demo-br: {kind: bridge, stp: true, ageing: 60}
      demo-tunnel: {kind: vxlan, id: 42, master: demo-br, fdb: [{mac: "00:00:00:00:00:00", dst: 192.0.2.2}]}

- name: Add a namespace to it, and leave the rest as it is
  reftopo.lab.link_state:
    owner: demo
    state: merged
    links:
      demo-ns3: {kind: veth, mark: ns3.eth0, master: demo-br, peer: {name: eth0, namespace: ns3}}
    namespaces:
      ns3: {links: {eth0: {addresses: [10.1.1.4/24]}}}

- name: Send what comes from one network of a namespace by another router, and share the rest between two
  reftopo.lab.link_state:
    owner: demo
    state: merged
    namespaces:
      ns3:
        routes:
          - {to: default, nexthops: [{via: 10.1.1.1}, {via: 10.1.1.2, weight: 2}]}
          - {to: default, via: 10.1.1.3, table: 100}
          - {to: 10.9.0.0/16, type: unreachable}
        rules: [{priority: 100, from: 10.2.0.0/16, table: 100}]

- name: Show what it has by now
  reftopo.lab.link_state:
    owner: demo
    state: gathered
  register: demo_links

- name: Fail when it is not so any more
  reftopo.lab.link_state: "{{ demo_links['gathered'] | combine({'state': 'verified'}) }}"

- name: Remove everything of that owner
  reftopo.lab.link_state:
    owner: demo
    state: deleted
"""

RETURN = r"""
before:
  description: What the owner had, in the format of the input.
  type: dict
  returned: success, with O(state=merged), V(overridden), V(deleted) and V(verified)
  sample: {owner: demo, links: {}, routes: [], namespaces: {}}
after:
  description: What the owner has now, or would have in check mode, in the format of the input.
  type: dict
  returned: success, with O(state=merged), V(overridden), V(deleted) and V(verified)
  sample: {owner: demo, links: {demo-br: {kind: bridge, mark: lan}}, routes: [], namespaces: {}}
commands:
  description: The commands that lead from one to the other, in the order in which they ran or would run.
  type: list
  elements: str
  returned: success, except with O(state=gathered)
  sample: ["ip link add name demo-br group 1262304000 type bridge"]
gathered:
  description: What the owner has, in the format of the input.
  type: dict
  returned: success, with O(state=gathered)
  sample: {owner: demo, links: {demo-br: {kind: bridge, mark: lan, mtu: 1500}}, routes: [], namespaces: {}}
rendered:
  description: What is described, in the format of RV(after).
  type: dict
  returned: success, with O(state=rendered)
  sample: {owner: demo, links: {demo-br: {kind: bridge, mark: lan}}, routes: [], namespaces: {}}
problems:
  description: What is wrong, where in the input, and what to do about it.
  type: list
  elements: dict
  returned: failure
  sample: [{path: links.demo-br.mtu, problem: 20 is no MTU of a link, fix: use 68 to 65535}]
"""

import os
from dataclasses import asdict
from functools import partial

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import LinkStateError
from ansible_collections.reftopo.lab.plugins.module_utils._link_session import session_address
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import OPTIONS
from ansible_collections.reftopo.lab.plugins.module_utils._link_states import result


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    program = module.get_bin_path("ip", required=module.params["state"] != "rendered")
    run = partial(module.run_command, path_prefix=os.path.dirname(program or ""))
    try:
        found = result(run, module.params, module.check_mode, session_address(os.environ))
    except LinkStateError as error:
        module.fail_json(msg=str(error), problems=[asdict(problem) for problem in error.problems])
    module.exit_json(**found)


if __name__ == "__main__":
    main()
