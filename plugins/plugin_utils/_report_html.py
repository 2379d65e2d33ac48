# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as one HTML page that needs nothing else. PRIVATE to the collection."""

from __future__ import annotations

import functools
from pathlib import Path

from ansible_collections.reftopo.lab.plugins.plugin_utils._report_advice import troubles
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_matrix import SYMBOLS, matrix
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import Results
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_path import path_picture
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_svg import STYLE, THEME, svg
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
        style=markupsafe.Markup(THEME + STYLE),
        topology_svg=markupsafe.Markup(svg(topology_picture(results.topology, results.endpoints))),
        path_svg=markupsafe.Markup(svg(path)) if path else "",
        troubles=troubles([*results.probes, *results.asserts], results),
        matrices=[matrix(results, control) for control in results.controls],
        addresses={endpoint["name"]: endpoint["address"] for endpoint in results.endpoints},
        few=FEW,
        longest=max((seconds for _name, seconds in results.phases), default=0.0),
    )
