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
    has protocol 152; address translation is in an nftables table
    C(ip reftopo.OWNER). Something that has a wanted name and lacks the mark is an error and is not touched.
  - Of the owner's, everything that is not described is removed. Links and routes of others, also in the owner's
    namespaces, stay as they are.
  - An interrupted call is completed by the next one.
requirements:
  - iproute2 and kernel 5.5 or newer, for alternative names
  - root
  - nft, for C(nat), and sysctl, for C(sysctls)
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
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
      - With V(deleted), the owner has nothing. No process is stopped; a namespace that processes still use loses its
        name and the owner's links.
    type: str
    choices: [overridden, deleted]
    default: overridden
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
        learned address is forgotten, by default V(300).
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
  routes:
    description: Routes of the machine's own namespace, each by one of O(links). At most one to each destination.
    type: list
    elements: dict
    default: []
    suboptions:
      to:
        description: A network such as V(10.1.0.0/16), or V(default); that one is IPv6 when O(routes[].via) is.
        type: str
        required: true
      via:
        description: Address of the next router.
        type: str
      dev:
        description: The link that it leaves by; in a namespace not needed with O(routes[].via).
        type: str
      scope:
        description: Of an IPv4 route; by default V(global) with O(routes[].via), else V(link).
        type: str
        choices: [global, link]
  sysctls:
    description:
      - Settings of the kernel by name, such as C(net.ipv4.ip_forward), also as C(net/ipv4/conf/eth0.5/rp_filter).
      - Only in a namespace, where they go with it; for the machine's own, any are refused. What is not named stays
        as it is.
    type: dict
    default: {}
  nat:
    description:
      - Address translation for IPv4 in the machine's own namespace, as rules of a table of the owner's own, which is
        replaced as a whole when it differs.
      - Rules of one kind are tried in their order. Packets to which others' rules of nftables apply first keep those.
    type: list
    elements: dict
    default: []
    suboptions:
      action:
        description:
          - V(masquerade) gives what leaves the address of the link that it leaves by, V(snat) the address O(nat[].to).
          - V(dnat) maps O(nat[].port) to O(nat[].to), also for what the machine sends itself, save to 127.0.0.0/8.
            To reach a mapped port from the target's own subnet, masquerade what goes from it into it.
        type: str
        required: true
        choices: [masquerade, snat, dnat]
      to:
        description: An address for V(snat), an address with a port such as V(172.18.0.2:80) for V(dnat).
        type: str
      protocol:
        description: Protocol of a mapped port.
        type: str
        choices: [tcp, udp]
      port:
        description: The port that is mapped.
        type: int
      source:
        description: Address or network that packets come from; not with V(dnat).
        type: str
      destination:
        description: Where packets go to; with V(dnat) one address, by default all of the machine's own.
        type: str
      in:
        description: Link that packets come in by; kernel 5.7 or newer, save with V(dnat).
        type: str
      not_in:
        description: Link that packets do not come in by; with V(dnat).
        type: str
      out:
        description: Link that packets leave by; not with V(dnat).
        type: str
      not_out:
        description: Link that packets do not leave by, as a container engine's bridge; not with V(dnat).
        type: str
  namespaces:
    description: Network namespaces by name, each with its own C(links), C(routes), C(sysctls) and C(nat).
    type: dict
    default: {}
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

- name: Remove everything of that owner
  reftopo.lab.link_state:
    owner: demo
    state: deleted
"""

RETURN = r"""
before:
  description: What the owner had, in the format of the input.
  type: dict
  returned: success
  sample: {owner: demo, links: {}, routes: [], namespaces: {}}
after:
  description: What the owner has now, or would have in check mode, in the format of the input.
  type: dict
  returned: success
  sample: {owner: demo, links: {demo-br: {kind: bridge, mark: lan}}, routes: [], namespaces: {}}
commands:
  description: The commands that lead from one to the other, in the order in which they ran or would run.
  type: list
  elements: str
  returned: success
  sample: ["ip link add name demo-br group 1262304000 type bridge"]
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
from ansible_collections.reftopo.lab.plugins.module_utils._link_apply import converge
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import LinkStateError
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import OPTIONS, desired_state


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    folder = os.path.dirname(module.get_bin_path("ip", required=True))
    run = partial(module.run_command, path_prefix=folder)
    try:
        result = converge(run, desired_state(module.params), module.check_mode)
    except LinkStateError as error:
        module.fail_json(msg=str(error), problems=[asdict(problem) for problem in error.problems])
    diff = {"before": result.before, "after": result.after}
    module.exit_json(changed=bool(result.commands), commands=result.commands, diff=diff, **diff)


if __name__ == "__main__":
    main()
