# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a run's reports: results.json, junit.xml and report.html. PRIVATE to the collection.

The suite calls `write_reports` when it ends; nothing else needs to be known of the modules beside this one.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible_collections.reftopo.lab.plugins.plugin_utils._report_area import areas
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_html import page
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_junit import junit
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import read_results


def render_reports(results: dict[str, t.Any]) -> dict[str, str]:
    """Return the text of each file by its name.

    :param results: the shape of docs/architecture.md; `summary` and `areas` are counted anew.
    :raises ResultsError: the results do not keep to that shape; its text names every place.
    """
    checked = read_results(results)
    return {
        "results.json": json.dumps({**results, "summary": checked.summary, "areas": areas(checked)}, indent=1) + "\n",
        "junit.xml": junit(checked),
        "report.html": page(checked),
    }


def write_reports(results: dict[str, t.Any], folder: Path) -> Path:
    """Write the files of :func:`render_reports` to a folder, made where it is missing; return the page's path."""
    files = render_reports(results)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "report.html"
