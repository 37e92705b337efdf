"""The operator does nothing that its Role does not let it do."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from scoremill.kubernetes.api import KINDS, NotPermitted
from scoremill.kubernetes.objects import Certificates, Resource, child_of, driver_job, job_cluster, job_support
from scoremill.kubernetes.objects.driver import driver_access
from scoremill.kubernetes.objects.scheduled import scheduled_job
from scoremill.spec import JobSpec
from scoremill_operator import rules
from scoremill_operator.reconcile.observed import Key, OperatorSettings
from scoremill_operator.reconcile.reconciler import Reconciler
from scoremill_operator.run import handlers
from tests.controller.surroundings import Surroundings
from tests.support.kubernetes_api import KubernetesApi

NAMESPACE = "ml"

SPEC: dict[str, Any] = {
    "model": {"uri": "s3://models/tips"},
    "input": {"uris": ["s3://in/*.csv"]},
    "output": {"uri": "s3://out/tips"},
    "cluster": {"workers": 1, "maxWorkers": 2},
    "cleanup": {"onFailure": "Delete", "ttlSecondsAfterFinished": 0},
}
SETTINGS = OperatorSettings(image="runner:1", issue=lambda *_: Certificates("ca", "certificate", "key"))


JOB = {"apiVersion": "scoremill.dev/v1alpha1", "kind": "ScoringJob", "metadata": {"name": "tips"}, "spec": SPEC}


def without(resource: str, verb: str) -> list[dict[str, Any]]:
    """The operator's Role with one right less."""
    return rules.as_role(
        tuple(
            (group, names, tuple({*verbs} - ({verb} if resource in names else set())))
            for group, names, verbs in rules.RULES
        )
    )


@pytest.mark.parametrize("code", [0, 3, 6])
def test_the_role_grants_every_call_from_the_first_reconcile_to_the_last(
    code: int, kubernetes_api: KubernetesApi
) -> None:
    """Clients of a real API server, which refuses what the Role does not grant, and what the definitions do not allow."""
    admin, passed = kubernetes_api.kube, dt.timedelta()
    operator = kubernetes_api.account("operator", rules.as_role(rules.RULES))
    reconcile = Reconciler(operator, SETTINGS, lambda: dt.datetime.now(dt.UTC) + passed)
    around, kinds = Surroundings(admin), set[str]()
    admin.create(JOB)
    while admin.get("ScoringJob", "tips"):
        reconcile(Key("ScoringJob", kubernetes_api.namespace, "tips"))
        around.all_work()
        kinds |= {kind for kind in ("DaskCluster", "DaskAutoscaler") if admin.select(kind)}
        if "DaskAutoscaler" in kinds:
            around.end_drivers(code)
        passed += dt.timedelta(seconds=20)
        assert passed < dt.timedelta(minutes=20), (admin.get("ScoringJob", "tips") or {}).get("status")
    assert kinds == {"DaskCluster", "DaskAutoscaler"}


@pytest.mark.parametrize(("verb", "call"), [("get", "get"), ("list", "select")])
def test_a_get_is_not_granted_by_list_nor_a_list_by_get(verb: str, call: str, kubernetes_api: KubernetesApi) -> None:
    kube = kubernetes_api.account("operator", without("scoringjobs", verb))
    calls = {"get": lambda: kube.get("ScoringJob", "tips"), "select": lambda: kube.select("ScoringJob")}
    with pytest.raises(NotPermitted, match=f'cannot {verb} resource "scoringjobs"'):
        calls.pop(call)()
    (other,) = calls.values()
    assert not other()


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


def test_children_can_block_the_deletion_of_their_owner() -> None:
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


def test_operator_has_the_right_to_watch_what_it_watches() -> None:
    for prefix, plural in (KINDS[kind] for kind in ("ScoringJob", "ScoringSchedule", *handlers.CHILDREN)):
        group = prefix.split("/")[2] if prefix.startswith("/apis/") else ""
        assert any(
            group == of and plural in names and {"list", "watch"} <= {*verbs} for of, names, verbs in rules.RULES
        )
