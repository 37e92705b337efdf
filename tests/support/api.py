"""An API server of one ScoringJob, over HTTP, for processes that talk to it; real ones are in tests/e2e."""

from __future__ import annotations

from contextlib import AbstractContextManager
from urllib.parse import parse_qs, urlsplit

from tests.support.http_api import Api, JsonHandler, Object, running

NAMESPACE = "scoring"
WAIT_SECONDS = 180.0
"""For a process that others leave little of the machine."""


class OneJob(Api):
    """Gives the job, and takes its status by server-side apply unless that is `refused`."""

    namespace = NAMESPACE

    def __init__(self, spec: Object) -> None:
        super().__init__(_Handler)
        self.job: Object = {
            "apiVersion": "scoremill.dev/v1alpha1",
            "kind": "ScoringJob",
            "spec": spec,
            "metadata": {
                "name": "tips",
                "namespace": NAMESPACE,
                "uid": "0f3a",
                "generation": 1,
                "resourceVersion": "7",
                "creationTimestamp": "2026-11-21T03:00:00Z",
                "managedFields": [{"manager": "kubectl"}],
            },
            "status": {"phase": "Running"},
        }
        self.refused = False
        self.others = 0
        """How often somebody else changes the job between its being read and written."""
        self.away = range(0)
        """Which looks, from 1, are answered with 503."""
        self.looks = 0
        self.statuses: list[Object] = []

    @property
    def uid(self) -> str:
        return str(self.job["metadata"]["uid"])

    @uid.setter
    def uid(self, uid: str) -> None:
        self.job["metadata"]["uid"] = uid

    @property
    def path(self) -> str:
        return f"/apis/scoremill.dev/v1alpha1/namespaces/{NAMESPACE}/scoringjobs/{self.job['metadata']['name']}"

    def wait_for_partitions(self, done: int) -> None:
        """Return when that many are reported as completed. Raise AssertionError after WAIT_SECONDS."""

        def is_there() -> bool:
            counts = self.statuses[-1]["progress"].get("partitions", {}) if self.statuses else {}
            return bool(counts.get("done", 0) >= done)

        with self.changed:
            assert self.changed.wait_for(is_there, WAIT_SECONDS), self.statuses

    def wait_for_looks(self, count: int) -> None:
        """Returns once somebody has looked so often; AssertionError after WAIT_SECONDS."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.looks >= count, WAIT_SECONDS), self.looks


class _Handler(JsonHandler):
    server: OneJob

    def do_GET(self) -> None:
        with self.server.changed:
            self.server.looks += 1
            self.server.changed.notify_all()
        if self.server.looks in self.server.away:
            self._answer(503, {"message": "the server is being upgraded"})
            return
        there = self.path == self.server.path
        self._answer(200 if there else 404, self.server.job if there else {"reason": "NotFound", "items": []})

    def do_PATCH(self) -> None:
        made = self._body()
        url = urlsplit(self.path)
        if self.server.refused:
            self._answer(403, {"message": "scoringjobs/status is forbidden"})
            return
        assert url.path == f"{self.server.path}/status"
        assert parse_qs(url.query)["fieldManager"] == ["scoremill-driver"]
        assert self.headers["Content-Type"] == "application/apply-patch+yaml"
        job = self.server.job["metadata"]
        with self.server.changed:
            if self.server.others:
                self.server.others -= 1
                job["resourceVersion"] = str(int(job["resourceVersion"]) + 1)
            # As the real one: for a status, the version counts and the uid does not.
            if made["metadata"]["resourceVersion"] != job["resourceVersion"]:
                self._answer(409, {"reason": "Conflict", "message": "the object has been modified"})
                return
            self.server.statuses.append(made["status"])
            self.server.changed.notify_all()
        self._answer(200, self.server.job)


def serving(spec: Object) -> AbstractContextManager[OneJob]:
    """The server of a job with this spec, while this is open."""
    return running(OneJob(spec))
