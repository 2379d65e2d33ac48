# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A BIRD in a network namespace of this machine for as long as standard input is open, and what it says when asked.

This module util is PRIVATE to the collection. It is sent to a machine as text, so it needs nothing but Python. The
program and its configuration, which may have a password, come by standard input: nothing of them is in a list of
processes, and only the configuration is in a file, which goes with the process. Source of the protocol on BIRD's
socket: BIRD 1.6, client/client.c (server_got_reply).
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

SPEAKING = "reftopo: speaking at "  # and then the path of its socket
STARTS = 10.0  # seconds until BIRD must answer
PAUSE = 0.1
REPLY = re.compile(r"(\d{4})([ -])(.*)", re.DOTALL)


def answer(stream: socket.SocketIO) -> list[str]:
    """The lines of one reply, as birdc prints them: those of code 0 and the codes themselves are for programs."""
    lines = []
    for raw in iter(stream.readline, b""):
        line = raw.decode(errors="replace").rstrip("\n")
        reply = REPLY.fullmatch(line)
        if reply is None:
            lines.append(line[1:])
            continue
        code, more, text = reply.groups()
        if code != "0000":
            lines.append(text)
        if more == " ":
            return lines
    raise OSError("BIRD closed its socket in the middle of a reply")


def ask(path: str, commands: list[str]) -> list[str]:
    """What BIRD says to each command."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(STARTS)
        connection.connect(path)
        with connection.makefile("rb", buffering=0) as stream:
            answer(stream)  # its greeting
            told = []
            for command in commands:
                connection.sendall(command.encode() + b"\n")
                told.append("\n".join(answer(stream)))
            return told


def answers(path: str) -> bool:
    """Whether a BIRD is there to ask."""
    try:
        return bool(ask(path, ["show status"]))
    except OSError:
        return False


def in_memory(program: bytes) -> int:
    """The descriptor of a file with a program that no folder has; a child may execute it."""
    descriptor = os.memfd_create("bird", 0)
    with os.fdopen(os.dup(descriptor), "wb") as stream:
        stream.write(program)
    return descriptor


def run(netns: str, program: bytes, config: str, folder: str) -> None:
    """Run BIRD until standard input closes; it takes back what it put into the kernel when it ends."""
    path, control = os.path.join(folder, "bird.conf"), os.path.join(folder, "bird.ctl")
    with open(path, "w") as stream:
        stream.write(config)
    descriptor = in_memory(program)
    # With this process BIRD ends too, however that ends.
    command = ["setpriv", "--pdeathsig=TERM", "ip", "netns", "exec", netns, f"/proc/self/fd/{descriptor}"]
    options = ["-f", "-c", path, "-s", control, "-P", os.path.join(folder, "bird.pid")]
    # The agent is no module, and has no run_command.
    # pylint: disable-next=ansible-bad-function
    with subprocess.Popen([*command, *options], pass_fds=[descriptor], stdin=subprocess.DEVNULL) as bird:
        try:
            deadline = time.monotonic() + STARTS
            while not answers(control):
                if bird.poll() is not None or time.monotonic() > deadline:
                    raise OSError("BIRD does not answer")
                time.sleep(PAUSE)
            sys.stderr.write(f"{SPEAKING}{control}\n")
            sys.stderr.flush()
            sys.stdin.read()
        finally:
            bird.terminate()


def main() -> None:
    """Arguments: ask, a socket and commands; or run and a namespace, with a line of JSON on standard input."""
    verb, where, *commands = sys.argv[2:]  # behind what the bootstrap takes
    if verb == "ask":
        sys.stdout.write(json.dumps(ask(where, commands)))
        return
    given = json.loads(sys.stdin.readline())
    with tempfile.TemporaryDirectory(prefix="reftopo-") as folder:  # 0700
        run(where, base64.b64decode(given["program"]), given["config"], folder)


if __name__ == "__main__":
    main()
