"""A watch: what is there is listed, and then every change is followed, whatever becomes of the connection."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from scoremill.errors import ScoremillError
from scoremill.kubernetes.client import Gone, Kube, Object

from .. import metrics
from ..log import logger

WATCH_SECONDS = 60.0
"""The server ends each watch after this time, so that a connection that is cut in silence is found out soon after it."""
_PAUSE_SECONDS = 1.0
LISTED = "LISTED"
"""The event of an object that a listing shows."""


class Watch:
    """Calls `hear(event, object)` in a thread of its own for each object that is listed, then for each change.

    A watch goes on from the last version that was seen. Where the server has forgotten that version, all is listed again:
    the resync finds what was deleted meanwhile.
    """

    def __init__(
        self,
        kube: Kube,
        kind: str,
        hear: Callable[[str, Object], None],
        *,
        selector: str = "",
        everywhere: bool = False,
        seconds: float = WATCH_SECONDS,
    ) -> None:
        self._kube, self._kind, self._hear, self.seconds = kube, kind, hear, seconds
        self._selector, self._everywhere = selector, everywhere
        self._version: str | None = None
        """The last that was seen; None where all is to be listed."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {kind}", daemon=True)
        self.answered = math.inf
        """When the server last answered (monotonic), even if nothing had changed; infinite before the start."""

    def start(self) -> None:
        """The first listing begins."""
        self.answered = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Nothing is heard any more; the thread ends with the watch that is under way."""
        self._stopped.set()

    def join(self, seconds: float) -> bool:
        """Whether the thread has ended within that time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._follow(self._version or self._list())
            except Gone:
                self._version = None
            except ScoremillError as error:
                metrics.ERRORS.labels("watch").inc()
                logger.warning("watch of %s failed: %s", self._kind, error)
            self._stopped.wait(_PAUSE_SECONDS)

    def _list(self) -> str:
        version = ""
        for page in self._kube.pages(self._kind, self._selector, everywhere=self._everywhere):
            self.answered, version = time.monotonic(), page["metadata"]["resourceVersion"]
            for each in page["items"]:
                self._tell(LISTED, each)
        if not version:
            self._kube.require(self._kind)
        self._version = version
        return version

    def _follow(self, version: str) -> None:
        for event in self._kube.watch(
            self._kind, self._selector, version=version, seconds=self.seconds, everywhere=self._everywhere
        ):
            if self._stopped.is_set():
                return
            self.answered, self._version = time.monotonic(), event["object"]["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._tell(event["type"], event["object"])
        self.answered = time.monotonic()

    def _tell(self, event: str, found: Object) -> None:
        try:
            self._hear(event, found)
        except Exception:
            metrics.ERRORS.labels("watch").inc()
            logger.exception("event of %s failed", self._kind)
