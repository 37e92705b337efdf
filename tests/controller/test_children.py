"""A custom resource in, its children out: children/*.yaml hold both."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from scoremill.kubernetes.objects import (
    Certificates,
    Resource,
    child_of,
    driver_access,
    driver_job,
    job_autoscaler,
    job_cluster,
    job_support,
)
from scoremill.naming import spec_hash
from scoremill.spec import parse_job

CASES = sorted((Path(__file__).parent / "children").glob("*.yaml"))
IMAGE = "ghcr.io/scoremill/runner:1.2.3"
LONGEST = "a.b-" * 63 + "z"


def children(manifest: dict[str, Any], seconds: int | None = None) -> list[dict[str, Any]]:
    """All children of the job's first attempt, as the operator makes them."""
    job, spec = Resource.of(manifest), parse_job(manifest).spec
    support = job_support(job, lambda *_: Certificates("ca", "certificate", "key"))
    cluster = job_cluster(job, spec, IMAGE)
    scaler = job_autoscaler(job, spec, replace(Resource.of(cluster), uid="uid-of-cluster"))
    driver = driver_job(job, spec, 1, cluster, resources={}, seconds=seconds)
    return [*support, *driver_access(job, spec), driver, cluster, *([scaler] if scaler else [])]


def driver_of(job: dict[str, Any]) -> dict[str, Any]:
    """The batch Job of the job's first driver."""
    (made,) = [each for each in children(job) if each["kind"] == "Job"]
    return made


def resource(name: str = "tips-2009", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "scoremill.dev/v1alpha1",
        "kind": "ScoringJob",
        "metadata": {"name": name, "namespace": "ml", "uid": "0b5c0f5e-7a39-4f0e-8f0b-5a3f9c1d2e3f"},
        "spec": {
            "model": {"uri": "s3://models/tips"},
            "input": {"uris": ["s3://in/*.csv"]},
            "output": {"uri": "s3://out/tips"},
            **spec,
        },
    }


def named(made: list[dict[str, Any]]) -> list[str]:
    return [f"{each['kind']} {each['metadata']['name']}" for each in made]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_job_becomes_these_children(case: Path) -> None:
    content = yaml.safe_load(case.read_text())
    made = children(content["job"], content.get("seconds"))
    assert named(made) == content["order"]
    by_name = dict(zip(named(made), made, strict=True))
    for each in content["made"]:
        assert by_name[named([each])[0]] == each


@pytest.mark.parametrize("name", ["a", "2009", "2009-tips", "a.b.c", LONGEST, "x" * 253, "9" * 253])
def test_names_and_labels_are_within_limits_and_hold_the_whole_name(name: str) -> None:
    for each in children(resource(name, cluster={"workers": 0, "maxWorkers": 2})):
        metadata = each["metadata"]
        assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", metadata["name"]) and len(metadata["name"]) <= 63
        assert all(len(value) <= 63 for value in metadata["labels"].values())
        assert metadata["labels"]["scoremill.dev/job"] == child_of(Resource.of(resource(name)))
        assert metadata["annotations"]["scoremill.dev/job-name"] == name


def test_recreated_job_has_other_children() -> None:
    again = resource()
    again["metadata"]["uid"] = "another"
    assert not {*named(children(resource()))} & {*named(children(again))}
    assert child_of(Resource.of(resource("a.b"))) != child_of(Resource.of(resource("a-b")))


def test_all_go_before_the_job_but_the_autoscaler_which_goes_with_the_cluster() -> None:
    for each in children(resource(cluster={"workers": 1, "maxWorkers": 2})):
        (owner,) = each["metadata"]["ownerReferences"]
        is_clusters = each["kind"] == "DaskAutoscaler"
        assert owner["uid"] == ("uid-of-cluster" if is_clusters else resource()["metadata"]["uid"])
        assert owner.get("blockOwnerDeletion", False) is not is_clusters


def test_driver_can_only_read_its_own_job_and_write_its_status() -> None:
    (role,) = [each for each in children(resource()) if each["kind"] == "Role"]
    assert {tuple(rule["resourceNames"]) for rule in role["rules"]} == {("tips-2009",)}
    granted = {(rule["resources"][0], *rule["verbs"]) for rule in role["rules"]}
    assert granted == {("scoringjobs", "get"), ("scoringjobs/status", "patch")}


def test_the_account_of_the_buckets_is_the_drivers_too() -> None:
    made = children(resource(cluster={"serviceAccount": "reader"}))
    assert "ServiceAccount" not in {each["kind"] for each in made}
    (binding,) = [each for each in made if each["kind"] == "RoleBinding"]
    assert [subject["name"] for subject in binding["subjects"]] == ["reader"]
    assert (
        driver_of(resource(cluster={"serviceAccount": "reader"}))["spec"]["template"]["spec"]["serviceAccountName"]
        == "reader"
    )


def test_the_driver_is_placed_as_the_scheduler_is_and_has_the_workers_environment() -> None:
    pod = {"imagePullSecrets": [{"name": "registry"}], "tolerations": [{"operator": "Exists"}]}
    job = resource(
        cluster={"template": {"spec": {"scheduler": {"spec": pod}}}, "env": {"AWS_ENDPOINT_URL": "http://minio"}},
        credentials={"secretRef": {"name": "keys"}},
    )
    made = driver_of(job)["spec"]["template"]["spec"]
    assert {key: made[key] for key in pod} == pod
    (container,) = made["containers"]
    assert {"name": "AWS_ENDPOINT_URL", "value": "http://minio"} in container["env"]
    assert {"name": "SCOREMILL_SPEC", "value": spec_hash(job["spec"])} in container["env"]
    assert container["envFrom"] == [{"secretRef": {"name": "keys"}}]


def pod_of(template: dict[str, Any], **cluster: Any) -> dict[str, Any]:
    """The pod of the driver of a job with this `cluster.template`."""
    made = driver_of(resource(cluster={"template": template, **cluster}))
    found: dict[str, Any] = made["spec"]["template"]
    return found


def test_the_runner_pod_has_the_labels_and_annotations_of_scheduler_and_workers() -> None:
    template = {
        "metadata": {"labels": {"cost-center": "42"}, "annotations": {"owner": "tips"}},
        "spec": {
            "worker": {"metadata": {"labels": {"azure.workload.identity/use": "true", "tier": "worker"}}},
            "scheduler": {"metadata": {"labels": {"tier": "scheduler"}, "annotations": {"vault.io/inject": "true"}}},
        },
    }
    metadata = pod_of(template)["metadata"]
    assert (
        metadata["labels"].items()
        >= {
            "cost-center": "42",
            "azure.workload.identity/use": "true",
            "tier": "scheduler",
        }.items()
    )
    assert metadata["annotations"].items() >= {"owner": "tips", "vault.io/inject": "true"}.items()


def test_no_template_changes_the_labels_by_which_the_runner_pod_is_found() -> None:
    own = pod_of({})["metadata"]
    labels = dict.fromkeys(own["labels"], "other") | {"dask.org/component": "worker", "scoremill.dev/any": "other"}
    annotations = {"scoremill.dev/job-name": "other", "dask.org/any": "other"}
    metadata = {"metadata": {"labels": labels, "annotations": annotations}}
    for template in (metadata, {"spec": {"worker": metadata}}, {"spec": {"scheduler": metadata}}):
        assert pod_of(template)["metadata"] == own


def test_a_template_removes_no_label_of_the_runner_pod() -> None:
    template = {"spec": {"worker": {"metadata": {"labels": {"app.kubernetes.io/name": None, "team": None}}}}}
    assert pod_of(template)["metadata"] == pod_of({})["metadata"]
    assert pod_of({"spec": {"worker": {"metadata": {"labels": None}}}})["metadata"] == pod_of({})["metadata"]


def test_the_runner_pod_runs_as_the_account_that_the_template_gives_workers() -> None:
    template = {"spec": {"worker": {"spec": {"serviceAccountName": "reader"}}}}
    made = children(resource(cluster={"template": template}))
    assert "ServiceAccount" not in {each["kind"] for each in made}
    (binding,) = [each for each in made if each["kind"] == "RoleBinding"]
    assert [subject["name"] for subject in binding["subjects"]] == ["reader"]
    assert pod_of(template)["spec"]["serviceAccountName"] == "reader"
    assert pod_of(template, serviceAccount="named")["spec"]["serviceAccountName"] == "named"


def test_the_runner_pod_has_the_volumes_and_variables_by_which_workers_get_credentials() -> None:
    key = {"name": "key", "secret": {"secretName": "google"}}
    worker = {
        "containers": [
            {
                "name": "worker",
                "volumeMounts": [{"name": "key", "mountPath": "/key"}],
                "envFrom": [{"configMapRef": {"name": "proxies"}}],
            },
            {"name": "proxy", "image": "proxy:1"},
        ],
        "volumes": [key, {"name": "unused", "emptyDir": {}}, {"name": "scratch", "emptyDir": {"sizeLimit": "1Ti"}}],
    }
    made = pod_of({"spec": {"worker": {"spec": worker}}})["spec"]
    (container,) = made["containers"]
    assert key in made["volumes"] and {"name": "key", "mountPath": "/key"} in container["volumeMounts"]
    assert container["envFrom"] == [{"configMapRef": {"name": "proxies"}}]
    plain = pod_of({})["spec"]["volumes"]
    assert made["volumes"] == [*plain, key], "scratch space is as large as a driver needs it"


def test_the_driver_is_not_taken_for_a_part_of_the_cluster() -> None:
    driver = driver_of(resource())["spec"]["template"]["metadata"]["labels"]
    assert driver["scoremill.dev/cluster"] == child_of(Resource.of(resource())), "the cluster's policies let it in"
    assert driver["app.kubernetes.io/managed-by"] != "scoremill" and "dask.org/component" not in driver
