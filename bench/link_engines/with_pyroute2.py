# SPDX-License-Identifier: GPL-3.0-or-later
"""pyroute2: netlink without processes, the same requests as by hand. For a Python that has it."""

from __future__ import annotations

from layout import Layout, measure
from pyroute2 import IPRoute, netns


class Pyroute2:
    """One socket a namespace."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def create(self) -> None:
        """Everything from nothing."""
        for name in self.layout.names():
            netns.create(name)
        with IPRoute() as ip:
            self._outside(ip)
        for name in self.layout.names():
            with IPRoute(netns=name) as ip:
                self._inside(ip, name)

    def _outside(self, ip: IPRoute) -> None:
        indexes = {}
        for bridge, address in self.layout.gateways().items():
            ip.link("add", ifname=bridge, kind="bridge")
            indexes[bridge] = ip.link_lookup(ifname=bridge)[0]
            self._address(ip, "add", address, indexes[bridge])
            ip.link("set", index=indexes[bridge], state="up")
        for wire in self.layout.wires():
            peer = {"ifname": wire.inner, "net_ns_fd": wire.namespace}
            ip.link("add", ifname=wire.outer, kind="veth", peer=peer)
            index = ip.link_lookup(ifname=wire.outer)[0]
            ip.link("set", index=index, master=indexes[wire.bridge], state="up")

    def _inside(self, ip: IPRoute, name: str) -> None:
        ip.link("set", index=1, state="up")
        for wire in self.layout.wires():
            if wire.namespace == name:
                index = ip.link_lookup(ifname=wire.inner)[0]
                self._address(ip, "add", wire.address, index)
                ip.link("set", index=index, state="up")

    def _address(self, ip: IPRoute, action: str, address: str, index: int) -> None:
        local, length = address.split("/")
        ip.addr(action, address=local, prefixlen=int(length), index=index)

    def change(self) -> None:
        """Another address of the last pair."""
        last = self.layout.wires()[-1]
        with IPRoute(netns=last.namespace) as ip:
            index = ip.link_lookup(ifname=last.inner)[0]
            self._address(ip, "del", last.address, index)
            self._address(ip, "add", self.layout.changed(), index)

    def delete(self) -> None:
        """The pairs go with their namespaces."""
        for name in self.layout.names():
            netns.remove(name)
        with IPRoute() as ip:
            for bridge in self.layout.gateways():
                ip.link("del", ifname=bridge)


if __name__ == "__main__":
    measure(Pyroute2)
