# SPDX-License-Identifier: GPL-3.0-or-later
"""Units with their files: from what is there to what has to be done, and what comes of it."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _units as units
from ansible_collections.reftopo.lab.plugins.module_utils._units import Applier, Desired, Observed, UnitError, plan

UNIT, FILE = "/etc/systemd/system/a.service", "/etc/a/tls.key"
DESIRED = Desired({"a.service": "[Unit]"}, {}, {FILE: "key"}, {"backend": "vxlan"})
RECORD = {"settings": {"backend": "vxlan"}, "units": {"a.service": DESIRED.digest}}
CONTENTS = {UNIT: "[Unit]", FILE: "key"}


def observed(contents=None, record=None, enabled=True, active="active"):
    return Observed(
        CONTENTS if contents is None else contents,
        RECORD if record is None else record,
        {"a.service": enabled},
        {"a.service": active},
    )


CASES = {
    "nothing to do": (observed(), []),
    "from nothing": (
        observed({}, {}, enabled=False, active="inactive"),
        [f"write {FILE}", f"write {UNIT}", "enable a.service", "start a.service"],
    ),
    "a file was changed by hand": (observed({**CONTENTS, FILE: "other"}), [f"write {FILE}"]),
    "the unit was stopped": (observed(active="inactive"), ["start a.service"]),
    "the unit failed": (observed(active="failed"), ["start a.service"]),
    "the unit was disabled": (observed(enabled=False), ["enable a.service"]),
    "written, but interrupted before the restart": (
        observed(record={**RECORD, "units": {"a.service": "of before"}}),
        ["restart a.service"],
    ),
    "started, but interrupted before it was recorded": (observed(record={}), ["restart a.service"]),
}


@pytest.mark.parametrize(("there", "steps"), CASES.values(), ids=CASES)
def test_plan(there, steps):
    assert [str(step) for step in plan(there, DESIRED)] == steps


def test_other_settings_are_refused_with_both_values():
    kept = {"settings": {"backend": "host-gw"}, "units": {}}
    with pytest.raises(UnitError) as refused:
        plan(observed(record=kept), DESIRED)
    assert str(refused.value) == (
        "backend: it was built with 'host-gw', the topology says 'vxlan'\n"
        "A network that is in use is not changed. Destroy the topology and build it again, or put the old values back."
    )


class Systemd:
    """A systemd whose unit goes through some states, one each time that it is asked."""

    def __init__(self, *states):
        self.states = list(states)
        self.asked = []

    def __call__(self, argv):
        self.asked.append(" ".join(argv))
        if argv[1] == "is-active":
            return 0, self.states.pop(0) + "\n", ""
        return 0, "what it said\n" if argv[0] == "journalctl" else "", ""


@pytest.fixture(autouse=True)
def written(monkeypatch):
    files = {}
    monkeypatch.setattr(units, "write_whole", lambda path, text, mode: files.update({path: (text, mode)}))
    monkeypatch.setattr(units, "POLL_INTERVAL", 0)
    return files


def test_a_unit_that_fails_at_first_is_waited_for_and_recorded(written):
    there = observed({}, {}, enabled=False, active="inactive")
    applier = Applier(Systemd("activating", "active"), DESIRED, 10)
    applier.apply(plan(there, DESIRED), there)
    assert applier.commands == [
        "systemctl daemon-reload",
        "systemctl enable --quiet a.service",
        "systemctl restart a.service",
    ]
    assert {path: mode for path, (_text, mode) in written.items()} == {FILE: 0o600, UNIT: 0o644, units.RECORD: 0o600}
    assert DESIRED.digest in written[units.RECORD][0]


@pytest.mark.parametrize(("states", "timeout"), [(["failed"], 10), (["activating"], -1)])
def test_a_unit_that_does_not_start_is_named_with_its_last_words_and_not_recorded(written, states, timeout):
    there = observed(active="inactive")
    with pytest.raises(UnitError, match=rf"a.service is {states[0]}, not active. Its last words:\nwhat it said"):
        Applier(Systemd(*states), DESIRED, timeout).apply(plan(there, DESIRED), there)
    assert units.RECORD not in written
