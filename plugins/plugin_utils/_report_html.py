# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as one HTML page that needs nothing else. PRIVATE to the collection."""

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

from ansible_collections.reftopo.lab.plugins.plugin_utils._report_advice import failures, troubles
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_area import AREAS, states
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_matrix import SYMBOLS, matrix
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import Requests, Results
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_path import path_picture
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_requests import requests_picture
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_service import service_pictures
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_svg import OUTCOMES, STYLE, THEME, Picture, svg
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_topology import topology_picture

try:
    import jinja2
    import markupsafe
except ImportError:  # both come with Ansible; here only so that documentation tools can import the file
    jinja2 = markupsafe = None

FEW = 8  # states of a lab that are shown side by side; of more each is shown when it is asked for
TEMPLATES = Path(__file__).resolve().parent / "templates"


@functools.cache
def _template() -> jinja2.Template:
    """The page; strict, so that a wrong name is an error and not a hole in the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html.j2")


def page(results: Results) -> str:
    """Return the page; the same results give the same text."""
    path = path_picture(results.topology, results.endpoints)
    return _template().render(
        results=results,
        topology=results.topology,
        symbols=SYMBOLS,
        style=markupsafe.Markup(THEME + STYLE + OUTCOMES),
        topology_svg=_svg(topology_picture(results.topology, results.endpoints)),
        path_svg=_svg(path) if path else "",
        troubles=troubles(results.items, results),
        areas=_areas(results),
        addresses={endpoint["name"]: endpoint["address"] for endpoint in results.endpoints},
        failures=lambda item: ", ".join(f"{word} {count}" for word, count in failures(item).items()),
        few=FEW,
        longest=max((seconds for _name, seconds in results.phases), default=0.0),
    )


def _svg(picture: Picture) -> markupsafe.Markup:
    return markupsafe.Markup(svg(picture))


def _areas(results: Results) -> list[dict[str, t.Any]]:
    """What the page shows of each area, in the order of AREAS. A check without cells of its own is about Services."""
    found = states(results)
    home = {probe.check: state.area for state in found for probe in state.probes}
    checks: dict[str, list[str]] = {state.area: [] for state in found}
    for check in dict.fromkeys(item.check for item in (*results.requests, *results.paths)):
        checks.setdefault(home.get(check, "services"), []).append(check)
    return [
        {
            "key": area,
            "name": AREAS[area],
            "matrices": [matrix(results, state) for state in found if state.area == area],
            "requests": [one for check in checks[area] for one in _requests(results, check)],
            "paths": [one for check in checks[area] for one in _paths(results, check)],
        }
        for area in AREAS
        if area in checks
    ]


def _requests(results: Results, check: str) -> list[tuple[str, list[Requests], markupsafe.Markup]]:
    """What was asked all the while, by what was changed: its title, the figures, their picture."""
    found: dict[str | None, list[Requests]] = {}
    for item in results.requests:
        if item.check == check:
            found.setdefault(item.control, []).append(item)
    return [
        (control or check, items, _svg(requests_picture(f"{check}-{number}", items)))
        for number, (control, items) in enumerate(found.items())
    ]


def _paths(results: Results, check: str) -> list[tuple[str, bool, markupsafe.Markup]]:
    """The pictures of a check's paths: title, whether rules and answers agree, and the picture."""
    wrong = {path.control or path.check for path in results.paths if path.check == check and not path.ok}
    return [(name, name not in wrong, _svg(picture)) for name, picture in service_pictures(results, check).items()]
