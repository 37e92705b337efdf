"""Steps that print what they do and how long that usually takes; errors of commands show the end of their output."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class NoClusterError(Exception):
    """No cluster is available here; the message says why, and what would help."""


def say(text: str) -> None:
    """Print a line of progress."""
    sys.stderr.write(f"cluster: {text}\n")
    sys.stderr.flush()


@contextmanager
def step(what: str, usually: str) -> Iterator[None]:
    """Print `what`, and how long it took."""
    say(f"{what} (usually {usually}) …")
    start = time.monotonic()
    yield
    say(f"{what}: done in {time.monotonic() - start:.0f} s")


def run(
    *command: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None, timeout: float = 3600
) -> str:
    """Return the standard output of `command`; NoClusterError with the end of its output if it fails."""
    try:
        done = subprocess.run(command, env=env, cwd=cwd, timeout=timeout, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NoClusterError(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise NoClusterError(f"`{_line(command)}` did not end in {timeout:.0f} s") from error
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-15:]
        raise NoClusterError("\n  ".join([f"`{_line(command)}` failed:", *words]))
    return done.stdout


def succeeds(*command: str | Path, env: Mapping[str, str] | None = None, timeout: float = 60) -> bool:
    """Return whether `command` exists and exits with 0 in time."""
    try:
        return not subprocess.run(command, env=env, timeout=timeout, capture_output=True, check=False).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False


def detach(command: list[str], log: Path, env: Mapping[str, str] | None = None) -> None:
    """Start a process that outlives this one; its output is appended to `log`."""
    with log.open("ab") as words:
        subprocess.run(
            ["setsid", "--fork", *command], env=env, stdin=subprocess.DEVNULL, stdout=words, stderr=words, check=True
        )


def until(condition: Callable[[], object], seconds: float) -> bool:
    """Wait until `condition` is true, and return whether it became true within that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def log_tail(log: Path) -> str:
    """Return the end of a log, to print below the first line of an error."""
    return "".join(f"\n  {line}" for line in log.read_text(errors="replace").splitlines()[-10:])


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold `lock`, for which others wait; the kernel releases it if the process is killed."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process is at it: waiting for its end …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def shared(folder: Path, *, exclusively: bool) -> Iterator[None]:
    """Use what `folder` stands for together with other processes, or exclusively; new users wait for an exclusive one that waits."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "used").open("w") as used:
        with (folder / "next").open("w") as following:
            fcntl.flock(following, fcntl.LOCK_EX)
            fcntl.flock(used, fcntl.LOCK_EX if exclusively else fcntl.LOCK_SH)
        yield


def _line(command: tuple[str | Path, ...]) -> str:
    return " ".join(map(str, command))
