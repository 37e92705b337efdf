"""Evidence of what keeps a cluster from coming up is asked for sparingly, and is never what fails."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from scoremill.kubernetes.api import connect
from scoremill.kubernetes.diagnosis import ObservedCluster, diagnose
from scoremill.kubernetes.evidence import explained
from scoremill.kubernetes.objects import Resource
from tests.support.http_api import Api, JsonHandler, running

CREATED = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


class Nodes(Api):
    """Kubelets that answer with `status` when they are asked for logs."""

    namespace = "n"

    def __init__(self, status: int) -> None:
        super().__init__(_Handler)
        self.status, self.asked = status, list[str]()


class _Handler(JsonHandler):
    server: Nodes

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if not path.endswith("/log"):
            return self._answer(200, {"items": []})
        self.server.asked.append(path.split("/")[-2])
        return self._answer(self.server.status, {"message": "dial tcp 10.0.0.9:10250: i/o timeout"})


def worker(name: str) -> Resource:
    ended = {"lastState": {"terminated": {"exitCode": 1}}, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    status = {"phase": "Running", "containerStatuses": [{"name": "worker", "restartCount": 3, "image": "i", **ended}]}
    return Resource("Pod", name, status=status)


@pytest.mark.parametrize("status", [200, 403, 500])
def test_one_pod_of_many_that_crash_is_asked_and_need_not_answer(status: int, tmp_path: Path) -> None:
    made = Resource("DaskCluster", "tips", created=CREATED)
    deployments = (Resource("Deployment", "a"), Resource("Deployment", "b"))
    seen = ObservedCluster(
        made, 60, 500, None, deployments=deployments, pods=tuple(worker(f"w-{n}") for n in range(500))
    )
    with running(Nodes(status)) as nodes:
        found = explained(connect(str(nodes.kubeconfig(tmp_path))), seen)
        assert {*nodes.asked} == {"w-0"} and len(nodes.asked) <= 2
    cause = diagnose(found)
    assert cause and cause.reason == "CrashLoop" and ("i/o timeout" in cause.evidence) is (status == 200)
