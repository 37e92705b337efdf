"""Dask's settings in the pods of a cluster, as environment variables: the ones that a local cluster has, and TLS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from scoremill.naming import WORKER_ENVIRONMENT

from .names import SCRATCH, TLS_FOLDER

KILLS = 3
"""Workers that a partition may kill before it is taken for the cause."""

SCHEDULER: Mapping[str, Any] = {
    # With one task a thread on a worker, who was on a worker that died was running there.
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.allowed-failures": KILLS - 1,
    # It replaces Dask's own routes, which let anybody who reaches the port retire workers and read logs.
    "distributed.scheduler.http.routes": ["scoremill.execute.engines.dask.scheduler_http"],
}
LEAVE = ("--preload-nanny", "scoremill.execute.engines.dask.leave")
"""Arguments with which a worker that is asked to end retires itself. The command line ignores the setting of that name."""
WORKER: Mapping[str, Any] = {
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.pause": False,
    "distributed.admin.system-monitor.gil.enabled": False,
}
_TLS: Mapping[str, Any] = {
    "distributed.comm.require-encryption": True,
    "distributed.comm.default-scheme": "tls",
    "distributed.comm.tls.ca-file": f"{TLS_FOLDER}/ca.crt",
    **{f"distributed.comm.tls.{role}.cert": f"{TLS_FOLDER}/tls.crt" for role in ("scheduler", "worker", "client")},
    **{f"distributed.comm.tls.{role}.key": f"{TLS_FOLDER}/tls.key" for role in ("scheduler", "worker", "client")},
}
_FOLDERS = {"HOME": SCRATCH, "TMPDIR": SCRATCH}
"""What writes outside of `--local-directory`: the root file system is read-only."""


def scheduler_env() -> dict[str, str]:
    """The environment of a scheduler."""
    return {**_FOLDERS, **as_env({**_TLS, **SCHEDULER})}


def worker_env() -> dict[str, str]:
    """The environment of a worker."""
    return {**_FOLDERS, **WORKER_ENVIRONMENT, **as_env({**_TLS, **WORKER})}


def as_env(config: Mapping[str, Any]) -> dict[str, str]:
    """Dask settings as the environment variables that Dask reads them from."""
    return {
        f"DASK_{key.replace('.', '__').replace('-', '_').upper()}": value
        if isinstance(value, str)
        else json.dumps(value)
        for key, value in config.items()
    }
