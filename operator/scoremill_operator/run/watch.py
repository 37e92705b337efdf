"""List and watch objects of one kind, and reconnect after failures."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from scoremill.errors import ScoremillError
from scoremill.kubernetes.api import Kube, VersionExpired
from scoremill.kubernetes.objects import Resource

from .. import metrics
from ..log import logger

WATCH_SECONDS = 60.0
"""The server ends each watch after this time, so that a stale watch is detected soon after it."""
_PAUSE_SECONDS = 1.0
LISTED = "LISTED"
"""Event type for objects in a listing."""


class Watch:
    """Calls `handle(event, object)` in a thread for each listed object, then for each change.

    A watch resumes from the last version it received. If that version has expired, all objects are listed again; the
    resync finds those that were deleted meanwhile.
    """

    def __init__(
        self,
        kube: Kube,
        kind: str,
        handle: Callable[[str, Resource], None],
        *,
        selector: str = "",
        everywhere: bool = False,
        seconds: float = WATCH_SECONDS,
    ) -> None:
        self._kube, self._kind, self._handle, self.seconds = kube, kind, handle, seconds
        self._selector, self._everywhere = selector, everywhere
        self._version: str | None = None
        """The last version received; None if all objects must be listed."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {kind}", daemon=True)
        self.answered = math.inf
        """When the server last answered (monotonic), even if nothing had changed; infinite before the start."""

    def start(self) -> None:
        """Start with a listing."""
        self.answered = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Handle no further events; the thread ends with the current watch."""
        self._stopped.set()

    def join(self, seconds: float) -> bool:
        """Return whether the thread ended within `seconds`."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._follow(self._version or self._list())
            except VersionExpired:
                self._version = None
            except ScoremillError as error:
                metrics.ERRORS.labels("watch").inc()
                logger.warning("watch of %s failed: %s", self._kind, error)
            self._stopped.wait(_PAUSE_SECONDS)

    def _list(self) -> str:
        version = ""
        for page in self._kube.pages(self._kind, self._selector, everywhere=self._everywhere):
            self.answered, version = time.monotonic(), page.version
            for each in page.resources:
                self._dispatch(LISTED, each)
        if not version:
            self._kube.require(self._kind)
        self._version = version
        return version

    def _follow(self, version: str) -> None:
        for change in self._kube.watch(
            self._kind, self._selector, version=version, seconds=self.seconds, everywhere=self._everywhere
        ):
            if self._stopped.is_set():
                return
            self.answered, self._version = time.monotonic(), change.resource.version
            if change.type != "BOOKMARK":
                self._dispatch(change.type, change.resource)
        self.answered = time.monotonic()

    def _dispatch(self, event: str, found: Resource) -> None:
        try:
            self._handle(event, found)
        except Exception:
            metrics.ERRORS.labels("watch").inc()
            logger.exception("could not handle an event of %s", self._kind)
