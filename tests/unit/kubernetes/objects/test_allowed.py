"""Templates of users can only set fields that give no rights."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes import client

from scoremill.kubernetes.objects import dask_cluster, forbidden_fields, names
from scoremill.kubernetes.objects.allowed import RESERVED_DOMAINS
from scoremill.kubernetes.objects.policy import network_policies
from scoremill.spec import Cluster, Credentials

WHERE = "spec.cluster.template.spec"
POD: dict[str, Any] = {
    "nodeSelector": {"pool": "spot"},
    "tolerations": [{"key": "spot", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [{"maxSkew": 1}],
    "priorityClassName": "low",
    "imagePullSecrets": [{"name": "registry"}],
    "volumes": [
        {"name": "cache", "emptyDir": {"sizeLimit": "20Gi"}},
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "lookup", "persistentVolumeClaim": {"claimName": "lookup", "readOnly": True}},
        {
            "name": "space",
            "ephemeral": {
                "volumeClaimTemplate": {
                    "metadata": {"labels": {"team": "a"}},
                    "spec": {
                        "accessModes": ["ReadWriteOnce"],
                        "storageClassName": "fast",
                        "resources": {"requests": {"storage": "1Gi"}},
                    },
                }
            },
        },
    ],
}
CONTAINER: dict[str, Any] = {
    "resources": {"limits": {"memory": "8Gi"}, "requests": {"cpu": "2"}},
    "env": [
        {"name": "AWS_REGION", "value": "eu-central-1"},
        {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "CORES", "valueFrom": {"resourceFieldRef": {"resource": "requests.cpu"}}},
    ],
    "volumeMounts": [{"name": "cache", "mountPath": "/cache", "subPath": "a", "readOnly": True}],
}
METADATA = {"labels": {"team": "a", "azure.workload.identity/use": "true"}, "annotations": {"example.com/owner": "b"}}
PARTS = ("scheduler", "worker")
parts = pytest.mark.parametrize("part", PARTS)


def allowed() -> dict[str, Any]:
    """A template with everything that is allowed."""
    pods = {
        part: {"metadata": METADATA, "spec": {**POD, "containers": [{"name": part, **CONTAINER}]}} for part in PARTS
    }
    return copy.deepcopy(
        {"apiVersion": names.DASK_API_VERSION, "kind": "DaskCluster", "metadata": METADATA, "spec": pods}
    )


def of_pod(part: str, **fields: Any) -> dict[str, Any]:
    return {"spec": {part: {"spec": fields}}}


def of_container(part: str, **fields: Any) -> dict[str, Any]:
    return of_pod(part, containers=[{"name": part, **fields}])


def fields_of(model: Any) -> list[str]:
    """The fields of a kind in the API, by the Kubernetes client."""
    return sorted(model.attribute_map.values())


def test_everything_that_gives_no_rights_is_allowed() -> None:
    assert forbidden_fields(allowed()) == []
    assert forbidden_fields({}) == []


def test_what_is_allowed_are_fields_that_kubernetes_has() -> None:
    assert {*POD} < {*fields_of(client.V1PodSpec)}
    assert {*CONTAINER} < {*fields_of(client.V1Container)}
    assert {key for each in POD["volumes"] for key in each} < {*fields_of(client.V1Volume)}
    assert {key for each in CONTAINER["env"] for key in each.get("valueFrom", {})} < {*fields_of(client.V1EnvVarSource)}


@pytest.mark.parametrize("field", sorted({*fields_of(client.V1PodSpec)} - {*POD, "containers"}))
@pytest.mark.parametrize("value", [True, None, {}, "x"], ids=str)
@parts
def test_every_other_field_of_a_pod_is_refused(part: str, field: str, value: Any) -> None:
    assert forbidden_fields(of_pod(part, **{field: value})) == [f"{WHERE}.{part}.spec.{field}"]


@pytest.mark.parametrize("field", sorted({*fields_of(client.V1Container)} - {*CONTAINER, "name"}))
@parts
def test_every_other_field_of_a_container_is_refused(part: str, field: str) -> None:
    assert forbidden_fields(of_container(part, **{field: {}})) == [f"{WHERE}.{part}.spec.containers[0].{field}"]


@pytest.mark.parametrize(
    "kind", sorted({*fields_of(client.V1Volume)} - {key for each in POD["volumes"] for key in each})
)
def test_every_other_kind_of_volume_is_refused(kind: str) -> None:
    template = of_pod("worker", volumes=[{"name": "v", kind: {"path": "/"}}])
    assert forbidden_fields(template) == [f"{WHERE}.worker.spec.volumes[0].{kind}"]


@pytest.mark.parametrize("source", ["secretKeyRef", "fileKeyRef"])
def test_a_variable_takes_nothing_from_a_secret(source: str) -> None:
    template = of_container("worker", env=[{"name": "KEY", "valueFrom": {source: {"name": "s", "key": "k"}}}])
    assert forbidden_fields(template) == [f"{WHERE}.worker.spec.containers[0].env[0].valueFrom.{source}"]


@pytest.mark.parametrize(
    "field", sorted({*fields_of(client.V1PersistentVolumeClaimSpec)} - {"accessModes", "resources", "storageClassName"})
)
def test_an_ephemeral_volume_names_no_volume_and_no_source(field: str) -> None:
    volume = {"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {field: "x"}}}}
    (found,) = forbidden_fields(of_pod("worker", volumes=[volume]))
    assert found == f"{WHERE}.worker.spec.volumes[0].ephemeral.volumeClaimTemplate.spec.{field}"


@pytest.mark.parametrize("field", ["initContainers", "ephemeralContainers", "containers"])
def test_a_template_adds_no_container(field: str) -> None:
    assert forbidden_fields(of_pod("worker", **{field: [{"name": "mine", "image": "x"}]}))


@pytest.mark.parametrize("domain", RESERVED_DOMAINS)
@pytest.mark.parametrize("kind", ["labels", "annotations"])
def test_labels_and_annotations_of_reserved_domains_are_refused(domain: str, kind: str) -> None:
    for key in (f"{domain}/a", f"sub.{domain}/a", f"Sub.{domain.upper()}/a"):
        metadata = {"metadata": {kind: {key: "x"}}}
        for template in (metadata, {"spec": {"worker": metadata}}, {"spec": {"scheduler": metadata}}):
            assert len(forbidden_fields(template)) == 1
    assert forbidden_fields({"metadata": {kind: {f"my{domain}/a": "x", domain: "y"}}}) == []


def test_no_label_that_a_policy_selects_by_can_be_set() -> None:
    made = dask_cluster("a", "b", "image", Cluster(), Credentials())
    labels = {*made["metadata"]["labels"], names.DASK_CLUSTER, names.DASK_COMPONENT, names.JOB, names.JOB_OF_POD}
    selectors = str(network_policies("a", "b"))
    assert {names.LABEL, names.DASK_COMPONENT} <= {label for label in labels if label in selectors}
    for label in labels:
        assert forbidden_fields({"metadata": {"labels": {label: "x"}}})


@pytest.mark.parametrize(
    "path", ["/tls", "/tls/", "//tls", "/a/../tls", "/tls/ca.crt", "/scratch", "/scratch/x", "/", "", "tls", None, 3]
)
def test_nothing_is_mounted_over_what_scoremill_mounts(path: Any) -> None:
    template = of_container("worker", volumeMounts=[{"name": "cache", "mountPath": path}])
    assert forbidden_fields(template)


@pytest.mark.parametrize("path", ["/tlsx", "/data/tls", "/scratch2", "/cache"])
def test_a_mount_elsewhere_is_allowed(path: str) -> None:
    assert not forbidden_fields(of_container("worker", volumeMounts=[{"name": "cache", "mountPath": path}]))


@pytest.mark.parametrize(
    "template",
    [
        {"metadata": None},
        {"metadata": {"labels": None}},
        {"spec": None},
        {"spec": {"worker": None}},
        of_pod("worker", containers=None),
        of_pod("worker", containers=[]),
        of_pod("worker", containers=[{"resources": {}}]),
        of_pod("worker", volumes=[]),
        of_pod("worker", volumes=None),
        of_pod("worker", volumes=[{"emptyDir": {}}]),
        of_pod("worker", volumes=[{"name": "tls", "emptyDir": {}}]),
        of_container("worker", env=[]),
        of_container("worker", env=None),
        of_container("worker", env=[{"value": "x"}]),
        of_container("worker", volumeMounts=[]),
        of_container("worker", volumeMounts=[{"name": "a"}]),
        of_container("worker", resources=None),
        of_container("worker", resources={"limits": None}),
        of_pod(
            "worker", volumes=[{"name": "scratch", "emptyDir": None, "persistentVolumeClaim": {"claimName": "shared"}}]
        ),
        of_pod("worker", volumes=[{"name": "cache", "emptyDir": None}]),
    ],
)
def test_nothing_that_scoremill_sets_can_be_removed(template: dict[str, Any]) -> None:
    assert forbidden_fields(template)


@pytest.mark.parametrize("name", ["system-node-critical", "system-cluster-critical", {}])
def test_no_priority_of_kubernetes_itself(name: Any) -> None:
    assert forbidden_fields(of_pod("worker", priorityClassName=name))


@pytest.mark.parametrize(
    "template",
    [
        {"spec": {"idleTimeout": 0}},
        {"spec": {"worker": {"replicas": 9}}},
        {"status": {}},
        {"metadata": {"name": "x"}},
        {"spec": {"scheduler": {"service": {"type": "LoadBalancer"}}}},
        {"metadata": {"ownerReferences": []}},
        {"metadata": {"finalizers": []}},
    ],
)
def test_fields_of_the_cluster_that_are_no_pods_are_refused(template: dict[str, Any]) -> None:
    assert len(forbidden_fields(template)) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in pairs for place in _places(inner, (*path, key)))]


@given(st.sampled_from(_places(allowed())), st.text(min_size=1, max_size=12), JSON)
def test_an_unknown_field_anywhere_is_refused_or_lies_in_a_value_of_kubernetes(
    place: tuple[Any, ...], key: str, value: Any
) -> None:
    template = allowed()
    at: Any = template
    for step in place:
        at = at[step]
    free = {
        "nodeSelector",
        "tolerations",
        "affinity",
        "topologySpreadConstraints",
        "imagePullSecrets",
        "emptyDir",
        "configMap",
        "persistentVolumeClaim",
        "configMapKeyRef",
        "fieldRef",
        "resourceFieldRef",
        "limits",
        "requests",
        "resources",
        "accessModes",
        "labels",
        "annotations",
    }
    if not isinstance(at, dict) or key in at or free & {*place}:
        return
    known = {*_keys(template), "emptyDir", "configMap", "persistentVolumeClaim", "ephemeral", "value", "valueFrom"}
    at[key] = value
    assert forbidden_fields(template) or key in known


def _keys(value: Any) -> set[str]:
    return {step for place in _places(value) for step in place if isinstance(step, str)}


@given(JSON)
def test_any_value_in_place_of_a_template_is_judged_without_a_crash(value: Any) -> None:
    for part in ("metadata", "spec"):
        forbidden_fields({part: value})
    for template in (of_pod("worker", containers=value), of_container("worker", env=value, volumeMounts=value)):
        forbidden_fields(template)
