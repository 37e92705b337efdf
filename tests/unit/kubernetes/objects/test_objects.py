"""What is asked for in, Kubernetes objects out: cases/*.yaml hold both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import dask.config
import pytest
import yaml

from scoremill.kubernetes.objects import (
    Certificates,
    Resource,
    cluster_objects,
    dask_cluster,
    names,
    owned_by,
)
from scoremill.kubernetes.objects.cluster import worker_memory
from scoremill.kubernetes.objects.dask_config import scheduler_env, worker_env
from scoremill.naming import WORKER_ENVIRONMENT
from scoremill.spec import Cluster, Credentials, Workers
from scoremill.units import GIB, MIB

CASES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
IMAGE = "ghcr.io/scoremill/runner:1.2.3"
CERTIFICATES = Certificates("ca", "certificate", "key")


def made(asked: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = Cluster.model_validate(asked["cluster"])
    credentials = Credentials.model_validate(asked.get("credentials", {}))
    name, namespace = asked["name"], asked["namespace"]
    others = cluster_objects(name, namespace, cluster.bounds or Workers(), CERTIFICATES)
    return [dask_cluster(name, namespace, IMAGE, cluster, credentials), *others]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_what_is_asked_for_becomes_these_objects(case: Path) -> None:
    content = yaml.safe_load(case.read_text())
    assert made(content["asked"])[: len(content["made"])] == content["made"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_every_object_carries_the_labels_of_its_cluster(case: Path) -> None:
    for each in made(yaml.safe_load(case.read_text())["asked"]):
        assert each["metadata"]["labels"].items() >= names.labels("trips").items()


def test_names_and_labels_of_the_longest_name_are_within_limits() -> None:
    name = "a" * 53
    assert names.is_cluster_name(name) and not names.is_cluster_name(name + "a")
    for each in made({"name": name, "namespace": "n", "cluster": {"workers": 0, "maxWorkers": 2}}):
        assert len(each["metadata"]["name"]) <= 63
        assert all(len(value) <= 63 for value in each["metadata"]["labels"].values())
    assert len(names.group_name(name)) <= 63, "dask-kubernetes makes a label of it"


@pytest.mark.parametrize("name", ["", "9lives", "Trips", "a_b", "a.b", "a-", "-a", "local", "in-process", "a\n"])
def test_what_kubernetes_or_the_command_line_would_misread_is_no_name(name: str) -> None:
    assert not names.is_cluster_name(name)


def test_a_spec_has_one_digest_and_another_spec_another() -> None:
    def digest(**cluster: Any) -> str:
        return dask_cluster("a", "b", IMAGE, Cluster(**cluster), Credentials())["metadata"]["annotations"][names.SPEC]

    assert digest(workers=2) == digest(workers=2)
    assert len({digest(workers=2), digest(workers=3), digest(workers=2, max_workers=3), digest(cpu=2)}) == 4


def test_dask_leaves_room_below_the_limit_of_the_pod() -> None:
    assert worker_memory(1 * GIB) == 832 * MIB
    assert worker_memory(20 * GIB) == 18 * GIB


def test_dask_reads_the_environment_as_the_settings_that_a_local_cluster_has() -> None:
    from scoremill.engines.dask.local_cluster import dask_settings

    in_pods = dask.config.collect_env({**scheduler_env(), **worker_env()})
    local = dask_settings()
    for key, value in local.items():
        # A pod has no LocalCluster, gets its environment from Kubernetes, and serves its health.
        if not key.startswith(("distributed.nanny.", "distributed.deploy.")) and not key.endswith(".http.routes"):
            assert dask.config.get(key, config=in_pods) == value, key
    # What a nanny adds of its own, it adds in a pod too.
    assert worker_env().items() >= WORKER_ENVIRONMENT.items()
    assert local["distributed.nanny.pre-spawn-environ"].items() >= WORKER_ENVIRONMENT.items()


def test_settings_of_pods_stay_as_they_are_when_dask_appends_to_its_own() -> None:
    from scoremill.engines.dask.local_cluster import dask_settings

    before = scheduler_env()
    dask_settings()["distributed.scheduler.http.routes"].append("distributed.http.scheduler.missing_bokeh")
    assert scheduler_env() == before
    assert dask_settings()["distributed.scheduler.http.routes"] == []


def test_dask_asks_for_certificates_in_both_directions() -> None:
    from distributed import Security

    in_pods = dask.config.merge(dask.config.config, dask.config.collect_env(worker_env()))
    with dask.config.set(in_pods):
        security = Security()
    assert security.require_encryption is True
    for role in ("scheduler", "worker", "client"):
        tls = security.get_tls_config_for_role(role)
        assert (tls["ca_file"], tls["cert"], tls["key"]) == ("/tls/ca.crt", "/tls/tls.crt", "/tls/tls.key")


def test_nothing_but_scheduler_and_workers_mounts_the_certificates() -> None:
    objects = made({"name": "trips", "namespace": "n", "cluster": {"workers": 2}})
    assert len(re.findall("'secretName': 'trips-tls'", str(objects))) == 2


def test_only_workers_see_the_credentials_of_buckets() -> None:
    asked = {"name": "trips", "namespace": "n", "cluster": {}, "credentials": {"secretRef": {"name": "buckets"}}}
    spec = made(asked)[0]["spec"]
    assert spec["worker"]["spec"]["containers"][0]["envFrom"] == [{"secretRef": {"name": "buckets"}}]
    assert "buckets" not in str(spec["scheduler"])


def test_an_owner_takes_its_children_along() -> None:
    owner = Resource("K", "n", uid="u", api_version="v1")
    child = owned_by({"kind": "Secret", "metadata": {"name": "s"}}, owner)
    assert child["metadata"]["ownerReferences"] == [{"apiVersion": "v1", "kind": "K", "name": "n", "uid": "u"}]
