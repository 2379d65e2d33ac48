# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a probe and what the agent reported to a verdict. Pure.

This plugin util is PRIVATE to the collection. The rule of the house: an error satisfies no expectation, not even that
something must fail; and an answer from the wrong machine, or seen with the wrong source address, is no ok.
"""

from __future__ import annotations

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import NAMES, Data, Probe

OBSERVED = ("ok", "refused", "timeout", "unreachable", "too-big", "dns", "error")


def wrong_answer(probe: Probe, result: Data) -> str:
    """Why what came back is not what was asked for; empty when it is."""
    if result["observed"] == "too-big" and not (result.get("local") or probe.refused_anywhere):
        return "a router on the way refused the packet; the machine itself should have"
    if result["observed"] != "ok" or probe.protocol == "icmp":
        return ""
    if probe.protocol == "trace":
        return wrong_path(probe, result["hops"])
    if probe.protocol in NAMES:
        wanted = [probe.target.address] if probe.target.address else sorted(probe.target.answers)
        found = result.get("addresses")
        return "" if found == wanted else f"resolved to {found}, not {' and '.join(wanted)}"
    if result.get("server") not in probe.target.answers:
        return f"answered by {result.get('server')}, not {' or '.join(probe.target.answers)}"
    seen = result.get("source")
    return f"source address {seen} seen, not {probe.expect_source}" if probe.expect_source not in (None, seen) else ""


def wrong_path(probe: Probe, found: list[str]) -> str:
    """Why the machines that forwarded a packet are not those that should have."""
    right = len(found) == len(probe.hops) and all(one in hop.addresses for one, hop in zip(found, probe.hops))
    names = ", ".join(hop.name for hop in probe.hops)
    return "" if right else f"forwarded by {', '.join(found) or 'nobody'}, not {names}"


def judge(probe: Probe, result: Data) -> Data:
    """The entry of results.json for one probe."""
    observed = result["observed"] if result["observed"] in OBSERVED else "error"
    wrong = wrong_answer(probe, result)
    return {
        "check": probe.check,
        "control": probe.control,
        "from": probe.source.name,
        "to": probe.target.name,
        "protocol": probe.protocol,
        "target": target(probe),
        "expect": " or ".join(probe.expect),
        "observed": observed,
        "ms": result["ms"],
        "source": result.get("source"),
        "server": result.get("server"),
        "expect_source": probe.expect_source,
        "detail": wrong or result.get("detail", ""),
        "ok": observed != "error" and observed in probe.expect and not wrong,
    }


def target(probe: Probe) -> str:
    """Where a probe goes, as a person writes it."""
    if probe.protocol in NAMES:
        return probe.target.name
    if probe.size:
        return f"{probe.target.address}, {probe.size} bytes, DF"
    port = probe.target.ports.get(probe.protocol)
    return f"{probe.target.address}:{port}" if port and probe.protocol != "icmp" else probe.target.address


def line(record: Data) -> str:
    """One failing cell in one line."""
    control = f" [{record['control']}]" if record["control"] else ""
    detail = f" ({record['detail']})" if record["detail"] else ""
    return (
        f"{record['check']}{control}: {record['from']} -> {record['to']} ({record['target']}) {record['protocol']}: "
        f"expected {record['expect']}, observed {record['observed']}{detail}"
    )


def summary(probes: list[Data], asserts: list[Data]) -> dict[str, int]:
    """Counts over all probes and asserts; what could not be decided is an error, not a failure and never a pass."""
    entries = probes + asserts
    errors = sum(1 for entry in entries if entry.get("observed") == "error" or entry.get("error"))
    passed = sum(1 for entry in entries if entry["ok"])
    return {"passed": passed, "failed": len(entries) - passed - errors, "errors": errors, "skipped": 0}
