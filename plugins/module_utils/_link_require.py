# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what the kernel lacks before anything is changed, by trying it aside. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._link_kind import TUNTAP
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import Link, LinkStateError, Problem, State, place
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import PreflightError
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_probe import FEATURES, try_features

Run = t.Callable[..., "tuple[int, str, str]"]


def require(run: Run, current: State, desired: State) -> None:
    """LinkStateError for each link that the kernel cannot make.

    Nothing is tried of what a link on the machine shows to work, and of what every kernel with namespaces has.
    """
    seen = {feature for _end, link in current.ends() for feature, _option in _features(link)}
    needed = [
        (feature, place(end.namespace, "links", end.name, option))
        for end, link in desired.ends()
        for feature, option in _features(link)
        if feature not in seen
    ]
    if not needed:
        return
    try:
        trials = try_features(run, sorted({feature for feature, _path in needed}))
    except PreflightError as error:
        raise LinkStateError(f"what the kernel can do could not be tried, nothing was changed: {error}") from error
    problems = [
        _problem(feature, path, trials[feature].detail) for feature, path in needed if not trials[feature].works
    ]
    if problems:
        raise LinkStateError("the kernel cannot do all of it, nothing was changed:", problems)


def _features(link: Link) -> t.Iterator[tuple[str, str]]:
    """What a link needs of FEATURES, and the option that needs it."""
    if link.kind not in ("", "bridge", "veth"):
        yield "tun" if link.kind in TUNTAP else link.kind, "kind"
    if link.options.get("vlan_filtering"):
        yield "vlan_filtering", "vlan_filtering"


def _problem(feature: str, path: str, said: str) -> Problem:
    module = FEATURES[feature].module
    how = f"load its module: modprobe {module}" if " " not in module else f"it takes {module}"
    fix = f"{how}; where there is none, use a machine or virtual machine whose kernel has it"
    return Problem(path, f"this kernel has no {feature} ({said})", fix)
