"""The workers of a Dask cluster: looked at once a second, each asked once whether it can score as the driver would."""

from __future__ import annotations

import math
import time

from distributed import Client

from scoremill import __version__
from scoremill.bundle.read import environment_here, judge_worker
from scoremill.errors import ClusterError

_EVERY = 1.0
"""Seconds between two looks."""


class Workers:
    """Those that are there now; raises ClusterError or SkewError for new ones that cannot score as the driver."""

    def __init__(self, client: Client, *, patience: float, are_ours: bool, allow_version_skew: bool) -> None:
        """`patience` are the seconds without any worker after which a run ends; `are_ours` started from here."""
        self._client, self._patience = client, patience
        self._are_ours, self._allow_version_skew = are_ours, allow_version_skew
        self._there: frozenset[str] = frozenset()
        self._looked, self._last_seen = -math.inf, time.monotonic()
        self._told: set[str] = set()
        self._notes: list[str] = []

    def count(self) -> int:
        """How many there are, as of a second ago at most."""
        now = time.monotonic()
        if now - self._looked >= _EVERY:
            # A client that is closed in this moment knows none.
            there = frozenset(self._client.scheduler_info(n_workers=-1).get("workers", ()))
            if not self._are_ours:
                self._judge(sorted(there - self._there))
            self._there, self._looked = there, now
            if there:
                self._last_seen = now
        return len(self._there)

    def refuse_none(self) -> None:
        """ClusterError where there has been no worker for too long."""
        if not self.count() and time.monotonic() - self._last_seen > self._patience:
            raise ClusterError(
                f"no worker for {self._patience:.0f} s",
                "See why none comes (`scoremill cluster status NAME`), or allow more: deadlines.preRunningSeconds. "
                "What is done is kept.",
            )

    def notes(self) -> list[str]:
        """What differs between them and the driver and has not been told yet."""
        notes, self._notes = self._notes, []
        return notes

    def _judge(self, workers: list[str]) -> None:
        found = self._client.run(environment_here, workers=workers, on_error="return") if workers else {}
        for worker, versions in found.items():
            if isinstance(versions, OSError):
                # It has gone since.
                continue
            if isinstance(versions, BaseException):
                raise ClusterError(
                    f"the worker {worker} cannot run scoremill {__version__}: {versions}",
                    "Start driver and workers from the same image or environment.",
                )
            notes = judge_worker(f"the worker {worker}", versions, allowed=self._allow_version_skew)
            self._notes += [note for note in notes if note not in self._told]
            self._told.update(notes)
