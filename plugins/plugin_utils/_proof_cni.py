# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What CNI plugins returned against what the kernel has, and what they leave when they are done. Pure.

This plugin util is PRIVATE to the collection. Source of the result's shape: the CNI specification, section 5.
"""

from __future__ import annotations

import re

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data


def result_faults(pod: str, facts: Data) -> list[str]:
    """Where the kernel and the result of the CNI plugins differ."""
    result, network = facts["results"][pod], facts["networks"][pod]
    sandbox = f"/proc/{facts['containers'][pod]['pid']}/ns/net"
    found = []
    for interface in result["interfaces"]:
        links = network["links"] if interface.get("sandbox") else facts["links"]
        found += _interface_faults(interface, links, sandbox)
    inside = {interface["name"] for interface in result["interfaces"] if interface.get("sandbox")}
    found += [f"there is a link {link['ifname']}" for link in network["links"] if link["ifname"] not in {"lo", *inside}]
    return found + _address_faults(result, network) + _route_faults(result, network)


def _interface_faults(interface: Data, links: list[Data], sandbox: str) -> list[str]:
    link = _named(links, interface["name"])
    if not link:
        return [f"there is no link {interface['name']}"]
    found = []
    if interface.get("sandbox", sandbox) not in ("", sandbox):
        found.append(f"{interface['name']} was put in {interface['sandbox']}, not in {sandbox}")
    for key, mine in (("mac", "address"), ("mtu", "mtu")):
        if interface.get(key) and interface[key] != link[mine]:
            found.append(f"{interface['name']}: {key} is {link[mine]}, was returned as {interface[key]}")
    return found


def _named(links: list[Data], name: str) -> Data:
    return next((link for link in links if link["ifname"] == name), {})


def _address_faults(result: Data, network: Data) -> list[str]:
    names = [interface["name"] for interface in result["interfaces"]]
    inside = next(interface["name"] for interface in result["interfaces"] if interface.get("sandbox"))
    returned = {(names[ip["interface"]] if "interface" in ip else inside, ip["address"]) for ip in result["ips"]}
    kept = {
        (link["ifname"], f"{address['local']}/{address['prefixlen']}")
        for link in network["links"]
        for address in link["addr_info"]
        if address["scope"] == "global"
    }
    return [f"{name} has not {address}" for name, address in sorted(returned - kept)] + [
        f"{name} has {address}, which was not returned" for name, address in sorted(kept - returned)
    ]


def _route_faults(result: Data, network: Data) -> list[str]:
    """A route that names no gateway goes by that of the addresses; IPv4 alone."""
    kept = {(row["dst"], row.get("gateway")) for row in network["routes"] if row.get("protocol") != "kernel"}
    default = next((ip["gateway"] for ip in result["ips"] if "gateway" in ip), None)
    returned = {
        ("default" if route["dst"] == "0.0.0.0/0" else route["dst"], route.get("gw", default))
        for route in result.get("routes", ())
        if ":" not in route["dst"]
    }
    return [f"there is no route to {to} by {via}" for to, via in sorted(returned - kept)] + [
        f"there is a route to {to} by {via}, which was not returned" for to, via in sorted(kept - returned)
    ]


def plugged_faults(pod: str, facts: Data) -> list[str]:
    """The two ends name each other by number, and the outer one is on the bridge of the result."""
    result, inner = facts["results"][pod], _named(facts["networks"][pod]["links"], "eth0")
    outside = [_named(facts["links"], one["name"]) for one in result["interfaces"] if not one.get("sandbox")]
    bridge = next((link for link in outside if link.get("linkinfo", {}).get("info_kind") == "bridge"), {})
    ports = [link for link in outside if link.get("linkinfo", {}).get("info_kind") == "veth"]
    pairs = [
        link
        for link in ports
        if (link["ifindex"], link["link_index"]) == (inner.get("link_index"), inner.get("ifindex"))
    ]
    if not pairs:
        return [f"none of {', '.join(link['ifname'] for link in ports) or 'no veth'} is the other end of eth0"]
    return [
        f"{link['ifname']} is a port of {link.get('master')}, not of {bridge.get('ifname')}"
        for link in pairs
        if not bridge or link.get("master") != bridge["ifname"]
    ]


def residue(pod: str, before: Data, after: Data, leased: bool) -> list[str]:
    """What still names a pod on its node once it is detached: its link there, its addresses, and its own name.

    The link must have been found while it was attached, and with a lease all of them, else the search itself is blind.
    """
    result = before["results"][pod]
    links = [one["name"] for one in result["interfaces"] if not one.get("sandbox") and one["name"].startswith("veth")]
    words = [*links, *(ip["address"].partition("/")[0] for ip in result["ips"]), pod]
    patterns = {word: rf"(?<![\w.-]){re.escape(word)}(?![\w.-])" for word in words}
    blind = [
        f"{word} was not found before, so it is not looked for rightly"
        for word in (words if leased else links)
        if not re.search(patterns[word], before["traces"])
    ]
    return blind + [
        f"{word}: {text.strip()}"
        for word in words
        for text in after["traces"].splitlines()
        if re.search(patterns[word], text)
    ]
