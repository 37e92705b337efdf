"""Whether the watches still hear: what a listing shows twice, and no event has told, was missed."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping


class Hearing:
    """Versions of objects as events tell them, beside those that listings show."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: dict[str, str] = {}
        self._listed: dict[str, str] = {}
        self._last = time.monotonic()
        self.is_deaf = False
        """Whether the last two listings show an object as no event did."""

    @property
    def age(self) -> float:
        """Seconds since the last event."""
        return time.monotonic() - self._last

    def heard(self, uid: str, version: str) -> None:
        """An event told of the object."""
        with self._lock:
            self._heard[uid] = version
            self._last = time.monotonic()

    def so_far(self) -> Mapping[str, str]:
        """What events have told until now."""
        with self._lock:
            return dict(self._heard)

    def listed(self, versions: Mapping[str, str], before: Mapping[str, str]) -> None:
        """A listing shows the objects so, by uid; `before` is what was heard `so_far` when it began.

        The next one comes when events have long had their time; what has changed while it went on proves nothing.
        """
        with self._lock:
            self._heard = {uid: version for uid, version in self._heard.items() if uid in versions or uid not in before}
            same = {uid for uid, version in versions.items() if self._listed.get(uid) == version}
            self.is_deaf = any(versions[uid] not in {self._heard.get(uid), before.get(uid)} for uid in same)
            self._listed = dict(versions)
