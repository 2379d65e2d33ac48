# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of pods' network namespaces that stay where the network plugin could not be asked any more."""

from __future__ import annotations

import dataclasses

from ansible_collections.reftopo.lab.plugins.module_utils._existing_plan import plan_absent
from ansible_collections.reftopo.lab.plugins.module_utils._step import Step

LEFT, BEFORE = "/run/netns/cni-left", "/run/netns/cni-before"


def test_names_of_pods_that_could_not_be_taken_back_go(node):
    record = dataclasses.replace(node.record, before=dataclasses.replace(node.record.before, paths=(BEFORE,)))
    now = dataclasses.replace(node.now, paths=("/run/netns", BEFORE, LEFT))
    steps = plan_absent(dataclasses.replace(node, now=now, record=record))
    assert [step for step in steps if "netns" in str(step)] == [Step("remove", LEFT), Step("rmdir", "/run/netns")]
