"""Leader election: one of several operators holds the Lease, and the others wait for it."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from scoremill.errors import ScoremillError
from scoremill.kubernetes.api import Conflict, Kube, Object
from scoremill.kubernetes.objects import Resource
from scoremill.kubernetes.objects.resource import Fields

from ..log import logger

_CALL_SECONDS = 3.0


@dataclass(frozen=True)
class Timing:
    """Seconds, as in Kubernetes' own controllers: the holder exits after 10 s without renewal; after 15 s another starts."""

    promised: int = 15
    renew: float = 10.0
    retry: float = 2.0


class LeaderLease:
    """A Lease, identified by its name; `identity` is the holder identity of this process.

    Expiry is measured by this process's own clock: the Lease has not changed for its duration.
    """

    def __init__(self, kube: Kube, name: str, identity: str, timing: Timing = Timing()) -> None:
        self._kube, self._name, self._identity = kube.hurried(_CALL_SECONDS), name, identity
        self._timing, self._is_held_elsewhere = timing, False
        self._seen: tuple[str, float] = ("", 0.0)
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.tried = time.monotonic()
        """When this process last tried to acquire or renew the Lease (monotonic), which shows that it is alive."""
        self.renewed: float | None = None
        """When the Lease was last acquired or renewed (monotonic); None while another process holds it."""

    def acquire(self) -> bool:
        """Wait until this process holds the Lease; return False if `stop` was called before."""
        while not self._stopped.is_set():
            if self._try():
                logger.info("acquired the Lease %s", self._name)
                return True
            self._stopped.wait(self._timing.retry)
        return False

    def keep(self, lost: Callable[[], None]) -> None:
        """Renew the Lease in a thread until `stop`; call `lost` if that fails for too long or another process holds it."""
        self._thread = threading.Thread(target=self._keep, args=[lost], name="lease", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop acquiring or renewing the Lease."""
        self._stopped.set()

    def release(self) -> None:
        """Release the Lease, so that another process need not wait until it expires."""
        self.stop()
        if self._thread:
            self._thread.join()
        try:
            there = self._kube.find("Lease", self._name)
            if there and there.spec.get("holderIdentity") == self._identity:
                self._write(there, {"holderIdentity": "", "leaseDurationSeconds": 1})
        except ScoremillError as error:
            logger.warning("could not release the Lease: %s", error)

    def _keep(self, lost: Callable[[], None]) -> None:
        assert self.renewed is not None
        while not self._stopped.wait(self._timing.retry):
            if not self._try() and (self._is_held_elsewhere or time.monotonic() - self.renewed > self._timing.renew):
                lost()
                return

    def _try(self) -> bool:
        """Try to acquire or renew the Lease; return whether this process holds it now."""
        self.tried = begin = time.monotonic()
        try:
            there = self._kube.find("Lease", self._name)
            held = self._create() if there is None else self._is_free(there) and self._take(there)
        except Conflict:
            return False
        except ScoremillError as error:
            logger.warning("could not acquire or renew the Lease: %s", error)
            return False
        if held:
            self.renewed = begin
        return held

    def _is_free(self, there: Resource) -> bool:
        spec = there.spec
        if self._seen[0] != there.version:
            self._seen = (there.version, time.monotonic())
        promised = spec.get("leaseDurationSeconds") or self._timing.promised
        self._is_held_elsewhere = spec.get("holderIdentity") not in {None, "", self._identity}
        return not self._is_held_elsewhere or time.monotonic() - self._seen[1] > promised

    def _create(self) -> bool:
        made = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": self._name}}
        return self._kube.create({**made, "spec": self._claim(None)}) is not None

    def _take(self, there: Resource) -> bool:
        return self._write(there, self._claim(there.spec))

    def _claim(self, before: Fields | None) -> Object:
        now = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        claim: Object = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": self._timing.promised,
            "renewTime": now,
        }
        if before is None or before.get("holderIdentity") != self._identity:
            claim |= {"acquireTime": now, "leaseTransitions": (before or {}).get("leaseTransitions", -1) + 1}
        return claim

    def _write(self, there: Resource, spec: Object) -> bool:
        """Write the Lease; raise Conflict if it has changed since it was read."""
        change = {"metadata": {"resourceVersion": there.version}, "spec": spec}
        return self._kube.patch("Lease", self._name, change) is not None
