"""`faulty:///folder`: a local folder behind an fsspec file system that fails by a schedule.

The schedule is in the environment, so that worker processes follow it too:

    SCOREMILL_FAULTY_EVERY    each n-th call fails
    SCOREMILL_FAULTY_RATE     or: this fraction of all calls fails, chosen by
    SCOREMILL_FAULTY_SEED     this number and the call's own
    SCOREMILL_FAULTY_KINDS    how they fail, of `error`, `truncate`, `delay`, separated by commas; `error` by default
    SCOREMILL_FAULTY_DELAY    seconds of a delay; 0.01 by default
    SCOREMILL_FAULTY_KILL_AT  the process that makes this call is killed instead (SIGKILL)
    SCOREMILL_FAULTY_DIE_AT   this call and all after it raise Died: a kill as the store sees it, within one process
    SCOREMILL_FAULTY_COUNTER  a file in which all processes together count their calls; else each counts its own
"""

from __future__ import annotations

import errno
import itertools
import os
import random
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

_PREFIX = "SCOREMILL_FAULTY_"
_CALLS = itertools.count(1)


def install(folder: Path, **schedule: object) -> dict[str, str]:
    """Registers the protocol here, and gives the environment with which other processes know it and its schedule.

    `schedule` names the variables above in lower case: `every=3, kinds="error,truncate"`.
    """
    fsspec.register_implementation("faulty", FaultyFileSystem, clobber=True)
    package = folder / "scoremill_faulty-0.dist-info"
    package.mkdir(parents=True, exist_ok=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: scoremill-faulty\nVersion: 0\n")
    (package / "entry_points.txt").write_text("[fsspec.specs]\nfaulty = tests.support.faulty:FaultyFileSystem\n")
    (folder / "calls").write_bytes(b"")
    paths = [str(folder), str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {"PYTHONPATH": os.pathsep.join(paths), f"{_PREFIX}COUNTER": str(folder / "calls")}
    return variables | {f"{_PREFIX}{name.upper()}": str(value) for name, value in schedule.items()}


def calls(environment: Mapping[str, str]) -> int:
    """The calls made so far by all processes of an `install`ed schedule."""
    return Path(environment[f"{_PREFIX}COUNTER"]).stat().st_size


class Died(BaseException):
    """The process that makes this call is taken to be dead: nothing that it does on its way out reaches the store."""


class FaultyFileSystem(LocalFileSystem):  # type: ignore[misc]
    """Local files; each public operation can fail first."""

    protocol = "faulty"

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, str):
            path = path.removeprefix("faulty://")
        return super()._strip_protocol(path)

    def info(self, path: str, **kwargs: Any) -> Any:
        _call()
        return super().info(path, **kwargs)

    def find(
        self, path: str, maxdepth: int | None = None, withdirs: bool = False, detail: bool = False, **kwargs: Any
    ) -> Any:
        _call()
        return LocalFileSystem().find(self._strip_protocol(path), maxdepth, withdirs, detail, **kwargs)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> Any:
        if _call() == "truncate":
            raise ConnectionResetError(errno.ECONNRESET, "injected: the answer ended early")
        return LocalFileSystem().cat_file(self._strip_protocol(path), start, end, **kwargs)

    def open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        fault = _call()
        if fault == "truncate" and mode == "wb":
            Path(self._strip_protocol(path)).write_bytes(b"half an obj")
            raise ConnectionResetError(errno.ECONNRESET, "injected: the request ended early")
        return LocalFileSystem().open(self._strip_protocol(path), mode, **kwargs)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        _call()
        with Path(self._strip_protocol(path)).open("xb" if mode == "create" else "wb") as file:
            file.write(value)

    def mv(self, path1: str, path2: str, **kwargs: Any) -> None:
        _call()
        Path(self._strip_protocol(path1)).replace(self._strip_protocol(path2))

    def rm_file(self, path: str) -> None:
        _call()
        super().rm_file(path)


def _call() -> str:
    """Counts a call, and fails if its turn has come; else how its caller should fail, or nothing."""
    number = _number()
    if str(number) == _setting("KILL_AT"):
        os.kill(os.getpid(), signal.SIGKILL)
    if 0 < int(_setting("DIE_AT", "0")) <= number:
        raise Died
    if not _is_faulty(number):
        return ""
    kinds = _setting("KINDS", "error").split(",")
    kind = kinds[random.Random(f"{_setting('SEED')}/{number}/kind").randrange(len(kinds))]
    if kind == "delay":
        time.sleep(float(_setting("DELAY", "0.01")))
    if kind == "error":
        raise OSError(errno.EBUSY, f"injected: SlowDown at call {number}")
    return kind


def _is_faulty(number: int) -> bool:
    every, rate = int(_setting("EVERY", "0")), float(_setting("RATE", "0"))
    return (every > 0 and number % every == 0) or random.Random(f"{_setting('SEED')}/{number}").random() < rate


def _number() -> int:
    counter = _setting("COUNTER")
    if not counter:
        return next(_CALLS)
    file = os.open(counter, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, b".")
        return os.lseek(file, 0, os.SEEK_CUR)
    finally:
        os.close(file)


def _setting(name: str, default: str = "") -> str:
    return os.environ.get(_PREFIX + name, default)
