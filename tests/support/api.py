"""An API server of one ScoringJob, over HTTP, for processes that talk to it; real ones are in tests/e2e."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

NAMESPACE = "scoring"
Object = dict[str, Any]


class OneJob(ThreadingHTTPServer):
    """Gives the job, and takes its status by server-side apply unless that is `refused`."""

    daemon_threads = True

    def __init__(self, spec: Object) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.job: Object = {
            "apiVersion": "scoremill.dev/v1alpha1", "kind": "ScoringJob", "spec": spec,
            "metadata": {
                "name": "tips", "namespace": NAMESPACE, "uid": "0f3a", "generation": 1, "resourceVersion": "7",
                "creationTimestamp": "2026-11-21T03:00:00Z", "managedFields": [{"manager": "kubectl"}],
            },
            "status": {"phase": "Running"},
        }  # fmt: skip
        self.refused = False
        self.statuses: list[Object] = []
        self.changed = threading.Condition()

    @property
    def path(self) -> str:
        return f"/apis/scoremill.dev/v1alpha1/namespaces/{NAMESPACE}/scoringjobs/{self.job['metadata']['name']}"

    def wait_for_partitions(self, done: int) -> None:
        """Returns once so many are told to be done; AssertionError after a minute."""

        def is_there() -> bool:
            counts = self.statuses[-1]["progress"].get("partitions", {}) if self.statuses else {}
            return bool(counts.get("done", 0) >= done)

        with self.changed:
            assert self.changed.wait_for(is_there, 60), self.statuses

    def kubeconfig(self, folder: Path) -> Path:
        """A file by which the server is found."""
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.server_port}"}}],
            "users": [{"name": "u", "user": {"token": "t0ken"}}],
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE}}],
        }))  # fmt: skip
        return path


class _Handler(BaseHTTPRequestHandler):
    server: OneJob

    def do_GET(self) -> None:
        there = self.path == self.server.path
        self._answer(200 if there else 404, self.server.job if there else {"reason": "NotFound", "items": []})

    def do_PATCH(self) -> None:
        made = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        url = urlsplit(self.path)
        if self.server.refused:
            self._answer(403, {"message": "scoringjobs/status is forbidden"})
            return
        assert url.path == f"{self.server.path}/status"
        assert parse_qs(url.query)["fieldManager"] == ["scoremill-driver"]
        assert self.headers["Content-Type"] == "application/apply-patch+yaml"
        assert made["metadata"] == {"name": "tips", "uid": "0f3a"}
        with self.server.changed:
            self.server.statuses.append(made["status"])
            self.server.changed.notify_all()
        self._answer(200, self.server.job)

    def _answer(self, status: int, content: Object) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@contextmanager
def serving(spec: Object) -> Iterator[OneJob]:
    """The server of a job with this spec, while this is open."""
    with OneJob(spec) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
