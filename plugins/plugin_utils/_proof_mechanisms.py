# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is claimed of each mechanism whose claims are judged one by one. Pure. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_bridge as bridge
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_datastore as datastore
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_etcd as etcd
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_ingress as ingress
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_load_balancer as load_balancer
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_nat as nat
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_nginx as nginx
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_peering as peering
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_pod as pod
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_asked as asked
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_deaf as deaf
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_rules as rules
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data

# The fixture that a test case has a claim in, the mechanism, and the claims from the topology alone.
MECHANISM_CLAIMS: tuple[tuple[str, str, t.Callable[[Data], t.Sequence[t.Any]]], ...] = (
    ("learned", "bridge", bridge.claims),
    ("translated", "nat", nat.claims),
    ("anatomy", "pod", pod.claims),
    ("recorded", "etcd", etcd.claims),
    ("ruled", "proxy", rules.claims),
    ("served", "proxy", asked.claims),
    ("unheard", "proxy", deaf.claims),
    ("balanced", "load-balancer", load_balancer.claims),
    ("led", "ingress", ingress.claims),
    ("followed", "ingress-nginx", nginx.claims),
    ("peered", "peering", peering.claims),
    ("stored", "datastore", datastore.claims),
)
