# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an owner has, as input that describes it. PRIVATE to the collection."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from ansible_collections.reftopo.lab.plugins.module_utils import _link_render
from ansible_collections.reftopo.lab.plugins.module_utils._link_kind import AGEING, HIDDEN
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import ROOT, End, Link, LinkStateError, State
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import desired_state
from ansible_collections.reftopo.lab.plugins.module_utils._natural import natural

Data = dict[str, t.Any]


def gathered(current: State) -> Data:
    """The owner's live state in the format of the input.

    What the input cannot say is left out: what an interrupted run left, and what others did to the owner's links and
    tables, such as making a link the port of a foreign bridge.
    """
    state = current.with_links(lambda end, link: _marked(current.owner, end, link))
    namespaces = {
        name: replace(body, rules=tuple(rule for rule in body.rules if not rule.other))
        for name, body in state.namespaces.items()
    }
    data = _link_render.whole(replace(state, namespaces=namespaces))
    while problems := _problems(data):
        # By whole entries of a list, the last first, so that the numbers of those before stay right
        for path in sorted({re.sub(r"\].*", "]", path) for path in problems}, key=natural, reverse=True):
            _remove(data, path)
    return data


def _marked(owner: str, end: End, link: Link) -> Link | None:
    if link.name == "lo":
        untouched = not (link.up or link.addresses)  # as in a new namespace
        return None if untouched or end.namespace == ROOT else replace(link, mtu=None, mac=None)
    options = {name: _describable(value) for name, value in link.options.items()}
    return replace(link, options=options) if link.owner == owner and link.mark else None


def _describable(value: t.Any) -> t.Any:
    """An option's value; a bridge shows its ageing time in hundredths of a second, or not at all."""
    return AGEING.default if value == HIDDEN else int(value) if isinstance(value, float) else value


def _problems(data: Data) -> list[str]:
    """The places that are wrong."""
    try:
        desired_state(data)
    except LinkStateError as error:
        return [problem.path for problem in error.problems]
    return []


def _remove(data: t.Any, path: str) -> None:
    """Remove what is at a path, or what it is missing from."""
    key, rest = _step(data, path)
    if _step(data[key], rest)[0] is None:
        del data[key]
    else:
        _remove(data[key], rest)


def _step(data: t.Any, path: str) -> tuple[t.Any, str]:
    """The first key of a path and what follows; None when there is no such. Keys may have dots."""
    keys = dict(enumerate(data)) if isinstance(data, list) else data if isinstance(data, dict) else {}
    for key in keys:
        word = f"[{key}]" if isinstance(data, list) else key
        if path.startswith(word) and path[len(word) :][:1] in ("", ".", "["):
            return key, path[len(word) :].lstrip(".")
    return None, path
