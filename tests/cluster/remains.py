"""What a daemon leaves on the machine: find and remove processes, mounts, control groups, links and packet filter rules."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.cluster import network
from tests.cluster.places import MARK

CGROUP = f"scoremill-{MARK}"
DAEMONS = ("dockerd", "containerd", "containerd-shim-runc-v2", "docker-proxy")


def processes(folder: Path, *names: str) -> list[int]:
    """Return the processes called one of `names` whose command names a file in `folder`."""
    return [
        pid
        for pid, entry in _running()
        if Path((command := _command(entry))[0]).name in names and any(f"{folder}/" in word for word in command)
    ]


def contained() -> list[int]:
    """Return the processes that run in containers of the daemon."""
    return [pid for pid, entry in _running() if f"/{CGROUP}/" in _read(entry / "cgroup")]


def mounts(folder: Path) -> list[str]:
    """Return the mount points below `folder`, the innermost first."""
    points = [line.split()[4].replace("\\040", " ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in reversed(points) if point.startswith(f"{folder}/")]


def cgroups() -> list[Path]:
    """Return the control groups of containers, the innermost first."""
    return [
        Path(place)
        for pattern in (CGROUP, f"*/{CGROUP}")  # version 2, and each hierarchy of version 1
        for root in Path("/sys/fs/cgroup").glob(pattern)
        for place, _, _ in os.walk(root, topdown=False)
    ]


def clear(folder: Path) -> None:
    """Remove all of a daemon that has its files in `folder`, except for these files."""
    kill(lambda: _of_daemon(folder))
    unmount(folder)
    for group in cgroups():
        with suppress(OSError):
            group.rmdir()
    network.remove()


def left(folder: Path) -> list[str]:
    """Return what `clear` could not remove."""
    return [*(f"process {pid}" for pid in _of_daemon(folder)), *mounts(folder), *map(str, cgroups()), *network.left()]


def unmount(folder: Path) -> None:
    """Unmount everything below `folder`."""
    for point in mounts(folder):
        subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)


def remove(folder: Path) -> None:
    """Remove `folder`, but never what is mounted in it."""
    unmount(folder)
    if folder.exists():
        shutil.rmtree(folder)


def kill(find: Callable[[], list[int]]) -> None:
    """Kill the processes that `find` returns, until it returns none."""
    deadline = time.monotonic() + 30
    while (left := find()) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def _running() -> list[tuple[int, Path]]:
    entries = (entry for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [(int(entry.name), entry) for entry in entries if int(entry.name) != os.getpid()]


def _command(entry: Path) -> list[str]:
    return _read(entry / "cmdline").split("\0")


def _read(file: Path) -> str:
    """Return the text of a file of a process; empty if the process has ended meanwhile."""
    with suppress(OSError):
        return file.read_bytes().decode(errors="replace")
    return ""


def _of_daemon(folder: Path) -> list[int]:
    return [*processes(folder, *DAEMONS), *contained()]
