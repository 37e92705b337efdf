"""The operator does nothing that its Role does not let it do."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from scoremill.kubernetes.client import KINDS
from scoremill.kubernetes.objects import Certificates, Resource, child_of, driver_job, job_cluster, job_support
from scoremill.kubernetes.objects.driver import driver_access
from scoremill.kubernetes.objects.scheduled import scheduled_job
from scoremill.spec import JobSpec
from scoremill_operator import rules
from scoremill_operator.reconcile.observed import Key, Settings
from scoremill_operator.reconcile.reconciler import Reconciler
from scoremill_operator.run import handlers
from tests.controller.api_server import NAMESPACE, Server

SPEC: dict[str, Any] = {
    "model": {"uri": "s3://models/tips"},
    "input": {"uris": ["s3://in/*.csv"]},
    "output": {"uri": "s3://out/tips"},
    "cluster": {"workers": 1, "maxWorkers": 2},
    "cleanup": {"onFailure": "Delete", "ttlSecondsAfterFinished": 0},
}
SETTINGS = Settings(image="runner:1", issue=lambda *_: Certificates("ca", "certificate", "key"))


def granted() -> set[tuple[str, str, str]]:
    """API group, resource and verb of each right that the operator's Role gives."""
    return {(group, name, verb) for group, names, verbs in rules.RULES for name in names for verb in verbs}


@pytest.mark.parametrize("code", [0, 3, 6])
def test_the_role_grants_every_call_from_the_first_reconcile_to_the_last(code: int) -> None:
    server = Server()
    key = Key("ScoringJob", NAMESPACE, "tips")
    job = server.create(
        {"apiVersion": "scoremill.dev/v1alpha1", "kind": "ScoringJob", "metadata": {"name": "tips"}, "spec": SPEC}
    )
    assert job is not None
    look = Reconciler(server.client(), SETTINGS, server.clock)
    for _ in range(60):
        look(key)
        for step in (server.collect, server.dask, server.jobs, server.kubelet, server.plan):
            step()
        for pod in server.live_drivers():
            if pod["status"]["phase"] == "Running" and server.find("DaskAutoscaler"):
                server.end(pod, code)
        server.now += dt.timedelta(seconds=20)
    assert ("ScoringJob", "tips") not in server.objects
    assert {("DELETE", "DaskCluster"), ("DELETE", "ScoringJob"), ("PATCH", "ScoringJob")} <= {*server.calls}
    assert server.needed <= granted()


def test_a_get_is_not_granted_by_list() -> None:
    server = Server()
    server.client().get("ScoringJob", "tips")
    server.client().select("ScoringJob")
    group, resource = "scoremill.dev", "scoringjobs"
    assert server.needed == {(group, resource, "get"), (group, resource, "list")}


def test_a_role_that_it_makes_holds_no_more_than_its_own() -> None:
    """Or Kubernetes refuses it."""
    job = Resource("ScoringJob", "tips", NAMESPACE, "u")
    (role,) = (each for each in driver_access(job, JobSpec.model_validate(SPEC)) if each["kind"] == "Role")
    assert role["metadata"]["name"].startswith(child_of(job))
    for rule in role["rules"]:
        for resource in rule["resources"]:
            assert any(
                rule["apiGroups"] == [group] and resource in names and {*rule["verbs"]} <= {*verbs}
                for group, names, verbs in rules.RULES
            )


def test_what_it_makes_may_keep_its_owner_from_going() -> None:
    """OwnerReferencesPermissionEnforcement asks for it; a driver that outlives its job would meet the next one's."""
    job = Resource("ScoringJob", "tips", NAMESPACE, "u", spec=SPEC)
    spec = JobSpec.model_validate(SPEC)
    schedule = Resource("ScoringSchedule", "nightly", NAMESPACE, "u", spec={"jobTemplate": {"spec": SPEC}})
    cluster = job_cluster(job, spec, "runner:1")
    made = [
        *job_support(job, SETTINGS.issue),
        cluster,
        driver_job(job, spec, 1, cluster, resources={}, seconds=None),
        scheduled_job(schedule, dt.datetime.now(dt.UTC), None),
    ]
    owners = [owner for each in made for owner in each["metadata"]["ownerReferences"]]
    assert all(owner["blockOwnerDeletion"] for owner in owners)
    for kind in {owner["kind"] for owner in owners}:
        needed = f"{KINDS[kind][1]}/finalizers"
        assert any(of == "scoremill.dev" and needed in names and "update" in verbs for of, names, verbs in rules.RULES)


def test_what_is_watched_may_be_watched() -> None:
    for prefix, plural in (KINDS[kind] for kind in ("ScoringJob", "ScoringSchedule", *handlers.CHILDREN)):
        group = prefix.split("/")[2] if prefix.startswith("/apis/") else ""
        assert any(
            group == of and plural in names and {"list", "watch"} <= {*verbs} for of, names, verbs in rules.RULES
        )
