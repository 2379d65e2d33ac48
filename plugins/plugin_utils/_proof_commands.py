# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that the suite runs on machines, and what makes a broken link whole again. Pure.

This plugin util is PRIVATE to the collection. Whatever changes a machine ends when its standard input closes, so that
it also ends when the suite is killed.
"""

from __future__ import annotations

import base64
import json
import pathlib
import shlex
import zlib

from ansible_collections.reftopo.lab.plugins.module_utils._flannel_etcd import etcdctl
from ansible_collections.reftopo.lab.plugins.module_utils._probe_agent import PARALLEL
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot

UTILS = "ansible_collections.reftopo.lab.plugins.module_utils."
AGENT = ("_probe_dns", "_probe_protocols", "_probe_trace", "_probe_agent")  # the last one runs
SERVER = ("_probe_server",)
STEADY = (*AGENT, "_probe_steady")
PODS = ("_pod_model", "_probe_pods")
ETCD = ("_flannel_etcd", "_probe_etcd")
ARP = ("_probe_arp",)
DETACH = ("_pod_model", "_pod_cni", "_probe_detach")
HELD = "reftopo: held"
RULES = "ip -4 rule show"
LISTENING = "listening on"  # tcpdump, when it misses nothing from now on
SNAPLEN = 320  # bytes of a frame: all headers and the key, which every probe has first in its payload

# Python finds a module that is already in sys.modules by its full name without looking for its packages.
BOOTSTRAP = """
import base64, json, sys, types, zlib
files = json.loads(zlib.decompress(base64.b64decode(sys.argv[1])))
for name, text in files:
    module = sys.modules[name] = types.ModuleType(name)
    module.__name__ = "__main__" if name == files[-1][0] else name
    exec(compile(text, name, "exec"), module.__dict__)
"""


def pack(data: object) -> str:
    """JSON as compressed text that survives a shell and a command line."""
    return base64.b64encode(zlib.compress(json.dumps(data).encode(), 9)).decode()


def python(modules: tuple[str, ...], *arguments: str) -> str:
    """A command that runs private module utils, sent along, with the machine's own Python."""
    folder = pathlib.Path(__file__).parents[1] / "module_utils"
    texts = [(UTILS + name, (folder / f"{name}.py").read_text(encoding="utf-8")) for name in modules]
    return shlex.join(["python3", "-c", BOOTSTRAP, pack(texts), *arguments])


def agent(jobs: list[Data], parallel: int = PARALLEL) -> str:
    """Run jobs with the probe agent, so many at a time; prints a JSON list of results."""
    return python(AGENT, str(parallel), pack(jobs))


def server(end: Endpoint) -> str:
    """Run the probe server of an endpoint, in its namespace where it is one, until standard input closes."""
    prefix = f"ip netns exec {end.namespace.rpartition('/')[2]} " if end.namespace else ""
    return prefix + python(SERVER, end.answers[0], end.address, str(end.ports["tcp"]), str(end.ports["udp"]))


def steady(source: Endpoint, protocol: str, target: Endpoint, pause: float) -> str:
    """Ask a server for its name from a pod, with so many seconds between; print it when standard input closes."""
    port = str(target.ports[protocol])
    return python(STEADY, source.address, protocol, target.address, port, str(pause))


def who_has(netns: str, interface: str, sender: str, addresses: list[str]) -> str:
    """Print, as JSON, whose MAC addresses are claimed for each address on the wire of a namespace's interface."""
    return f"ip netns exec {netns} {python(ARP, interface, sender, ','.join(addresses))}"


def pod_facts() -> str:
    """Print what a node says of its pods, as JSON."""
    return python(PODS)


def etcd_facts(endpoint: str, *identity: str) -> str:
    """Print what flanneld leased, if it did, and whom etcd answers there, as JSON; identity is as in the probe."""
    return python(ETCD, endpoint, *identity)


def forget_lease(endpoint: str, key: str) -> str:
    """Stop a node's flanneld and delete its lease; start flanneld again when standard input closes."""
    delete = shlex.join(etcdctl(endpoint, "del", key))
    return hold(f"systemctl stop flanneld && {delete} | grep -qx 1", "systemctl start flanneld")


def populate(kubectl: str, objects: list[Data], selector: str) -> str:
    """Make objects in the cluster, and delete all namespaces that a selector matches when standard input closes.

    What an earlier run left of them is waited for: nothing can be made in a namespace that is on its way out.
    """
    before = f"{kubectl} delete namespaces --selector={selector} >/dev/null"
    after = f"{before} --wait=false"
    return hold(f"{{ {{ {before} && {apply(kubectl, objects)}; }} || {{ {after}; exit 1; }}; }}", after)


def apply(kubectl: str, objects: list[Data]) -> str:
    """Make objects, or change them to what they are to be."""
    return f"{_listed(objects)} | {kubectl} apply --server-side --filename=- >/dev/null"


def remove(kubectl: str, objects: list[Data]) -> str:
    """Delete objects."""
    return f"{_listed(objects)} | {kubectl} delete --filename=- >/dev/null"


def _listed(objects: list[Data]) -> str:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, separators=(",", ":"))
    return f"printf %s {shlex.quote(text)}"


def unstaff(kubectl: str, daemonset: str) -> str:
    """Let a DaemonSet have no pod on any node until standard input closes; its other pods come back as they were."""
    patches = [{"spec": {"template": {"spec": {"nodeSelector": {"reftopo.lab/nowhere": one}}}}} for one in ("", None)]
    change, repair = (
        f"{kubectl} patch {daemonset} --patch={shlex.quote(json.dumps(one))} >/dev/null" for one in patches
    )
    return hold(f"{{ {change} || exit 1; }}", repair)


def ping(source: str, target: str) -> str:
    """Ping from the pod with an address, ten times a second, until standard input closes; then print what came of it.

    ping tells on SIGINT how many it sent; it was started in the background, but takes that signal nevertheless.
    """
    run = f"ip netns exec $pod ping -n -i 0.1 {target} & child=$!; echo '{HELD}' >&2"
    return f'{find_pod(source)}; test -n "$pod" && {{ {run}; cat >/dev/null; kill -INT $child; wait $child; true; }}'


def find_pod(address: str) -> str:
    """Find the network namespace of the pod with an address, as `pod`."""
    match = f"ip -n $n -4 -o address | grep -q ' {address}/' && echo $n"
    return f"pod=$(for n in $(ip netns list | cut -d' ' -f1); do {match}; done)"


def detach(pod: str, pid: int, address: str) -> str:
    """Take a pod's network away until standard input closes; it is to have the address again."""
    return python(DETACH, pod, str(pid), address, HELD)


def capture(interface: str, netns: str = "", what: str = "not tcp port 22") -> str:
    """Write a pcap file of an interface to standard output until standard input closes; SSH carries it, so not SSH."""
    prefix = f"ip netns exec {netns} " if netns else ""
    dump = f"{prefix}tcpdump -i {interface} -n -U --immediate-mode -B 16384 -s {SNAPLEN} -w - {what}"
    return f"{dump} & child=$!; cat >/dev/null; sleep 0.3; kill $child; wait $child"


def capture_pod(address: str, interface: str) -> str:
    """The same in the network namespace of the pod with an address."""
    return f'{find_pod(address)}; test -n "$pod" && {{ {capture(interface, "$pod")}; }}'


def repair(snapshot: Snapshot, link: str) -> list[str]:
    """Lines for `ip -batch` that bring a link up again with what the kernel drops when it goes down.

    A link that goes down loses its routes and its permanent neighbours (net/ipv4/fib_frontend.c, fib_netdev_event;
    net/core/neighbour.c, neigh_ifdown). The kernel itself restores only addresses' routes; permanent FDB entries stay.
    """
    routes = [row for row in snapshot.rows("routes", dev=link) if row.get("protocol") != "kernel"]
    neighbours = [row for row in snapshot.rows("neighbours", dev=link) if "PERMANENT" in row["state"]]
    return [
        f"link set dev {link} up",
        *(f"neighbour replace {row['dst']} lladdr {row['lladdr']} dev {link} nud permanent" for row in neighbours),
        *(f"route replace {route_words(row)}" for row in routes),
    ]


def route_words(row: Data) -> str:
    """A row of `ip -j route` as words for `ip route`, which shows no global scope but takes link without a gateway."""
    words = [row["dst"], "scope", row.get("scope", "global")]
    names = {"gateway": "via", "dev": "dev", "table": "table", "protocol": "proto", "prefsrc": "src"}
    for key, word in {**names, "metric": "metric"}.items():
        words += [word, str(row[key])] if key in row else []
    return " ".join(words + row.get("flags", []))


def hide_routes(subnets: list[str]) -> str:
    """Hide the routes to some subnets by rules that come before all tables but local; unhide them when input closes.

    The routes themselves stay: flannel would put back one that is gone within ten seconds.
    """
    rules = [f"priority 1 to {subnet} unreachable" for subnet in subnets]
    hide, unhide = (_batch([f"rule {action} {rule}" for rule in rules], action == "del") for action in ("add", "del"))
    return hold(hide, unhide)


def deafen(address: str, port: int) -> str:
    """Let the pod with an address refuse a TCP port, as if nothing listened there, until standard input closes."""
    table, nft = "ip reftopo-deaf", "ip netns exec $pod nft"
    chain = f"add table {table}; add chain {table} input {{ type filter hook input priority 0; }}"
    rule = f"add rule {table} input tcp dport {port} reject with tcp reset"
    return hold(f"{find_pod(address)}; {nft} '{chain}; {rule}'", f"{nft} delete table {table}")


def break_link(link: str, batch: list[str]) -> str:
    """Take a link down, and repair it when standard input closes."""
    return hold(f"ip link set dev {link} down", _batch(batch))


def hold(change: str, repair: str) -> str:
    """Change something, say so, and repair it when standard input closes, however it does."""
    return f"trap '' HUP PIPE; {change} && echo '{HELD}' >&2; cat >/dev/null; {repair}"


def _batch(lines: list[str], go_on: bool = False) -> str:
    """Lines by one `ip -batch`, which ends at the first that fails or goes on behind it."""
    text = shlex.quote("".join(f"{line}\n" for line in lines))
    return f"printf %s {text} | ip {'-force ' if go_on else ''}-batch -"
