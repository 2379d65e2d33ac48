# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in a network namespace, with nothing but Python: one byte there and back, or connections, one after the other.

    round_trips.py serve PORT [PORT …]
    round_trips.py ask tcp|udp SECONDS PORT ADDRESS          µs of each round trip: median and 99th percentile
    round_trips.py connect COUNT PORT ADDRESS [ADDRESS …]    the same of the first packets: until a connection stands
    round_trips.py wait SECONDS PORT ADDRESS [ADDRESS …]     when all have answered, in seconds of the epoch
    round_trips.py silent SECONDS PORT ADDRESS               from when on it did not answer for HELD seconds

It writes one JSON value to standard output; serve writes `ready` and runs until it is ended.
"""

from __future__ import annotations

import json
import signal
import socket
import statistics
import sys
import threading
import time

READY = "ready"
PAUSE = 0.01  # seconds between two tries of `wait`
PATIENCE = 2.0  # seconds until silence is a failure
HELD = 3.0  # seconds of silence: a single try may fail on a busy machine


def summary(microseconds: list[float]) -> dict[str, float]:
    """Median and 99th percentile."""
    ordered = sorted(microseconds)
    return {"median": statistics.median(ordered), "p99": ordered[int(len(ordered) * 0.99)], "count": len(ordered)}


def serve(ports: list[int]) -> None:
    """Answer every byte with one, by UDP and on TCP connections, at each port."""
    for port in ports:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("", port))
        threading.Thread(target=echo_datagrams, args=(udp,), daemon=True).start()
        server = socket.create_server(("", port), backlog=1024)
        threading.Thread(target=accept, args=(server,), daemon=True).start()
    print(READY, flush=True)
    signal.pause()  # at the end of this thread none may be started any more


def accept(server: socket.socket) -> None:
    while True:
        connection = server.accept()[0]
        threading.Thread(target=echo_bytes, args=(connection,), daemon=True).start()


def echo_datagrams(udp: socket.socket) -> None:
    while True:
        data, client = udp.recvfrom(64)
        udp.sendto(data, client)


def echo_bytes(connection: socket.socket) -> None:
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := connection.recv(64):
            connection.sendall(data)


def ask(protocol: str, seconds: float, port: int, address: str) -> dict[str, float]:
    """As netperf's TCP_RR and UDP_RR do: the next byte goes when the last one is back."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as client:
        client.settimeout(PATIENCE)
        client.connect((address, port))
        if protocol == "tcp":
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found, ends = [], time.perf_counter() + seconds
        while (began := time.perf_counter()) < ends:
            client.send(b"x")
            if not client.recv(1):
                raise ConnectionError("the server closed the connection")
            found.append((time.perf_counter() - began) * 1e6)
    return summary(found)


def connect(count: int, port: int, addresses: list[str]) -> dict[str, float]:
    """A SYN and its answer are the first packets of a connection: those that rules are asked for."""
    found = []
    for _number in range(count):
        for address in addresses:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
                client.settimeout(PATIENCE)
                began = time.perf_counter()
                client.connect((address, port))
                found.append((time.perf_counter() - began) * 1e6)
    return summary(found)


def wait(seconds: float, port: int, addresses: list[str]) -> float:
    deadline = time.time() + seconds
    for address in addresses:
        while not answers(address, port):
            if time.time() > deadline:
                raise TimeoutError(f"{address} did not answer for {seconds} seconds")
            time.sleep(PAUSE)
    return time.time()


def silent(seconds: float, port: int, address: str) -> float:
    since, deadline = time.time(), time.time() + seconds
    while time.time() - since < HELD:
        if answers(address, port):
            since = time.time()
        if since > deadline:
            raise TimeoutError(f"{address} answered for {seconds} seconds")
        time.sleep(PAUSE)
    return since


def answers(address: str, port: int) -> bool:
    """Whether it does within 0.2 seconds: what is dropped meanwhile must not be sent again by a timer much later."""
    try:
        socket.create_connection((address, port), timeout=0.2).close()
    except OSError:
        return False
    return True


def main(action: str, *given: str) -> None:
    if action == "serve":
        serve([int(port) for port in given])
    elif action == "ask":
        print(json.dumps(ask(given[0], float(given[1]), int(given[2]), given[3])))
    elif action == "connect":
        print(json.dumps(connect(int(given[0]), int(given[1]), list(given[2:]))))
    elif action == "wait":
        print(json.dumps(wait(float(given[0]), int(given[1]), list(given[2:]))))
    elif action == "silent":
        print(json.dumps(silent(float(given[0]), int(given[1]), given[2])))


if __name__ == "__main__":
    main(*sys.argv[1:])
