"""`scoremill cluster` on a real Kubernetes: made, looked at, scaled, scored with, removed; and asked for the impossible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import fsspec
import pandas as pd
import pytest
import yaml
from kubernetes import client, config
from sklearn.linear_model import LogisticRegression

from scoremill.bundle import pack
from scoremill.engines.dask.security import security_from
from scoremill.execute.place import connected
from scoremill.kubernetes.api import connect
from scoremill.kubernetes.clusters import Named
from scoremill.kubernetes.objects import issue, names
from scoremill.kubernetes.readiness import OURS
from tests.cluster.buckets import Store

pytestmark = pytest.mark.timeout(400)

Scoremill = Callable[..., subprocess.CompletedProcess[str]]
SMALL = ("--memory", "600MiB", "--cpu", "0.1")
"""A worker that fits many times into two small nodes."""


@pytest.fixture
def scoremill(kubeconfig: Path, namespace: str) -> Scoremill:
    """Runs the command line in the test's namespace."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        place = [] if "--kubeconfig" in arguments or arguments[0] == "verify" else ["--namespace", namespace]
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "scoremill", *arguments, *place],
            env=os.environ | {"KUBECONFIG": str(kubeconfig)} | environment,
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture
def up(scoremill: Scoremill, runner_image: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`cluster up` of small workers from the image that the nodes have."""

    def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        image = () if "--image" in arguments else ("--image", runner_image)
        return scoremill("cluster", "up", name, *SMALL, *image, *arguments)

    return run


def left(namespace: str, name: str) -> list[str]:
    """What there is of a cluster, ReplicaSets included."""
    kube = connect(namespace=namespace)
    found = [f"{kind} {each['metadata']['name']}" for kind in OURS for each in kube.select(kind, names.selector(name))]
    with config.new_client_from_config(os.environ["KUBECONFIG"]) as api:
        sets = client.AppsV1Api(api).list_namespaced_replica_set(namespace, label_selector=names.selector(name))
    return found + [f"ReplicaSet {each.metadata.name}" for each in sets.items]


def test_cluster_is_created_scaled_and_deleted_without_a_trace(scoremill, up, namespace) -> None:
    assert "is up" in ok(up("trips", "--workers", "1"))
    status = json.loads(ok(scoremill("cluster", "status", "trips", "--json")))
    worker = status["workers"][0]
    assert status["state"] == "up" and status["wanted"] == 1
    assert worker["node"] and worker["limit"] == (600 - 192) * 2**20 and 0 < worker["memory"] < worker["limit"]
    assert "trips" in ok(scoremill("cluster", "list"))

    ok(scoremill("cluster", "scale", "trips", "2"))
    ok(up("trips", "--workers", "1")), "the same command waits for what is wanted by now"
    status = json.loads(ok(scoremill("cluster", "status", "trips", "--json")))
    assert len(status["workers"]) == 2

    assert "Register worker" in ok(scoremill("cluster", "logs", "trips"))
    logs = ok(scoremill("cluster", "logs", "trips", "--worker", worker["name"][-4:], "--tail", "5"))
    assert "Registered to: tls://trips-scheduler" in logs and len(logs.splitlines()) <= 5
    assert "no worker" in failed(scoremill("cluster", "logs", "trips", "--worker", "nobody"), 2)
    assert "other settings" in failed(up("trips", "--workers", "3"), 2)

    ok(scoremill("cluster", "down", "trips"))
    assert left(namespace, "trips") == []
    assert "cluster trips does not exist" in ok(scoremill("cluster", "down", "trips"))
    assert 'cluster "trips" not found' in failed(scoremill("cluster", "status", "trips"), 6)


def test_a_range_starts_at_its_lower_end_and_is_changed_by_scale(scoremill, up, namespace) -> None:
    ok(up("trips", "--workers", "0:1"))
    assert json.loads(ok(scoremill("cluster", "list", "--json")))["clusters"][0]["workers"] == "0:1"
    ok(scoremill("cluster", "scale", "trips", "1:2"))
    assert json.loads(ok(scoremill("cluster", "status", "trips", "--json")))["range"] == "1:2"
    ok(scoremill("cluster", "scale", "trips", "1"))
    assert json.loads(ok(scoremill("cluster", "status", "trips", "--json")))["range"] is None
    ok(scoremill("cluster", "down", "--all"))
    assert left(namespace, "trips") == []


def test_a_cluster_scores_from_bucket_to_bucket_as_this_machine_does(
    scoremill, up, namespace, s3: Store, tmp_path, monkeypatch
) -> None:
    bucket = s3.bucket()
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    rows = pd.DataFrame({"a": range(5000), "b": [i % 7 for i in range(5000)]})
    pack(
        LogisticRegression().fit(rows, rows.b > 3), bucket.uri("bundle"), sample=rows.head(100), method="predict_proba"
    )
    with fsspec.open(bucket.uri("in/rows.csv"), "wb", skip_instance_cache=True) as file:
        file.write(rows.to_csv(index=False).encode())
    keys = {key: value for key, value in bucket.environment.items() if key != "AWS_ENDPOINT_URL"}
    with config.new_client_from_config(os.environ["KUBECONFIG"]) as api:
        client.CoreV1Api(api).create_namespaced_secret(namespace, {"metadata": {"name": "buckets"}, "stringData": keys})
    ok(up("trips", "--secret", "buckets"))

    job = [
        "--model",
        bucket.uri("bundle"),
        "--trust",
        bucket.uri(),
        "--input",
        bucket.uri("in/*.csv"),
        "--endpoint",
        bucket.endpoint,
        "--set",
        "spec.input.partitionBytes=16KiB",
    ]
    ok(scoremill("score", *job, "--output", bucket.uri("there"), "--cluster", "trips"))
    ok(scoremill("score", *job, "--output", bucket.uri("here"), "--cluster", "in-process"))
    ok(scoremill("verify", bucket.uri("there"), "--endpoint", bucket.endpoint))
    assert parts(bucket.uri("there")) == parts(bucket.uri("here"))

    # What everybody in the namespace can read contains no credential.
    kube = connect(namespace=namespace)
    readable = str([kube.select(kind) for kind in OURS if kind != "Secret"]) + str(kube.select("Event"))
    assert keys["AWS_SECRET_ACCESS_KEY"] == "testing" and "AWS_SECRET_ACCESS_KEY" not in readable
    assert "PRIVATE KEY" not in readable


def parts(uri: str) -> dict[str, bytes]:
    """The parts of an output, by name."""
    files = fsspec.open_files(f"{uri}/part-*", skip_instance_cache=True)
    found = {}
    for each in files:
        with each as file:
            found[each.path.rsplit("/", 1)[1]] = file.read()
    assert len(found) > 2
    return found


@pytest.mark.filterwarnings("ignore:Mismatched versions")  # of Python's patches, between here and the image
def test_only_the_clusters_own_certificates_open_its_scheduler(up, namespace) -> None:
    from distributed import Client

    ok(up("trips"))
    at = Named(connect(namespace=namespace), "trips")
    stranger = issue("trips", namespace)
    with connected(at) as found:
        with Client(found.address, security=found.security, timeout="20s", set_as_default=False) as ours:
            assert ours.submit(sum, (1, 2)).result(timeout=30) == 3
        foreign = security_from(stranger.ca, stranger.certificate, stranger.key)
        with pytest.raises(OSError):
            Client(found.address, security=foreign, timeout="5s", set_as_default=False)
        with pytest.raises(OSError):
            Client(found.address.replace("tls", "tcp"), timeout="5s", set_as_default=False)


PRIVILEGED = {
    "worker": {
        "spec": {
            "containers": [
                {"name": "worker", "securityContext": {"privileged": True, "allowPrivilegeEscalation": True}}
            ]
        }
    }
}
INVALID = {"worker": {"spec": {"containers": [{"name": "worker", "securityContext": {"privileged": True}}]}}}
NONSENSE = {"scheduler": {"spec": {"containers": [{"name": "scheduler", "args": ["dask", "scheduler", "--nonsense"]}]}}}
TINY = {
    "scheduler": {
        "spec": {
            "containers": [
                {"name": "scheduler", "resources": {"requests": {"memory": "40Mi"}, "limits": {"memory": "40Mi"}}}
            ]
        }
    }
}
IMPOSSIBLE = {
    "cpu": (["--cpu", "1000"], None, "Unschedulable", "requests 1,000 CPU"),
    "image": (
        ["--image", "registry.invalid/none:1"],
        None,
        "ImagePull",
        "could not pull image registry.invalid/none:1",
    ),
    "secret": (["--secret", "nosuch"], None, "MissingSecret", 'secret "nosuch" not found'),
    "account": (["--service-account", "nosuch"], None, "MissingServiceAccount", 'serviceaccount "nosuch" not found'),
    "privileged": ([], PRIVILEGED, "PodSecurityViolation", "privileged"),
    "invalid": ([], INVALID, "OperatorError", "allowPrivilegeEscalation"),
    "nonsense": ([], NONSENSE, "CrashLoop", "No such option '--nonsense'"),
    "tiny": ([], TINY, "OOMKilled", "40 MiB"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_the_impossible_ends_in_time_with_its_cause_and_leaves_nothing(case, up, namespace, tmp_path) -> None:
    arguments, template, reason, evidence = IMPOSSIBLE[case]
    if template:
        path = tmp_path / "template.yaml"
        path.write_text(yaml.safe_dump({"spec": template}))
        arguments = ["--template", str(path)]
    printed = failed(up("trips", *arguments, "--timeout", "15s"), 6)
    assert "error[ClusterNotReady]" in printed and f"{reason}: " in printed and evidence in printed
    assert left(namespace, "trips") == []


def test_quota_is_named_and_its_hint_works(up, namespace) -> None:
    with config.new_client_from_config(os.environ["KUBECONFIG"]) as api:
        quota = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}}
        client.CoreV1Api(api).create_namespaced_resource_quota(namespace, quota)
        printed = failed(up("trips", "--timeout", "15s"), 6)
        assert "error[ClusterNotReady]" in printed and "QuotaExceeded" in printed and "exceeded quota: few" in printed
        assert "hint: Request less (--workers, --memory, --cpu), or ask" in printed
        assert left(namespace, "trips") == []
        client.CoreV1Api(api).delete_namespaced_resource_quota("few", namespace)
        ok(up("trips"))


def test_unrecognized_field_is_named(up, namespace, tmp_path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text("spec: {worker: {replica: 3}}")
    assert 'unknown field "spec.worker.replica"' in failed(up("trips", "--template", str(path)), 2)
    assert left(namespace, "trips") == []


def test_missing_namespace_is_named(scoremill, kubeconfig) -> None:
    printed = failed(scoremill("cluster", "up", "trips", "--namespace", "nowhere", "--kubeconfig", str(kubeconfig)), 6)
    assert "namespace nowhere not found" in printed


@pytest.mark.parametrize("rights", [[], [{"apiGroups": ["kubernetes.dask.org"], "resources": ["*"], "verbs": ["*"]}]])
def test_missing_permission_is_reported_and_leaves_nothing(rights, scoremill, kubeconfig, namespace, tmp_path) -> None:
    own = account(kubeconfig, namespace, rights, tmp_path)
    printed = failed(scoremill("cluster", "up", "trips", "--kubeconfig", str(own), "--timeout", "10s"), 6)
    assert f"not permitted in namespace {namespace}" in printed and "Ask the cluster's administrator" in printed
    kube = connect(namespace=namespace)
    assert all("deletionTimestamp" in each["metadata"] for each in kube.select("DaskCluster"))


def account(kubeconfig: Path, namespace: str, rules: list[dict[str, list[str]]], folder: Path) -> Path:
    """A kubeconfig of a new service account that can do only that."""
    with config.new_client_from_config(str(kubeconfig)) as api:
        core, rbac = client.CoreV1Api(api), client.RbacAuthorizationV1Api(api)
        core.create_namespaced_service_account(namespace, {"metadata": {"name": "guest"}})
        token = core.create_namespaced_service_account_token("guest", namespace, {"spec": {}}).status.token
        rbac.create_namespaced_role(namespace, {"metadata": {"name": "guest"}, "rules": rules})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "guest"}
        subject = {"kind": "ServiceAccount", "name": "guest", "namespace": namespace}
        rbac.create_namespaced_role_binding(
            namespace, {"metadata": {"name": "guest"}, "roleRef": role, "subjects": [subject]}
        )
    found = yaml.safe_load(kubeconfig.read_text())
    found["users"] = [{"name": user["name"], "user": {"token": token}} for user in found["users"]]
    for context in found["contexts"]:
        context["context"]["namespace"] = namespace
    path = folder / "guest"
    path.write_text(yaml.safe_dump(found))
    return path


def ok(done: subprocess.CompletedProcess[str]) -> str:
    """What a command that went well has printed."""
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
    return done.stdout


def failed(done: subprocess.CompletedProcess[str], code: int) -> str:
    """What a command that ended with `code` has said; never with a traceback."""
    assert done.returncode == code, f"{done.returncode}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stderr
