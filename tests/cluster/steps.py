"""Steps that say what they do and how long that usually takes; commands whose failure is explained by their own words."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class NoClusterError(Exception):
    """No cluster can be had here; the message says why, and what would help."""


def say(text: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"cluster: {text}\n")
    sys.stderr.flush()


@contextmanager
def step(what: str, usually: str) -> Iterator[None]:
    """Announces `what`, and how long it took."""
    say(f"{what} (usually {usually}) …")
    start = time.monotonic()
    yield
    say(f"{what}: done in {time.monotonic() - start:.0f} s")


def run(
    *command: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None, timeout: float = 3600
) -> str:
    """The standard output of `command`; NoClusterError with the last of its words where it fails."""
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
    """Whether `command` is there and exits with 0 in time."""
    try:
        return not subprocess.run(command, env=env, timeout=timeout, capture_output=True, check=False).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False


def detach(command: list[str], log: Path, env: Mapping[str, str] | None = None) -> None:
    """Starts a process that outlives this one; its words are added to `log`."""
    with log.open("ab") as words:
        subprocess.run(
            ["setsid", "--fork", *command], env=env, stdin=subprocess.DEVNULL, stdout=words, stderr=words, check=True
        )


def until(condition: Callable[[], object], seconds: float) -> bool:
    """Whether `condition` has come to hold within that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def last_words(log: Path) -> str:
    """The end of a log, to stand below an error's first line."""
    return "".join(f"\n  {line}" for line in log.read_text(errors="replace").splitlines()[-10:])


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Nobody else who asks for `lock` runs at the same time; the kernel gives it back for a process that was killed."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process is at it: waiting for its end …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _line(command: tuple[str | Path, ...]) -> str:
    return " ".join(map(str, command))
