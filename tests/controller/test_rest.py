"""A job that needs nothing costs nothing, and one with something left is reconciled without an event."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from scoremill.kubernetes.objects import Certificates, Resource, child_of, names
from scoremill_operator.reconcile.observed import Key, OperatorSettings
from scoremill_operator.reconcile.reconciler import Reconciler
from tests.controller.api_server import NAMESPACE, START, Server

KEY = Key("ScoringJob", NAMESPACE, "tips")
RESYNC = dt.timedelta(seconds=60)
SETTINGS = OperatorSettings("runner:1", issue=lambda *_: Certificates("ca", "certificate", "key"))
ENDED = "2026-11-21T02:00:00Z"
"""An hour before START."""


def server_with(status: dict[str, Any], **spec: Any) -> Server:
    server = Server(now=dt.datetime.now(dt.UTC))
    asked = {"model": {"uri": "s3://m/tips"}, "input": {"uris": ["s3://in/*.csv"]}, "output": {"uri": "s3://out/tips"}}
    job = {"apiVersion": "scoremill.dev/v1alpha1", "kind": "ScoringJob", "metadata": {"name": "tips"}}
    made = server.create({**job, "spec": asked | spec, "status": {"observedGeneration": 1, **status}})
    assert made is not None
    return server


def finished(phase: str = "Complete", **spec: Any) -> Server:
    return server_with({"phase": phase, "completionTime": ENDED}, **spec)


def is_due(server: Server) -> bool:
    """Return whether an operator that starts now reconciles the job before the next listing, without an event."""
    known = Reconciler(server.client(), SETTINGS).known([NAMESPACE], START + RESYNC)
    ((key, _, due),) = [each for each in known if each[0].kind == "ScoringJob"]
    assert key == KEY
    return due


def child(server: Server, kind: str, name: str = "", status: Any = None, **labels: str) -> None:
    job = server.objects["ScoringJob", "tips"]
    metadata = {
        "name": child_of(Resource.of(job)) + name,
        "labels": {names.JOB: child_of(Resource.of(job)), **labels},
        "annotations": {names.JOB_NAME: "tips"},
    }
    server.put({"kind": kind, "metadata": metadata, "spec": {"worker": {}}, "status": status or {}})


@pytest.mark.parametrize("phase", ["Complete", "Failed"])
def test_a_finished_job_with_the_logs_of_its_drivers_costs_listings_only(phase: str) -> None:
    server = finished(phase)
    child(server, "Job", "-1", {"conditions": [{"type": "Failed", "status": "True"}]})
    child(server, "Job", "-2", {"conditions": [{"type": "Complete", "status": "True"}]})
    child(server, "Pod", "-1-x", {"phase": "Failed"})
    child(server, "Pod", "-2-x", {"phase": "Succeeded"})
    assert not is_due(server)
    assert {method for method, _ in server.calls} == {"GET"}
    assert len(server.calls) == 5, "one for each kind, of jobs and schedules, of clusters and drivers"


def test_cluster_left_over_from_a_finished_job_is_deleted() -> None:
    server = finished()
    child(server, "DaskCluster")
    assert is_due(server)
    Reconciler(server.client(), SETTINGS)(KEY)
    server.collect()
    assert not server.find("DaskCluster") and not is_due(server)


def test_driver_left_over_from_a_finished_job_is_deleted() -> None:
    server = finished()
    child(server, "Job", "-1")
    assert is_due(server)
    Reconciler(server.client(), SETTINGS)(KEY)
    server.collect()
    assert not server.find("Job") and not is_due(server)


def test_a_pod_of_a_driver_that_outlives_its_job_is_watched() -> None:
    server = finished()
    child(server, "Pod", "-1-x", {"phase": "Running"}, **{"batch.kubernetes.io/job-name": "any"})
    assert is_due(server)


def test_pods_of_a_cluster_are_not_asked_for() -> None:
    server = finished()
    child(server, "Pod", "-scheduler", {"phase": "Running"}, **{names.DASK_COMPONENT: "scheduler"})
    assert not is_due(server), "they go with the cluster, which is"


@pytest.mark.parametrize(("ttl", "due"), [(3600 - 60, True), (3600 + 59, True), (3600 + 60, True), (3600 + 61, False)])
def test_job_with_a_ttl_is_reconciled_when_it_expires(ttl: int, due: bool) -> None:
    assert is_due(finished(cleanup={"ttlSecondsAfterFinished": ttl})) == due


def test_ttl_is_exact_after_one_reconcile() -> None:
    server = finished(cleanup={"ttlSecondsAfterFinished": 10**9})
    left = Reconciler(server.client(), SETTINGS)(KEY)
    assert left is not None and 0 < left < 10**9


@pytest.mark.parametrize(
    "phase", [None, "Pending", "Planning", "Starting", "Running", "Suspending", "Retrying", "Suspended"]
)
def test_active_job_is_always_reconciled(phase: str | None) -> None:
    assert is_due(server_with({"phase": phase} if phase else {}))


def test_suspended_job_is_not_reconciled_until_it_changes() -> None:
    assert not is_due(server_with({"phase": "Suspended"}, suspend=True))
    assert is_due(server_with({"phase": "Suspended", "observedGeneration": 0}, suspend=True))
    assert is_due(server_with({"phase": "Suspended"}, suspend=False))


def test_jobs_of_others_and_jobs_that_go_are_left_alone() -> None:
    assert not is_due(server_with({}, managedBy="kueue.x-k8s.io/multikueue"))
    server = server_with({"phase": "Running"})
    server.mark(server.objects["ScoringJob", "tips"])
    assert not is_due(server)


def test_new_job_is_started_in_one_reconcile() -> None:
    server = server_with({"observedGeneration": 0})
    Reconciler(server.client(), SETTINGS)(KEY)
    reads = [kind for method, kind in server.calls if method == "GET"]
    assert sorted(reads) == ["DaskCluster", "Job", "Pod", "ScoringJob"]
    assert server.calls.count(("PATCH", "ScoringJob")) == 1 and server.find("Job")


def is_news(look: Reconciler, job: dict[str, Any]) -> bool:
    return look.is_news(KEY, Resource.of(job))


def running(server: Server, look: Reconciler) -> None:
    """The job's driver scores, on a cluster that is up."""
    for _ in range(3):
        look(KEY)
        for part in (server.dask, server.jobs, server.kubelet, server.plan):
            part()
    look(KEY)
    assert server.objects["ScoringJob", "tips"]["status"]["phase"] == "Running"


def test_of_a_cluster_that_is_up_no_more_is_read_than_is_needed() -> None:
    server = server_with({"observedGeneration": 0}, cluster={"workers": 1})
    look = Reconciler(server.client(), SETTINGS)
    running(server, look)
    server.calls.clear()
    look(KEY)
    assert sorted(server.calls) == [("GET", kind) for kind in ("DaskCluster", "Job", "Pod", "ScoringJob")]


def test_the_number_of_workers_is_read_and_written_only_where_the_spec_was_changed() -> None:
    server = server_with({"observedGeneration": 0}, cluster={"workers": 1})
    look = Reconciler(server.client(), SETTINGS)
    running(server, look)
    job = server.objects["ScoringJob", "tips"]
    job["spec"]["cluster"]["workers"] = 3
    job["metadata"]["generation"] += 1
    server.touch(job)
    assert is_news(look, job)
    look(KEY)
    (group,) = server.find("DaskWorkerGroup")
    assert (group["spec"]["worker"]["replicas"], job["status"]["phase"]) == (3, "Running")
    server.calls.clear()
    look(KEY)
    assert ("PATCH", "DaskWorkerGroup") not in server.calls, "it is written once"


def test_finish_and_cluster_deletion_are_one_reconcile() -> None:
    server = server_with({"observedGeneration": 0})
    look = Reconciler(server.client(), SETTINGS)
    running(server, look)
    (driver,) = server.live_drivers()
    server.end(driver, 0)
    server.jobs()
    server.calls.clear()
    look(KEY)
    assert server.deleted == [("DaskCluster", "Complete")], "written before anything is torn down"
    assert [call for call in server.calls if call[0] != "GET"] == [
        ("PATCH", "ScoringJob"),
        ("POST", "Event"),
        ("DELETE", "DaskCluster"),
    ]


def test_progress_and_what_the_operator_wrote_itself_are_no_news_and_all_else_is() -> None:
    server = server_with({"observedGeneration": 0})
    look = Reconciler(server.client(), SETTINGS)
    job = server.objects["ScoringJob", "tips"]
    assert is_news(look, job)
    look(KEY)
    assert not is_news(look, job), "its own status"
    job["status"]["progress"] = {"attempt": 1, "rows": {"done": 7}}
    server.touch(job)
    assert not is_news(look, job)
    asks = {**job["status"]["progress"], "stage": "WaitingForCluster"}
    assert is_news(look, {**job, "status": {**job["status"], "progress": asks}}), "the driver asks for its cluster"
    assert is_news(look, {**job, "metadata": {**job["metadata"], "generation": 2}}), "suspended, say"
    assert is_news(look, {**job, "metadata": {**job["metadata"], "uid": "another"}}), "made again"
    assert is_news(look, {**job, "metadata": {**job["metadata"], "deletionTimestamp": ENDED}})
    assert is_news(look, {**job, "status": {}}), "somebody's edit"
    del server.objects["ScoringJob", "tips"]
    look(KEY)
    assert is_news(look, job), "a deleted job is forgotten"


def test_failed_reconcile_does_not_make_events_old() -> None:
    server = server_with({"observedGeneration": 0})
    look = Reconciler(server.client(), SETTINGS)
    server.faults.extend(["", "", "", "", "409"])
    assert look(KEY) == 0.2
    assert is_news(look, server.objects["ScoringJob", "tips"])
