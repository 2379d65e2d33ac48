# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of link_state that are for the machine's own namespace what a namespace has besides links."""

from __future__ import annotations


class ModuleDocFragment:
    """What M(reftopo.lab.link_state) takes besides links."""

    DOCUMENTATION = r"""
options:
  routes:
    description:
      - Routes of the machine's own namespace, each by O(links).
      - At most one to each destination in a table with a metric. Where one differs in something else, it is replaced.
    type: list
    elements: dict
    default: []
    suboptions:
      to:
        description:
          - A network such as V(10.1.0.0/16), or V(default).
          - V(default) is IPv6 when its routers are; without a router, write V(::/0) for that.
        type: str
        required: true
      via:
        description: Address of the next router.
        type: str
      dev:
        description: The link that it leaves by; in a namespace not needed with O(routes[].via).
        type: str
      scope:
        description: Of an IPv4 route; by default V(link) for one by a link without a router, else V(global).
        type: str
        choices: [global, link]
      table:
        description:
          - The routing table, V(main) (the default), V(default) or a number from 1 to 4294967295, but not 255, which is
            the kernel's own.
          - Another than V(main) and V(default) is only looked into by a rule, such as O(rules) make in a namespace.
        type: str
      metric:
        description: Of several routes to a destination, the lowest applies; by default 0 for IPv4 and 1024 for IPv6.
        type: int
      source:
        description: Address that packets get which the machine itself sends without one.
        type: str
      type:
        description:
          - What becomes of the packets. V(blackhole) drops them, V(unreachable) and V(prohibit) say so to the sender,
            V(throw) has the next rule applied. By default V(unicast), which sends them on.
          - The others only in a namespace, since on the machine itself only its link says whose a route is.
        type: str
        choices: [unicast, blackhole, unreachable, prohibit, throw]
      nexthops:
        description: Two or more routers that share the packets, in place of O(routes[].via) and O(routes[].dev).
        type: list
        elements: dict
        suboptions:
          via:
            description: Address of the router; for IPv6 required.
            type: str
          dev:
            description: The link that it is behind; in a namespace not needed with O(routes[].nexthops[].via).
            type: str
          weight:
            description: How large its share is, 1 to 256, by default V(1).
            type: int
  rules:
    description:
      - Rules of policy routing, which say in which table a packet's route is looked for. The lowest priority is first.
      - Only in a namespace; for the machine's own, any are refused, since nothing at a rule says whose it is.
      - They have protocol 152, as the routes. A rule of others at the same priority is an error.
      - A rule is IPv6 when its networks are, and without networks IPv4; V(::/0) is every IPv6 address.
      - Where there are IPv6 rules, an IPv4 rule of priority 32768 that does nothing tells later runs of them.
    type: list
    elements: dict
    default: []
    suboptions:
      priority:
        description: 1 to 32765, before the kernel's own rules. For each IP version, every rule has another one.
        type: int
        required: true
      from:
        description: Network that packets come from, by default any.
        type: str
      to:
        description: Network that packets go to, by default any.
        type: str
      iif:
        description: Link that packets come in by; V(lo) for those that the namespace sends itself.
        type: str
      oif:
        description: Link that a program has bound its socket to.
        type: str
      fwmark:
        description: Mark that nftables or a program gave to packets, as V(0x10), with a mask as V(0x10/0xff).
        type: str
      table:
        description: Where to look, as O(routes[].table). Where that table has no route, the next rule applies.
        type: str
      type:
        description: What becomes of the packets, in place of O(rules[].table); as O(routes[].type).
        type: str
        choices: [blackhole, unreachable, prohibit]
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
"""
