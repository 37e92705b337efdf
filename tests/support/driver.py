"""`scoremill driver` as a process of its own, as the operator's pod starts it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scoremill.kubernetes.objects.names import child_name
from scoremill.naming import spec_hash
from tests.support.api import OneJob
from tests.support.jobs import command, run

Last = dict[str, Any]
CHILD = child_name("tips", "0f3a")
"""The child name of the job that the API server of `tests.support.api` has."""


class Pod:
    """What the operator gives a driver, and what the driver leaves."""

    def __init__(self, api: OneJob, folder: Path, *more: object) -> None:
        self._more = more
        self.log = folder / "termination-log"
        self.environment = {
            "KUBECONFIG": str(api.kubeconfig(folder)),
            "SCOREMILL_JOB": "tips",
            "SCOREMILL_ATTEMPT": "2",
            "SCOREMILL_SPEC": spec_hash(api.job["spec"]),
            "SCOREMILL_CLUSTER": "in-process",
        }

    def run(self, **environment: str) -> tuple[int, Last, str]:
        """Exit code, last word and stderr."""
        code, out, err = run(*self.words, environment=self.environment | environment)
        assert not out
        return code, self.last(), err

    @contextmanager
    def running(self, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """The driver, killed at the end if it still runs."""
        with command(*self.words, environment=self.environment | environment) as process:
            try:
                yield process
            finally:
                process.kill()

    @property
    def words(self) -> list[object]:
        return ["driver", "--termination-log", self.log, *self._more]

    def last(self) -> Last:
        """The last word, which Kubernetes would not cut."""
        data = self.log.read_bytes()
        assert len(data) < 4096
        return dict(json.loads(data))
