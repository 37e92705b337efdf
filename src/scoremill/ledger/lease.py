"""One driver an output: numbered create-only objects, each with a beat, judged by the store's clock."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scoremill.errors import LeaseError, ScoremillError
from scoremill.naming import LEDGER
from scoremill.storage.filesystem import Store

BEAT_SECONDS = 10.0
"""Time between two heartbeats."""
MISSED_BEATS = 3
"""Number of heartbeats that a holder can miss before another driver takes over."""
_FOLDER = f"{LEDGER}/lease"
_HELD: set[str] = set()
"""Holders in this process that have not released their leases."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a lease."""

    host: str
    boot: str
    """Identifies the host's run, so that a process number is not taken for another's after a reboot."""
    pid: int
    started: float
    """Start of the process, in clock ticks since boot: process numbers come round again."""
    since: str
    id: str

    @classmethod
    def here(cls) -> Holder:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(socket.gethostname(), _boot(), os.getpid(), _started(os.getpid()) or 0.0, now, uuid.uuid4().hex)

    @property
    def is_dead(self) -> bool:
        """True if this host knows that the process, or its run, has ended; False of other hosts' processes."""
        if (self.host, self.boot) != (socket.gethostname(), _boot()) or not self.started:
            return False
        if self.pid == os.getpid():
            return self.id not in _HELD
        return _started(self.pid) != self.started


class Lease:
    """A held lease. Use `Lease.acquire`, then `check()` before every write, and `release()` at the end."""

    def __init__(self, store: Store, number: int, holder: Holder, beat_seconds: float) -> None:
        self.number = number
        self._store = store
        self._holder = holder
        self._beat_seconds = beat_seconds
        self._ended = threading.Event()
        self._lost: str | None = None
        self._beaten = time.monotonic()
        self._beat()
        self._thread = threading.Thread(target=self._keep_beating, name="scoremill-lease", daemon=True)
        self._thread.start()

    @classmethod
    def acquire(
        cls,
        store: Store,
        *,
        wait: bool | float = False,
        beat_seconds: float = BEAT_SECONDS,
        waiting: Callable[[str], None] = lambda _: None,
    ) -> Lease:
        """The lease of the output at `store`; LeaseError naming the holder while another driver has it.

        `wait` is for how many seconds to wait for it; True without end.
        """
        holder = Holder.here()
        _HELD.add(holder.id)
        try:
            return cls._acquire(store, holder, wait, beat_seconds, waiting)
        except BaseException:
            _HELD.discard(holder.id)
            raise

    @classmethod
    def _acquire(
        cls, store: Store, holder: Holder, wait: bool | float, beat_seconds: float, waiting: Callable[[str], None]
    ) -> Lease:
        reported, started = "", time.monotonic()
        while True:
            number, rival = _latest(store)
            alive = rival is not None and _is_alive(store, number, rival, beat_seconds)
            if not alive and store.create(f"{_FOLDER}/{number + 1:06d}.json", json.dumps(asdict(holder)).encode()):
                return cls(store, number + 1, holder, beat_seconds)
            if alive and rival is not None:
                text = _held_by(store, rival)
                if wait is not True and time.monotonic() - started >= wait:
                    raise LeaseError(text, _wait_for(beat_seconds))
                if text != reported:
                    waiting(text)
                    reported = text
                time.sleep(min(beat_seconds, 1.0))

    def check(self) -> None:
        """Raise LeaseError if the lease was lost."""
        if self._lost:
            raise LeaseError(self._lost, "The other driver continues this run; see `scoremill report`.")

    def confirm(self) -> None:
        """Check the lease in the store, before actions that cannot be undone, such as writing the manifest."""
        self._beat()
        self.check()

    def release(self, account: Mapping[str, Any] | None = None) -> None:
        """Stop the heartbeat and free the lease immediately, or after the missed beats if the store refuses.

        `account` is what the ledger keeps of the run; see `accounts`.
        """
        self._ended.set()
        self._thread.join(timeout=60)
        _HELD.discard(self._holder.id)
        if not self._lost:
            with suppress(ScoremillError):
                self._store.write(f"{_FOLDER}/{self.number:06d}.done", json.dumps(account or {}).encode())

    def _keep_beating(self) -> None:
        while not self._ended.wait(self._beat_seconds):
            try:
                self._beat()
            except ScoremillError as error:
                if time.monotonic() - self._beaten > MISSED_BEATS * self._beat_seconds:
                    self._lost = f"the lease of {self._store.uri} could not be renewed: {error.message}"
                    return
            if self._lost:
                return

    def _beat(self) -> None:
        self._store.write(f"{_FOLDER}/{self.number:06d}.beat", self._holder.id.encode())
        self._beaten = time.monotonic()
        if self._store.info(f"{_FOLDER}/{self.number + 1:06d}.json") is not None:
            self._lost = f"another driver took over {self._store.uri}"


def accounts(store: Store) -> list[dict[str, Any]]:
    """Return what each run left when it released its lease; empty for one that was killed."""
    names = {info.name for info in store.list(_FOLDER)}
    done = (f"{name.removesuffix('.json')}.done" for name in sorted(names) if name.endswith(".json"))
    # An older version wrote empty objects.
    return [json.loads((name in names and store.read(name)) or b"{}") for name in done]


def refuse_held(store: Store, beat_seconds: float = BEAT_SECONDS) -> None:
    """Raise LeaseError naming the holder while another driver writes to the output at `store`."""
    number, holder = _latest(store)
    if holder is not None and _is_alive(store, number, holder, beat_seconds):
        raise LeaseError(_held_by(store, holder), _wait_for(beat_seconds))


def _held_by(store: Store, holder: Holder) -> str:
    since = datetime.fromisoformat(holder.since).astimezone(UTC)
    return f"{store.uri} is being written by process {holder.pid} on {holder.host} since {since:%Y-%m-%d %H:%M:%S} UTC"


def _wait_for(beat_seconds: float) -> str:
    return (
        "Wait until it ends, or score with `wait=True`. If that process has died, its lock ends "
        f"{MISSED_BEATS * beat_seconds:.0f} s later."
    )


def _latest(store: Store) -> tuple[int, Holder | None]:
    """The highest number given, and its holder unless it was released."""
    names = {info.name.rsplit("/", 1)[-1] for info in store.list(_FOLDER)}
    numbers = [int(name.removesuffix(".json")) for name in names if name.endswith(".json")]
    if not numbers:
        return 0, None
    latest = max(numbers)
    if f"{latest:06d}.done" in names:
        return latest, None
    name = f"{_FOLDER}/{latest:06d}.json"
    try:
        return latest, Holder(**json.loads(store.read(name)))
    except (ValueError, TypeError):
        raise LeaseError(
            f"{store.uri}/{name} does not say who writes there", "Make sure that nobody does, and remove it."
        ) from None


def _is_alive(store: Store, number: int, holder: Holder, beat_seconds: float) -> bool:
    if holder.is_dead:
        return False
    beat = store.info(f"{_FOLDER}/{number:06d}.beat") or store.info(f"{_FOLDER}/{number:06d}.json")
    return beat is not None and _store_time(store) - beat.modified <= MISSED_BEATS * beat_seconds


def _store_time(store: Store) -> float:
    """Now by the store's own clock: when it says that an object just written was modified."""
    name = f"{_FOLDER}/clock-{uuid.uuid4().hex}"
    store.write(name, b"")
    info = store.info(name)
    store.delete([name])
    return info.modified if info is not None else time.time()


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _started(pid: int) -> float | None:
    """When process `pid` started, in ticks since boot; None if there is none, or the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else float(fields[19])
