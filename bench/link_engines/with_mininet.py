# SPDX-License-Identifier: GPL-3.0-or-later
"""Mininet: hosts with one link each on a Linux bridge, no controller. For the system's Python."""

from __future__ import annotations

import resource

import mininet.net
from layout import Layout, measure
from mininet.nodelib import LinuxBridge

# It raises limits and sysctls of the machine; a benchmark does not.
mininet.net.fixLimits = lambda: None


class Mininet:
    """One host a namespace: only for layouts with as many namespaces as pairs, on one bridge."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))  # each host is a shell with a terminal and pipes

    def create(self) -> None:
        """As in a script of Mininet's API."""
        self.net = mininet.net.Mininet(topo=None, build=False, controller=None)
        switch = self.net.addSwitch("s1", cls=LinuxBridge)
        for wire in self.layout.wires():
            self.net.addLink(self.net.addHost(wire.namespace, ip=wire.address), switch)
        self.net.build()
        self.net.start()
        switch.cmd(f"ifconfig s1 {self.layout.gateways()['b0']}")

    def change(self) -> None:
        """Another address of the last host."""
        self.net.hosts[-1].setIP(self.layout.changed())

    def delete(self) -> None:
        """Hosts, links and bridge."""
        self.net.stop()


if __name__ == "__main__":
    measure(Mininet)
