"""The chart: what it renders, what it refuses, and that it agrees with the code that relies on it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scoremill.kubernetes.api import KINDS
from scoremill.kubernetes.objects import Resource, child_of, driver_job, job_cluster, names, with_site
from scoremill.kubernetes.objects.cluster import dask_cluster
from scoremill.spec import Cluster, Credentials, JobSpec
from scoremill_operator import rules
from scoremill_operator.__main__ import options
from tests.chart.conftest import EVERYWHERE, Object, Render
from tests.chart.schemas import FILE, write_schemas
from tests.chart.tools import tool

# The first test that wants a tool builds it.
pytestmark = pytest.mark.timeout(900)

ALL_VALUES = ["--values", str(Path(__file__).parent / "all-values.yaml")]
CASES = {"defaults": [], "everywhere": EVERYWHERE, "all values": ALL_VALUES}
cases = pytest.mark.parametrize("arguments", CASES.values(), ids=CASES.keys())


def run(name: str, *arguments: str | Path, text: str | None = None) -> None:
    """Runs a tool; its words are the failure's."""
    done = subprocess.run([tool(name), *arguments], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    return [each for each in objects if each["kind"] in kinds]


def test_helm_finds_nothing_to_blame(chart: Path) -> None:
    run("helm", "lint", "--strict", chart)


def test_templates_render_what_their_suites_say(chart: Path) -> None:
    run("helm-unittest", chart)


@cases
def test_objects_are_what_kubernetes_takes(render: Render, arguments: list[str], tmp_path: Path) -> None:
    objects = render(*arguments)
    write_schemas(tmp_path, {(each["apiVersion"], each["kind"]) for each in objects})
    run("kubeconform", "-strict", "-schema-location", f"{tmp_path}/{FILE}", "-", text=yaml.safe_dump_all(objects))


def test_a_field_that_kubernetes_does_not_know_would_be_found(render: Render, tmp_path: Path) -> None:
    objects = of_kind(render(), "Deployment")
    write_schemas(tmp_path, {("apps/v1", "Deployment")})
    objects[0]["spec"]["template"]["spec"]["containers"][0]["readyness"] = {}
    with pytest.raises(AssertionError, match="readyness"):
        run("kubeconform", "-strict", "-schema-location", f"{tmp_path}/{FILE}", "-", text=yaml.safe_dump_all(objects))


def test_nothing_is_critical_to_kube_score(render: Render) -> None:
    run("kube-score", "score", "-", text=yaml.safe_dump_all(render()))


@cases
def test_no_rule_has_a_wildcard(render: Render, arguments: list[str]) -> None:
    roles = of_kind(render(*arguments), "Role", "ClusterRole")
    assert roles
    assert "*" not in str([role["rules"] for role in roles])


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("clusters.wroker=1", "wroker"),
        ("image.pullPolicy=Sometimes", "pullPolicy"),
        ("image.digest=sha256:12", "digest"),
        ("operator.image.digest=latest", "digest"),
        ("dask-kubernetes-operator.image.tag=2026.3.0@sha256:12", "tag"),
        ("networkPolicies.apiServerPorts={0}", "apiServerPorts"),
        ("clusters.worker.resources.limits.memory=3Gi", "memory"),
        ("operator.resources.limit.memory=3Gi", "limit"),
        ("operator.templates=restricted", "templates"),
        ("operator.serviceAccounts={a/b/c}", "serviceAccounts"),
        ("namespaces={Team}", "namespaces"),
        ("imagePullSecrets={registry}", "imagePullSecrets/0"),
        ("clusters.env[0].value=3", "clusters/env/0"),
        ("rbac.jobSubjects[0].name=science", "kind"),
        ("rbac.clusterSubjects[0].name=science", "kind"),
    ],
)
def test_values_that_nothing_reads_are_refused(render: Render, setting: str, said: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        render("--set", setting)
    assert said in refused.value.stderr


def images_of(objects: list[Object]) -> set[str]:
    """Every image that the chart names: of containers, of arguments, and of the template of clusters."""
    return {word.removeprefix("--image=") for word in _words(objects) if "ghcr.io/" in word}


def _words(value: Any) -> list[str]:
    if isinstance(value, dict | list):
        each = value.values() if isinstance(value, dict) else value
        return [word for part in each for word in _words(part)]
    return str(value).split()


def test_every_image_is_named_by_digest_if_the_values_have_digests(render: Render) -> None:
    digest = f"sha256:{'0123456789abcdef' * 4}"
    settings = (
        f"image.digest={digest}",
        f"operator.image.digest={digest}",
        f"dask-kubernetes-operator.image.tag=2026.3.0@{digest}",
    )
    assert images_of(render(*[part for each in settings for part in ("--set", each)])) == {
        f"ghcr.io/scoremill/runner@{digest}",
        f"ghcr.io/scoremill/operator@{digest}",
        f"ghcr.io/dask/dask-kubernetes-operator:2026.3.0@{digest}",
    }
    assert not any("@" in image for image in images_of(render()))


def dependency_build(chart: Path, folder: Path) -> str:
    """What helm says when it fetches the dependencies of `chart` by its lock, with no repository configured."""
    command = [tool("helm"), "dependency", "build", "--skip-refresh", chart]
    environment = {"HOME": str(folder), "HELM_REPOSITORY_CONFIG": str(folder / "none.yaml")}
    return subprocess.run(command, env=environment, capture_output=True, text=True).stderr


def test_the_lock_is_that_of_the_chart(chart: Path, tmp_path: Path) -> None:
    copy = tmp_path / "scoremill"
    shutil.copytree(chart, copy, ignore=shutil.ignore_patterns("charts"))
    assert "no repository definition for https://helm.dask.org" in dependency_build(copy, tmp_path)
    about = (copy / "Chart.yaml").read_text()
    (copy / "Chart.yaml").write_text(about.replace("condition: dask-kubernetes-operator.enabled", ""))
    assert "out of sync" in dependency_build(copy, tmp_path)


def rights(role: Object) -> set[tuple[str, str, str]]:
    """Group, resource and verb of all that a role allows."""
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def role_of(objects: list[Object], name: str) -> Object:
    (found,) = (each for each in of_kind(objects, "Role", "ClusterRole") if each["metadata"]["name"].endswith(name))
    return found


def test_drivers_can_do_what_the_commands_do(render: Render) -> None:
    allowed = rights(role_of(render(*EVERYWHERE), "-driver"))
    for kind in {*KINDS} - {"ServiceAccount", "Role", "RoleBinding", "Lease"}:
        prefix, plural = KINDS[kind]
        assert (prefix.split("/")[2] if prefix.startswith("/apis/") else "", plural, "list") in allowed


def bound_to(objects: list[Object], role: str) -> set[str]:
    bindings = of_kind(objects, "RoleBinding", "ClusterRoleBinding")
    bound = [each for each in bindings if each["roleRef"]["name"].endswith(role)]
    return {subject["name"] for binding in bound for subject in binding["subjects"]}


def test_users_of_jobs_can_neither_create_clusters_nor_open_the_network(render: Render) -> None:
    objects = render(*ALL_VALUES)
    allowed = rights(role_of(objects, "-jobs"))
    changed = {(group, resource) for group, resource, verb in allowed if verb not in {"get", "list"}}
    kinds = {"scoringjobs", "scoringschedules", "scoringjobs/scale", "scoringschedules/finalizers"}
    assert changed == {("scoremill.dev", kind) for kind in kinds}
    read = {resource for _, resource, _ in allowed}
    assert not read & {"secrets", "networkpolicies", "pods/portforward", "pods/exec"}
    assert (bound_to(objects, "-jobs"), bound_to(objects, "-driver")) == ({"analysts"}, {"drives", "science"})


def test_users_of_clusters_can_change_only_what_a_command_changes(render: Render) -> None:
    changed = {right for right in rights(role_of(render(), "-driver")) if right[2] in {"update", "patch"}}
    assert changed == {
        ("scoremill.dev", "scoringjobs", "patch"),
        ("scoremill.dev", "scoringschedules", "patch"),
        ("scoremill.dev", "scoringjobs/scale", "update"),
        ("scoremill.dev", "scoringjobs/scale", "patch"),
        ("scoremill.dev", "scoringschedules/finalizers", "update"),
        ("kubernetes.dask.org", "daskworkergroups", "patch"),
        ("kubernetes.dask.org", "daskautoscalers", "patch"),
    }


def test_the_operator_can_do_exactly_what_its_rules_allow(render: Render) -> None:
    roles = of_kind(render(), "Role")
    its = [role for role in roles if "mill-scoremill-operator" in role["metadata"]["name"]]
    assert [rule for role in its for rule in role["rules"]] == rules.as_role(rules.RULES + rules.LEASE_RULES)
    (everywhere,) = (
        each for each in of_kind(render(*EVERYWHERE), "ClusterRole") if each["metadata"]["name"].endswith("operator")
    )
    assert everywhere["rules"] == rules.as_role(rules.RULES + rules.CLUSTER_RULES)


def operators_pod(objects: list[Object]) -> Object:
    (found,) = (
        each for each in of_kind(objects, "Deployment") if each["metadata"]["name"].endswith("scoremill-operator")
    )
    pod: Object = found["spec"]["template"]["spec"]
    return pod


def arguments_of(objects: list[Object], folder: Path) -> list[str]:
    """The operator's, with the files of `folder` in place of those that are mounted into its container."""
    pod = operators_pod(objects)
    (container,), (volume,) = pod["containers"], pod["volumes"]
    (mount,) = container["volumeMounts"]
    assert (mount["name"], mount["readOnly"]) == (volume["name"], True)
    (mounted,) = (
        each for each in of_kind(objects, "ConfigMap") if each["metadata"]["name"] == volume["configMap"]["name"]
    )
    for name, content in mounted["data"].items():
        (folder / name).write_text(content)
    replaced = (each.replace("$(POD_NAMESPACE)", "science") for each in container["args"])
    return [each.replace(f"{mount['mountPath']}/", f"{folder}/") for each in replaced]


def test_the_operators_arguments_are_those_that_it_takes(render: Render, tmp_path: Path) -> None:
    objects = render(*ALL_VALUES)
    (container,) = operators_pod(objects)["containers"]
    asked = options(arguments_of(objects, tmp_path))
    assert asked.namespace == ["science"]
    assert asked.image.startswith("registry.example/runner@sha256:")
    assert asked.driver_resources == {"limits": {"memory": "2Gi"}}
    assert asked.workers == 8
    assert asked.templates == "Any"
    assert asked.service_account == ["science/reader", "elsewhere/reader", "science/works"]
    (probe,) = {container[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")}
    assert {probe: asked.port} == {port["name"]: port["containerPort"] for port in container["ports"]}
    assert options(arguments_of(render(*EVERYWHERE), tmp_path)).all_namespaces
    by_default = options(arguments_of(render(), tmp_path))
    assert (by_default.templates, by_default.service_account) == ("Restricted", ["science/mill-scoremill-worker"])


@pytest.mark.parametrize(
    "arguments", [*CASES.values(), ["--set", "dask-kubernetes-operator.enabled=false"]], ids=[*CASES, "alone"]
)
def test_jobs_cannot_use_service_accounts_to_which_a_role_is_bound(
    render: Render, arguments: list[str], tmp_path: Path
) -> None:
    objects = render(*arguments)
    bindings = of_kind(objects, "RoleBinding", "ClusterRoleBinding")
    subjects = [each for binding in bindings for each in binding["subjects"] if each["kind"] == "ServiceAccount"]
    assert {*options(arguments_of(objects, tmp_path)).reserved_account} == {
        f"{each['namespace']}/{each['name']}" for each in subjects
    }


def test_operator_restarts_when_the_cluster_template_changes(render: Render, tmp_path: Path) -> None:
    said = [render(*arguments) for arguments in ([], ALL_VALUES, ["--set", "clusters.secretName=buckets"])]
    for objects in said:
        assert options(arguments_of(objects, tmp_path)).template == clusters_template(objects)

    def checksum(objects: list[Object]) -> str:
        (found,) = (each for each in of_kind(objects, "Deployment") if "checksum" in str(each))
        return str(found["spec"]["template"]["metadata"]["annotations"]["checksum/clusters"])

    assert len({checksum(objects) for objects in said}) == len(said)
    assert checksum(render("--set", "operator.replicas=3")) == checksum(said[0])


def test_a_job_of_the_operator_gets_what_the_values_say(render: Render) -> None:
    asked = {"model": {"uri": "s3://m"}, "input": {"uris": ["s3://i"]}, "output": {"uri": "s3://o"}}
    spec = with_site(JobSpec.model_validate(asked), clusters_template(render(*ALL_VALUES)))
    job = Resource.of(
        {"kind": "ScoringJob", "metadata": {"name": "trips", "namespace": "science", "uid": "u"}, "spec": asked}
    )
    cluster = job_cluster(job, spec, "runner:1")
    pod = driver_job(job, spec, 1, cluster, resources={}, seconds=None)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "buckets"}}]
    assert {"name": "AWS_REGION", "value": "eu-central-1"} in container["env"]
    assert (container["image"], container["imagePullPolicy"]) == ("runner:1", "Always")
    assert container["securityContext"]["seLinuxOptions"] == {"level": "s0:c1"}
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["nodeSelector"] == {"pool": "system"}
    assert pod["tolerations"] == [{"key": "system", "operator": "Exists"}]
    assert (pod["serviceAccountName"], pod["priorityClassName"]) == (f"{child_of(job)}-driver", "high")
    assert pod["securityContext"]["supplementalGroups"] == [2000]


def test_namespaces_that_the_chart_creates_enforce_the_restricted_standard_and_stay(render: Render) -> None:
    assert not of_kind(render(), "Namespace")
    made = of_kind(render(*ALL_VALUES), "Namespace")
    assert [each["metadata"]["name"] for each in made] == ["team-a", "team-b"]
    for each in made:
        assert each["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        assert each["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def clusters_template(objects: list[Object]) -> dict[str, Any]:
    (defaults,) = of_kind(objects, "ConfigMap")
    template: dict[str, Any] = yaml.safe_load(defaults["data"]["template.yaml"])
    return template


def test_clusters_take_their_places_and_credentials_from_the_values(render: Render) -> None:
    template = clusters_template(render(*ALL_VALUES))
    spec = dask_cluster("trips", "science", "other/image:1", Cluster(template=template), Credentials())["spec"]
    worker, scheduler = spec["worker"]["spec"], spec["scheduler"]["spec"]
    container = worker["containers"][0]

    assert container["image"].startswith("registry.example/runner@sha256:")
    assert container["envFrom"] == [{"secretRef": {"name": "buckets"}}]
    assert {"name": "AWS_REGION", "value": "eu-central-1"} in container["env"]
    assert container["resources"]["limits"]["ephemeral-storage"] == "50Gi"
    assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["args"][:2] == ["dask", "worker"]
    assert worker["serviceAccountName"] == "works"
    assert worker["tolerations"][0]["key"] == "spot"
    assert worker["securityContext"]["runAsNonRoot"] is True
    assert worker["securityContext"]["supplementalGroups"] == [2000]
    assert worker["priorityClassName"] == "low"
    assert scheduler["nodeSelector"] == {"pool": "system"}
    assert scheduler["imagePullSecrets"] == [{"name": "registry"}]
    assert "envFrom" not in scheduler["containers"][0]
    assert "serviceAccountName" not in scheduler


def test_default_template_changes_nothing_but_image_and_account(render: Render) -> None:
    template = clusters_template(render())
    image = template["spec"]["worker"]["spec"]["containers"][0]["image"]
    plain = Cluster(service_account="mill-scoremill-worker")
    with_template = dask_cluster("trips", "science", image, Cluster(template=template), Credentials())["spec"]
    without = dask_cluster("trips", "science", image, plain, Credentials())["spec"]
    for part in ("scheduler", "worker"):
        assert with_template[part]["spec"]["containers"][0].pop("imagePullPolicy") == "IfNotPresent"
        assert with_template[part] == without[part]


def test_policies_speak_of_the_same_pods_and_ports_as_those_of_a_cluster(render: Render) -> None:
    objects = render()
    (operator,) = (each for each in of_kind(objects, "Deployment") if "dask" in each["metadata"]["name"])
    (egress,) = (
        each["spec"]["egress"] for each in of_kind(objects, "NetworkPolicy") if "dask" in each["metadata"]["name"]
    )
    labels = operator["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == names.DASK_OPERATOR
    assert egress[1]["to"][0]["podSelector"]["matchLabels"] == {names.DASK_COMPONENT: "scheduler"}
    assert {port["port"] for port in egress[1]["ports"]} == {names.COMM_PORT, names.HTTP_PORT}
    assert names.labels("trips")["app.kubernetes.io/part-of"] == "scoremill"
