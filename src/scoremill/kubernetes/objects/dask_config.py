"""Dask's settings in the pods of a cluster, as environment variables: those of a local cluster, and TLS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from scoremill.naming import WORKER_ENVIRONMENT

from .names import SCRATCH, TLS_FILES, TLS_FOLDER

KILLS = 3
"""How many workers a partition can kill before it is considered the cause."""

SCHEDULER: Mapping[str, Any] = {
    # With one task per thread, every task on a worker that died was running there.
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.allowed-failures": KILLS - 1,
    # Replaces Dask's own routes, which let anyone who reaches the port retire workers and read logs.
    "distributed.scheduler.http.routes": ["scoremill.engines.dask.scheduler_http"],
}
LEAVE = ("--preload-nanny", "scoremill.engines.dask.leave")
"""Arguments that make a worker retire itself on SIGTERM. Dask's command line ignores the setting of that name."""
WORKER: Mapping[str, Any] = {
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.pause": False,
    "distributed.admin.system-monitor.gil.enabled": False,
}
_CA, _CERTIFICATE, _KEY = (f"{TLS_FOLDER}/{name}" for name in TLS_FILES)
_TLS: Mapping[str, Any] = {
    "distributed.comm.require-encryption": True,
    "distributed.comm.default-scheme": "tls",
    "distributed.comm.tls.ca-file": _CA,
    **{f"distributed.comm.tls.{role}.cert": _CERTIFICATE for role in ("scheduler", "worker", "client")},
    **{f"distributed.comm.tls.{role}.key": _KEY for role in ("scheduler", "worker", "client")},
}
_FOLDERS = {"HOME": SCRATCH, "TMPDIR": SCRATCH}
"""Folders for files outside of `--local-directory`, because the root file system is read-only."""


def scheduler_env() -> dict[str, str]:
    """Return the environment variables of a scheduler."""
    return {**_FOLDERS, **as_env({**_TLS, **SCHEDULER})}


def worker_env() -> dict[str, str]:
    """Return the environment variables of a worker."""
    return {**_FOLDERS, **WORKER_ENVIRONMENT, **as_env({**_TLS, **WORKER})}


def as_env(config: Mapping[str, Any]) -> dict[str, str]:
    """Return Dask settings as the environment variables from which Dask reads them."""
    return {
        f"DASK_{key.replace('.', '__').replace('-', '_').upper()}": value
        if isinstance(value, str)
        else json.dumps(value)
        for key, value in config.items()
    }
