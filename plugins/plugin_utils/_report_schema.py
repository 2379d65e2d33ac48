# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of results.json as a JSON schema. PRIVATE to the collection.

What each part means is said in docs/architecture.md, "What the roles hand to each other".
"""

from __future__ import annotations

import typing as t

_TEXT = {"type": "string"}
_SECONDS = {"type": "number", "minimum": 0}
_MAYBE_TEXT = {"type": ["string", "null"]}
_COUNT = {"type": "integer", "minimum": 0}


def _object(required: dict[str, t.Any], **optional: t.Any) -> dict[str, t.Any]:
    return {"type": "object", "required": list(required), "properties": {**required, **optional}}


def _array(items: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"type": "array", "items": items}


# Of HTTP, ok is an answer by a pod, and any other answer its status (RFC 9110, section 15).
_ANY = r"ok|refused|timeout|unreachable|too-big|dns|[1-5]\d\d"
SCHEMA = _object(
    {
        "topology": _object({"name": _TEXT, "segments": {"type": "object"}, "nodes": {"type": "object"}}),
        "started": _TEXT,
        "elapsed": _SECONDS,
        "versions": {"type": "object", "additionalProperties": _TEXT},
        "endpoints": _array(_object({"name": _TEXT, "kind": _TEXT, "node": _MAYBE_TEXT, "address": _MAYBE_TEXT})),
        "probes": _array(
            _object(
                {
                    **{key: _TEXT for key in ("check", "from", "to", "protocol", "target")},
                    "control": _MAYBE_TEXT,
                    "expect": {"type": "string", "pattern": f"^({_ANY})( or ({_ANY}))*$"},
                    "observed": {"type": "string", "pattern": f"^({_ANY}|error)$"},
                    "ms": {"type": ["number", "null"], "minimum": 0},
                    "source": _MAYBE_TEXT,
                    "ok": {"type": "boolean"},
                },
                detail=_TEXT,
                server=_MAYBE_TEXT,
            )
        ),
        "asserts": _array(
            _object(
                {**{key: _TEXT for key in ("check", "name", "detail", "command")}, "node": _MAYBE_TEXT}
                | {"ok": {"type": "boolean"}},
                control=_MAYBE_TEXT,
                error={"type": "boolean"},
            )
        ),
        "summary": _object(dict.fromkeys(("failed", "errors", "skipped"), _COUNT)),
    },
    phases=_array(_object({"name": _TEXT, "seconds": _SECONDS})),
    requests=_array(
        _object(
            {
                **{key: _TEXT for key in ("check", "name", "from", "to", "protocol", "expect")},
                "control": _MAYBE_TEXT,
                "asked": _COUNT,
                "failed": _COUNT,
                "runs": _array({"type": "array", "prefixItems": [_TEXT, _COUNT], "minItems": 2, "maxItems": 2}),
                "before": _array(_TEXT),
                "after": _array(_TEXT),
                "ok": {"type": "boolean"},
            },
            detail=_TEXT,
        )
    ),
    paths=_array(
        _object(
            {
                **{key: _TEXT for key in ("check", "from", "to", "protocol", "target", "observed", "source")},
                **{key: _TEXT for key in ("node", "mode", "command", "end")},
                **{key: _MAYBE_TEXT for key in ("control", "server", "seen")},
                "rules": _array(_TEXT),
                "chance": _TEXT,
                "masqueraded": {"type": "boolean"},
                "detail": _TEXT,
                "ok": {"type": "boolean"},
            }
        )
    ),
)
