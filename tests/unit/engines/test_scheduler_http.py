"""HTTP routes of a scheduler for other pods and for local clients; none of them changes anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection

import dask.config
import pytest
from distributed import LocalCluster

from scoremill.engines.dask.scheduler_http import routes
from scoremill.kubernetes.objects.dask_config import SCHEDULER

READ_BY_ALL = ["/health", "/metrics", "/api/v1/adaptive_target", "/api/v1/check_idle"]
LOCAL = [
    "/info/main/workers.html",
    "/info/main/logs.html",
    "/json/identity.json",
    "/json/counts.json",
    "/api/v1/get_workers",
    "/individual-plots.json",
    "/statics/css/base.css",
]
ELSEWHERE = "127.0.0.2"
"""An address that is not the scheduler's own, as that of another pod."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with (
        dask.config.set(dict(SCHEDULER)),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=False,
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
        ) as running,
    ):
        yield running


def ask(
    cluster: LocalCluster, path: str, source: str, method: str = "GET", body: str | None = None
) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", cluster.scheduler.http_server.port, 10, source_address=(source, 0))
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("path", READ_BY_ALL)
def test_other_pods_can_read_health_metrics_and_scaling_routes(cluster: LocalCluster, path: str) -> None:
    assert ask(cluster, path, ELSEWHERE)[0] == 200


@pytest.mark.parametrize("path", LOCAL)
def test_other_pods_cannot_read_pages_about_tasks_and_logs(cluster: LocalCluster, path: str) -> None:
    assert ask(cluster, path, ELSEWHERE)[0] == 403
    assert ask(cluster, path, "127.0.0.1")[0] == 200


@pytest.mark.parametrize("path", ["/eventstream", "/api/v1", "/proxy/80/127.0.0.1/x", "/status"])
def test_other_routes_of_dask_do_not_exist(cluster: LocalCluster, path: str) -> None:
    assert ask(cluster, path, "127.0.0.1")[0] == 404


def test_other_pods_can_read_only_the_routes_listed_here(cluster: LocalCluster) -> None:
    open_routes = {f"/{path.lstrip('/')}" for path, handler, _ in routes if "_LocalOnly" not in str(handler.__mro__)}
    assert open_routes == {*READ_BY_ALL, "/api/v1/retire_workers"}


@pytest.mark.parametrize("source", ["127.0.0.1", ELSEWHERE])
def test_request_to_retire_workers_returns_their_names_and_retires_none(cluster: LocalCluster, source: str) -> None:
    status, answer = ask(cluster, "/api/v1/retire_workers", source, "POST", '{"n": 1}')
    (named,) = json.loads(answer).values()
    assert status == 200
    assert named["name"] in {worker.name for worker in cluster.scheduler.workers.values()}
    everyone = json.dumps({"n": 0, "workers": [*cluster.scheduler.workers]})
    assert json.loads(ask(cluster, "/api/v1/retire_workers", source, "POST", everyone)[1]) == {}
    assert len(cluster.scheduler.workers) == 2
    assert {worker.status.name for worker in cluster.scheduler.workers.values()} == {"running"}


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"n": "x"}', '{"n": null}', '{"n": 1e999}', "nonsense"])
def test_invalid_request_is_answered_with_400(cluster: LocalCluster, body: str) -> None:
    assert ask(cluster, "/api/v1/retire_workers", ELSEWHERE, "POST", body)[0] == 400
