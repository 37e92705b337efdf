"""A Dask scheduler and workers as processes that are started again when they end, as Deployments do on Kubernetes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from scoremill.kubernetes.objects.dask_config import LEAVE, SCHEDULER, WORKER, as_env
from scoremill.naming import WORKER_ENVIRONMENT

from .jobs import ROOT


class Supervised:
    """A process that is there again soon after it has ended."""

    def __init__(self, words: list[str], env: Mapping[str, str]) -> None:
        self._words, self._env = words, env
        self._is_over, self._lock = threading.Event(), threading.Lock()
        self._process = self._start()
        self._thread = threading.Thread(target=self._keep_up, daemon=True)
        self._thread.start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._words, env=self._env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def _keep_up(self) -> None:
        while True:
            self._process.wait()
            with self._lock:
                if self._is_over.is_set():
                    return
                self._process = self._start()

    def kill(self) -> None:
        """Send SIGKILL to the process and to those that it has started."""
        with self._lock:
            _kill(self._process)

    def end(self) -> None:
        """Kill it for good."""
        self._is_over.set()
        self.kill()
        self._thread.join(30)


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        children = []
    process.send_signal(signal.SIGKILL)
    for child in children:
        try:
            child.kill()
        except psutil.Error:
            continue


@dataclass
class DaskProcesses:
    """A scheduler, whose address stays the same, and its workers."""

    address: str
    scheduler: Supervised
    workers: list[Supervised] = field(default_factory=list)


@contextmanager
def dask_processes(workers: int, **env: str) -> Iterator[DaskProcesses]:
    """Run a scheduler and `workers` with nannies, configured as on Kubernetes; `env` is the workers' too."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    base = {**os.environ, "PYTHONPATH": path, **as_env({**SCHEDULER, **WORKER}), **WORKER_ENVIRONMENT, **env}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    scheduler = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--no-dashboard",
        "--dashboard-address",
        "127.0.0.1:0",
    ]
    worker = [
        sys.executable,
        "-m",
        "distributed.cli.dask_worker",
        address,
        "--nthreads",
        "1",
        "--no-dashboard",
        "--host",
        "127.0.0.1",
        "--memory-limit",
        "1GiB",
        *LEAVE,
    ]
    running = DaskProcesses(address, Supervised(scheduler, base))
    try:
        running.workers += [Supervised(worker, base) for _ in range(workers)]
        yield running
    finally:
        for process in (*running.workers, running.scheduler):
            process.end()
