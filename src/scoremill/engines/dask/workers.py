"""The workers of a Dask cluster, listed once a second; each is checked once for the same environment as the driver."""

from __future__ import annotations

import math
import time
from typing import Any

from scoremill.bundle.read import environment_here, judge_worker
from scoremill.errors import ClusterError
from scoremill.version import __version__

from .session import Session

_EVERY = 1.0
"""Seconds between two listings."""
_PATIENT_SECONDS = 5.0
"""Seconds without a worker before a message."""


class ConnectedWorkers:
    """The workers at the last listing, also while the scheduler is unreachable."""

    def __init__(self, *, patience: float, is_local: bool, allow_version_skew: bool) -> None:
        """`patience` is how many seconds a run lasts without any worker; local workers need no check."""
        self._patience = patience
        self._is_local, self._allow_version_skew = is_local, allow_version_skew
        self._there: frozenset[str] = frozenset()
        self.memory_limit = 0
        """Smallest memory limit of a worker, in bytes; 0 if no worker has one."""
        self._judged: set[str] = set()
        self._updated, self._last_seen = -math.inf, time.monotonic()
        self._noted: set[str] = set()
        self._notes: list[str] = []

    def __len__(self) -> int:
        return len(self._there)

    def update(self, session: Session, *, now: bool = False) -> None:
        """List the workers, once a second or `now`; raise ClusterError or SkewError if one cannot score like the driver."""
        if not now and time.monotonic() - self._updated < _EVERY:
            return
        identity = session.identity()
        self._updated = time.monotonic()
        if identity is not None:
            self._take(identity["workers"], session)

    def _take(self, there: dict[str, Any], session: Session) -> None:
        self._judged &= there.keys()
        if not self._is_local:
            self._judge(sorted(there.keys() - self._judged), session)
        self._there = frozenset(there)
        if there:
            self.memory_limit = min(worker["memory_limit"] or 0 for worker in there.values())
            self._last_seen = time.monotonic()
            self._noted.discard(_NONE)

    def restart_wait(self) -> None:
        """Count the time without a worker from now, because a lost scheduler could not report workers."""
        self._last_seen = time.monotonic()

    def refuse_none(self) -> None:
        """Raise ClusterError if there has been no worker for too long."""
        seconds = time.monotonic() - self._last_seen
        if not self._there and seconds > self._patience:
            raise ClusterError(
                f"no worker for {self._patience:.0f} s",
                "Run `scoremill cluster status NAME` to see why, or raise deadlines.preRunningSeconds in the job file. "
                "Completed partitions are saved.",
                code="NoWorkers",
            )
        if not self._there and seconds > _PATIENT_SECONDS:
            self._note(_NONE, f"waiting for a worker of the Dask cluster, for up to {self._patience:.0f} s")

    def notes(self) -> list[str]:
        """Return new messages about differences between workers and driver, and about waiting."""
        notes, self._notes = self._notes, []
        return notes

    def _note(self, key: str, text: str) -> None:
        if key not in self._noted:
            self._noted.add(key)
            self._notes.append(text)

    def _judge(self, workers: list[str], session: Session) -> None:
        for worker, versions in self._environments(workers, session).items():
            if isinstance(versions, OSError):
                # The worker ended meanwhile.
                continue
            if isinstance(versions, BaseException):
                raise ClusterError(
                    f"the worker {worker} cannot run scoremill {__version__}: {versions}",
                    "Start driver and workers from the same image or environment.",
                    code="WorkerVersions",
                )
            for note in judge_worker(f"the worker {worker}", versions, allowed=self._allow_version_skew):
                self._note(note, note)
            self._judged.add(worker)

    def _environments(self, workers: list[str], session: Session) -> dict[str, Any]:
        if not workers:
            return {}
        asked = session.answer(lambda: session.client.run(environment_here, workers=workers, on_error="return"))
        return asked or {}


_NONE = "none"
