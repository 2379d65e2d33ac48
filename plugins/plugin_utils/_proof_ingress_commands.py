# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands by which pods serve what is behind an ingress controller, and by which that is asked. Pure.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_commands import find_pod, pack, python
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data

SERVER = ("_probe_web",)
ASK = ("_probe_protocols", "_probe_web", "_probe_web_ask")


def serve(name: str, address: str, port: int) -> str:
    """Run a web server in the network of the pod with an address, until standard input closes."""
    return f'{find_pod(address)}; test -n "$pod" && ip netns exec $pod {python(SERVER, name, str(port))}'


def ask(netns: str, jobs: list[Data]) -> str:
    """Make requests from a namespace; prints a JSON list of results."""
    return f"ip netns exec {netns} {python(ASK, pack(jobs))}"
