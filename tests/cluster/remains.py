"""What a daemon leaves on the machine: processes, mounts, control groups, links and packet filter rules, and their end."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

BRIDGE = "scoremill0"
CGROUP = "scoremill-test"
DAEMONS = ("dockerd", "containerd", "containerd-shim-runc-v2", "docker-proxy")
_TABLES = ("filter", "nat", "mangle", "raw")
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


def processes(folder: Path, *names: str) -> list[int]:
    """Those called one of `names` that were started with a file of `folder` in their command."""
    found = []
    for pid, entry in _running():
        with suppress(OSError):
            command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if Path(command[0]).name in names and any(f"{folder}/" in argument for argument in command):
                found.append(pid)
    return found


def contained() -> list[int]:
    """Those that run in containers of ours."""
    found = []
    for pid, entry in _running():
        with suppress(OSError):
            if f"/{CGROUP}/" in (entry / "cgroup").read_text():
                found.append(pid)
    return found


def mounts(folder: Path) -> list[str]:
    """Mount points below `folder`, the innermost first."""
    points = [line.split()[4].replace("\\040", " ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in reversed(points) if point.startswith(f"{folder}/")]


def cgroups() -> list[Path]:
    """Control groups of containers, the innermost first."""
    return [
        Path(place)
        for root in Path("/sys/fs/cgroup").glob(f"**/{CGROUP}")
        if root.is_dir()
        for place, _, _ in os.walk(root, topdown=False)
    ]


def rules() -> dict[str, list[str]]:
    """The packet filter: policies, chains and rules of each table."""
    return {table: _iptables(table, "-S") for table in _TABLES}


def remember(file: Path) -> None:
    """Writes the packet filter as it is before a daemon starts; an earlier memory is kept, for that daemon was killed."""
    if not file.exists():
        file.write_text(json.dumps({"rules": rules(), "forward": _FORWARD.read_text()}))


def clear(folder: Path, memory: Path) -> None:
    """Nothing of a daemon with its files in `folder` is left but these files."""
    kill(lambda: [*processes(folder, *DAEMONS), *contained()])
    unmount(folder)
    for group in cgroups():
        with suppress(OSError):
            group.rmdir()
    subnet = _subnet()
    subprocess.run(["ip", "link", "delete", BRIDGE], capture_output=True, check=False)
    if memory.exists():
        before = json.loads(memory.read_text())
        _restore(before["rules"], subnet)
        _FORWARD.write_text(before["forward"])
        memory.unlink()


def unmount(folder: Path) -> None:
    """Nothing is mounted below `folder`."""
    for point in mounts(folder):
        subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)


def remove(folder: Path) -> None:
    """`folder` is gone; never what is mounted in it."""
    unmount(folder)
    if folder.exists():
        shutil.rmtree(folder)


def kill(of_ours: Callable[[], list[int]]) -> None:
    """None of those that `of_ours` finds is left."""
    deadline = time.monotonic() + 30
    while (left := of_ours()) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def _running() -> list[tuple[int, Path]]:
    entries = (entry for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [(int(entry.name), entry) for entry in entries if int(entry.name) != os.getpid()]


def _subnet() -> ipaddress.IPv4Network | None:
    shown = subprocess.run(["ip", "-4", "-o", "address", "show", BRIDGE], capture_output=True, text=True, check=False)
    address = re.search(r"inet (\S+)", shown.stdout)
    return ipaddress.IPv4Interface(address[1]).network if address else None


def _restore(before: dict[str, list[str]], subnet: ipaddress.IPv4Network | None) -> None:
    """Only what names Docker's chains or our network goes: others may have added rules meanwhile."""
    for table, lines in rules().items():
        added = [line for line in lines if line not in before[table] and _ours(line, subnet)]
        for line in added:
            if line.startswith("-A "):
                _iptables(table, "-D", *shlex.split(line)[1:])
        for verb in ("-F", "-X"):
            for line in added:
                if line.startswith("-N "):
                    _iptables(table, verb, line.split()[1])
        for line in before[table]:
            if line.startswith("-P "):
                _iptables(table, *line.split())


def _ours(line: str, subnet: ipaddress.IPv4Network | None) -> bool:
    if "DOCKER" in line or BRIDGE in line:
        return True
    addresses = re.findall(r"\d+\.\d+\.\d+\.\d+", line)
    return subnet is not None and any(ipaddress.IPv4Address(address) in subnet for address in addresses)


def _iptables(table: str, *arguments: str) -> list[str]:
    command = ["iptables", "--wait", "--table", table, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
