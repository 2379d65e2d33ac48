# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with forwarding entries, neighbours and ports of the input. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from ipaddress import ip_address

from ansible_collections.reftopo.lab.plugins.module_utils._link_entry import FLOOD, is_for_several
from ansible_collections.reftopo.lab.plugins.module_utils._link_kind import MASTERS, VLAN_IDS, WITHOUT_MAC
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import End, Problem
from ansible_collections.reftopo.lab.plugins.module_utils._link_value import MAC

if t.TYPE_CHECKING:
    from ansible_collections.reftopo.lab.plugins.module_utils._link_check import Spec

Data = dict[str, t.Any]
Problems = t.Iterator[Problem]


def entries(spec: Spec) -> Problems:
    """Every problem with forwarding entries and neighbours."""
    seen: dict[tuple[t.Any, ...], str] = {}
    for end, options in spec.links.items():
        for path, entry in (options or {}).get("fdb", {}).items():
            yield from _fdb_entry(spec, end, entry, path)
            yield from _duplicate(seen, _fdb_key(end, options or {}, entry), path)
        for path, neighbour in (options or {}).get("neighbours", {}).items():
            yield from _neighbour(spec, end, neighbour, path)
            yield from _duplicate(seen, (end, "neighbour", _normal(neighbour["address"])), path)


def _duplicate(seen: dict[tuple[t.Any, ...], str], key: tuple[t.Any, ...], path: str) -> Problems:
    other = seen.setdefault(key, path)
    if other != path:
        yield Problem(path, f"says the same as {other} or contradicts it", "keep one of them")


def _fdb_key(end: End, options: Data, entry: Data) -> tuple[t.Any, ...]:
    """What two entries cannot have in common: a bridge knows one port for each address and VLAN."""
    mac = entry["mac"].lower()
    if not entry.get("dst"):
        return (end.namespace, options.get("master"), mac, entry.get("vlan"))
    several = MAC.fullmatch(mac) and is_for_several(mac)
    return (end, "vxlan", mac, _normal(entry["dst"]) if several else None)


def _normal(address: str) -> str:
    """The address as the kernel shows it; a wrong one stays as it is."""
    try:
        return str(ip_address(address))
    except ValueError:
        return address


def _fdb_entry(spec: Spec, end: End, entry: Data, path: str) -> Problems:
    mac = entry["mac"].lower()
    if not MAC.fullmatch(mac):
        yield Problem(f"{path}.mac", f"{entry['mac']!r} is no MAC address", 'write it as "02:00:00:00:00:01"')
    if spec.kind(end) == "vxlan":
        yield from _vxlan_entry(spec.links[end] or {}, entry, path)
        return
    if entry.get("dst"):
        yield Problem(f"{path}.dst", "only entries of a vxlan have a destination", "remove it")
    if MAC.fullmatch(mac) and is_for_several(mac):
        yield Problem(f"{path}.mac", f"a bridge has no entry for {mac}", "use the unicast address of one machine")
    yield from _port_entry(spec, end, entry, path)


def _vxlan_entry(options: Data, entry: Data, path: str) -> Problems:
    dst = entry.get("dst")
    if not dst:
        yield Problem(f"{path}.dst", "is missing", "name the address of the tunnel's other end")
        return
    try:
        version = ip_address(dst).version
    except ValueError:
        yield Problem(f"{path}.dst", f"{dst!r} is no IP address", "write it as 10.0.0.1 or fd00::1")
        return
    others = [_normal(options[name]) for name in ("local", "remote", "group") if options.get(name)]
    if any((":" in other) != (version == 6) for other in others):
        yield Problem(f"{path}.dst", f"{dst} and {others[0]} are of different IP versions", "use one version")
    if entry["mac"] == FLOOD and _normal(dst) in [_normal(options.get(name) or "") for name in ("remote", "group")]:
        yield Problem(path, f"unknown frames go to {dst} already by remote or group", "remove it, or that")
    if entry.get("vlan"):
        yield Problem(f"{path}.vlan", "only entries of a bridge's port have a VLAN", "remove it")


def _port_entry(spec: Spec, end: End, entry: Data, path: str) -> Problems:
    master = End(end.namespace, (spec.links[end] or {}).get("master") or "")
    if spec.kind(master) != "bridge":
        yield Problem(
            path, "the link has no FDB: it is neither a vxlan nor a bridge's port", "set master, or remove it"
        )
        return
    filtering, vlan = (spec.links[master] or {}).get("vlan_filtering"), entry.get("vlan")
    if vlan is not None and not filtering:
        yield Problem(f"{path}.vlan", f"{master.name} knows no VLANs", "remove it, or set vlan_filtering: true there")
    elif vlan is None and filtering:
        # Without one, br_fdb_add makes an entry for each VLAN that the port is then in.
        yield Problem(
            f"{path}.vlan", f"is missing, and {master.name} has vlan_filtering", "name it; a new port is in 1"
        )
    elif vlan is not None and vlan not in VLAN_IDS:
        yield Problem(f"{path}.vlan", f"{vlan} is out of range", f"use {VLAN_IDS[0]} to {VLAN_IDS[-1]}")


def _neighbour(spec: Spec, end: End, neighbour: Data, path: str) -> Problems:
    mac = neighbour["mac"]
    try:
        if ip_address(neighbour["address"]).is_multicast:
            yield Problem(f"{path}.address", "a group has no neighbour entry", "use a unicast address")
    except ValueError as error:
        yield Problem(f"{path}.address", str(error), "write it as 10.0.0.1 or fd00::1")
    if not MAC.fullmatch(mac.lower()):
        yield Problem(f"{path}.mac", f"{mac!r} is no MAC address", 'write it as "02:00:00:00:00:01"')
    if spec.kind(end) in WITHOUT_MAC:
        yield Problem(path, f"a link of kind {spec.kind(end)} has no neighbours by MAC address", "remove it")


def master(spec: Spec, end: End, name: str, path: str) -> Problems:
    """What is wrong with the bridge or bond that a link is a port of."""
    above, kind = End(end.namespace, name), spec.kind(end)
    if not spec.declares(above):
        fix = "declare it, with kind: bridge or bond"
        yield Problem(path, f"{name!r} is not among the links of its namespace", fix)
    elif spec.readable and spec.kind(above) not in MASTERS:
        yield Problem(path, f"{name!r} is no bridge", "name a link with kind: bridge or bond")
    elif kind == "bridge":
        yield Problem(path, "a bridge cannot be a port", "join bridges by a veth")
    elif kind in WITHOUT_MAC:
        yield Problem(path, f"a link of kind {kind} carries no Ethernet frames", "use tap or vxlan")
    elif spec.kind(above) == "bond":
        yield from _bond_port(spec, end, above, path)


def _bond_port(spec: Spec, end: End, bond: End, path: str) -> Problems:
    options, where = spec.links[end] or {}, path.rpartition(".")[0]
    if spec.kind(end) == "bond":
        yield Problem(path, "a bond cannot be a bond's port", "give its ports to the other bond")
    for name in ("addresses", "neighbours", "mac", "fdb", "hairpin"):
        if options.get(name):
            yield Problem(
                f"{where}.{name}", "a bond's port has none of its own", f"remove it, or set it for {bond.name}"
            )
    mtu, common = options.get("mtu"), (spec.links[bond] or {}).get("mtu")
    if mtu and mtu != common:
        fix = f"remove it, and set it for {bond.name}"
        yield Problem(
            f"{where}.mtu", f"a bond's ports have its MTU, and that of {bond.name} is {common or 'not set'}", fix
        )
