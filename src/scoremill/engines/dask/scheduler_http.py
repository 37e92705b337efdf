"""HTTP routes of a scheduler, which have no authentication; `distributed.scheduler.http.routes` names this module.

Other pods can read health, metrics and the three routes that dask-kubernetes needs for scaling. No route changes anything:
workers are named, not retired. Pages about tasks, workers and logs are only for local clients, such as a forwarded port.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from distributed.http import health, statics
from distributed.http.scheduler import api, info, prometheus
from distributed.http.scheduler import json as counts
from distributed.http.utils import RequestHandler

LOCAL_ADDRESSES = frozenset({"127.0.0.1", "::1"})
"""Not all of 127.0.0.0/8: service meshes deliver connections of other pods from 127.0.0.6."""


class WorkersToClose(RequestHandler):
    """Return the names of the workers that Dask's `retire_workers` would close.

    dask-kubernetes deletes their Deployments with its own permissions. Workers that end retire themselves (`leave`).
    """

    def post(self) -> None:
        """Answer with their names by address."""
        count = _count(self.request.body)
        if count is None:
            self.send_error(400)
            return
        workers = self.server.workers
        named = {address: {"name": workers[address].name} for address in self.server.workers_to_close(n=count)}
        self.set_header("Content-Type", "application/json")
        self.write(json.dumps(named))


def _count(body: bytes) -> int | None:
    try:
        return int(json.loads(body)["n"])
    except (ValueError, TypeError, KeyError, OverflowError):
        return None


class _LocalOnly:
    """Refuse requests from the network."""

    request: Any
    send_error: Callable[[int], None]

    def prepare(self) -> None:
        # A request that is answered here is not handled further.
        if self.request.remote_ip not in LOCAL_ADDRESSES:
            self.send_error(403)


def _local(handler: type) -> type:
    return type(handler.__name__, (_LocalOnly, handler), {})


_INFO = [route for route in info.routes if route[0] != "eventstream"]  # adds a plugin before anything can refuse it
_PAGES = [*_INFO, *counts.routes, *statics.routes, ("/api/v1/get_workers", api.GetWorkersHandler, {})]

routes: list[tuple[str, type, dict[str, Any]]] = [
    *health.routes,
    *prometheus.routes,
    ("/api/v1/adaptive_target", api.AdaptiveTargetHandler, {}),
    ("/api/v1/check_idle", api.CheckIdleHandler, {}),
    ("/api/v1/retire_workers", WorkersToClose, {}),
    *((path, _local(handler), arguments) for path, handler, arguments in _PAGES),
]
