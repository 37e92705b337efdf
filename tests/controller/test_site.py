"""The children of custom resources, with the template of the operator's administrator."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from scoremill.kubernetes.objects.template import strategic_merge
from scoremill.naming import spec_hash
from scoremill_operator.__main__ import options
from scoremill_operator.reconcile.decide import decide
from scoremill_operator.reconcile.observed import Create, Observed
from tests.controller.test_decide import (
    ANYTHING,
    NOW,
    SETTINGS,
    ago,
    cluster,
    job_of,
    observed,
    planned,
    resource,
    started,
)

SITE: dict[str, Any] = yaml.safe_load("""
spec:
  scheduler:
    spec:
      imagePullSecrets: [{name: registry}]
      securityContext: {supplementalGroups: [2000]}
      tolerations: [{key: system, operator: Exists}]
      containers:
        - name: scheduler
          image: site:1
          imagePullPolicy: Always
          securityContext: {seLinuxOptions: {level: "s0:c1"}}
  worker:
    spec:
      imagePullSecrets: [{name: registry}]
      serviceAccountName: mill-scoremill-worker
      tolerations: [{key: spot, operator: Exists}]
      containers:
        - name: worker
          image: site:1
          imagePullPolicy: Always
          env:
            - {name: AWS_REGION, value: eu-central-1}
            - {name: AWS_PROFILE, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
          envFrom: [{secretRef: {name: buckets}}]
          resources: {limits: {ephemeral-storage: 50Gi}}
""")
FIRST, READY = (resource(status)["status"] for status in (started("Planning"), planned()))


def pods(template: dict[str, Any], **spec: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The pods of scheduler, worker and driver, as reconciling a job with `spec` creates them."""
    settings = replace(ANYTHING, template=template)
    before = copy.deepcopy(template)
    seen = observed(resource(FIRST, **spec), NOW, settings)
    job, runs = created(seen)["Job"], job_of(decide(seen))
    parts = created(observed(resource(READY, **spec), NOW, settings, (runs,)))["DaskCluster"]["spec"]
    assert template == before
    return parts["scheduler"]["spec"], parts["worker"]["spec"], job["spec"]["template"]["spec"]


def created(seen: Observed) -> dict[str, dict[str, Any]]:
    """What one look has made, by kind."""
    return {action.manifest["kind"]: action.manifest for action in decide(seen).actions if isinstance(action, Create)}


def variables(pod: dict[str, Any]) -> dict[str, Any]:
    found = {each["name"]: each.get("value", each.get("valueFrom")) for each in pod["containers"][0]["env"]}
    assert len(found) == len(pod["containers"][0]["env"])
    return found


def test_what_the_site_says_reaches_scheduler_workers_and_driver() -> None:
    scheduler, worker, driver = pods(SITE)
    for pod in (scheduler, worker, driver):
        assert pod["imagePullSecrets"] == [{"name": "registry"}]
        assert pod["containers"][0]["imagePullPolicy"] == "Always"
    for pod in (scheduler, driver):
        assert pod["tolerations"] == [{"key": "system", "operator": "Exists"}]
        assert pod["securityContext"]["supplementalGroups"] == [2000] and pod["securityContext"]["runAsNonRoot"] is True
        locked = pod["containers"][0]["securityContext"]
        assert locked["seLinuxOptions"] == {"level": "s0:c1"} and locked["readOnlyRootFilesystem"] is True
    assert worker["tolerations"] == [{"key": "spot", "operator": "Exists"}]
    assert worker["containers"][0]["resources"]["limits"]["ephemeral-storage"] == "50Gi"
    for pod in (worker, driver):
        assert variables(pod)["AWS_REGION"] == "eu-central-1"
        assert variables(pod)["AWS_PROFILE"] == {"fieldRef": {"fieldPath": "metadata.name"}}
        assert pod["containers"][0]["envFrom"] == [{"secretRef": {"name": "buckets"}}]
    assert "envFrom" not in scheduler["containers"][0]


def test_image_and_account_are_not_the_templates_to_say() -> None:
    scheduler, worker, driver = pods(SITE)
    assert {pod["containers"][0]["image"] for pod in (scheduler, worker, driver)} == {"runner:1"}
    assert "serviceAccountName" not in worker


def test_what_a_job_says_counts_more_than_what_the_site_says() -> None:
    own = {"tolerations": [{"key": "mine"}], "automountServiceAccountToken": None, "imagePullSecrets": None}
    scheduler, worker, driver = pods(
        SITE,
        cluster={
            "image": "mine:2",
            "serviceAccount": "reader",
            "env": {"AWS_REGION": "us-east-1", "AWS_PROFILE": "mine"},
            "template": {"spec": {"worker": {"spec": own}, "scheduler": {"spec": own}}},
        },
        credentials={"secretRef": {"name": "keys"}},
    )
    for pod in (scheduler, worker, driver):
        assert pod["containers"][0]["image"] == "mine:2"
        assert pod["tolerations"] == [{"key": "mine"}]
        assert "imagePullSecrets" not in pod
    for pod in (worker, driver):
        assert pod["serviceAccountName"] == "reader"
        assert (variables(pod)["AWS_REGION"], variables(pod)["AWS_PROFILE"]) == ("us-east-1", "mine")
        assert pod["containers"][0]["envFrom"] == [{"secretRef": {"name": "keys"}}]
    # A null also removes our own value if the site sets another field next to it.
    assert "automountServiceAccountToken" not in worker and "automountServiceAccountToken" not in scheduler


def test_template_of_a_job_can_override_variables_of_the_site() -> None:
    env = [{"name": "AWS_REGION", "value": "us-east-1"}, {"name": "OWN", "value": "1"}, {"name": "SCOREMILL_JOB"}]
    template = {"spec": {"worker": {"spec": {"containers": [{"name": "worker", "env": env}]}}}}
    _, worker, driver = pods(SITE, cluster={"template": template})
    for pod in (worker, driver):
        assert (variables(pod)["AWS_REGION"], variables(pod)["OWN"]) == ("us-east-1", "1")
    assert variables(driver)["SCOREMILL_JOB"] == "tips"


def test_the_hash_of_a_spec_does_not_know_of_the_site() -> None:
    job = resource()
    _, _, driver = pods(SITE)
    assert variables(driver)["SCOREMILL_SPEC"] == spec_hash(job["spec"])
    status = decide(observed(job, NOW, replace(SETTINGS, template=SITE))).status
    assert status and status["specHash"] == spec_hash(job["spec"])
    # A site's template that changes in mid-run ends nothing.
    job = resource(started("Running", specHash=status["specHash"], startTime=ago(5)))
    after = decide(observed(job, NOW, replace(SETTINGS, template={}), cluster=cluster())).status
    assert after and after["phase"] == "Planning"


@pytest.mark.parametrize("site", [{}, {"spec": {"worker": {"spec": {"tolerations": []}}}}])
def test_template_of_a_site_can_be_small(site: dict[str, Any]) -> None:
    scheduler, worker, driver = pods(site)
    assert "envFrom" not in driver["containers"][0] and "tolerations" not in driver
    assert (scheduler, driver) == (pods({})[0], pods({})[2])
    assert worker == pods({})[1] | site.get("spec", {}).get("worker", {}).get("spec", {})


@pytest.mark.parametrize(
    ("base", "first", "second"),
    [
        ({"a": 1, "b": {"c": 2}}, {"b": {"d": 3}}, {"b": {"c": None}, "a": None}),
        ({"env": [{"name": "A", "x": 1}]}, {"env": [{"name": "A", "y": 2}]}, {"env": [{"name": "A", "x": None}]}),
        ({"a": {"b": 1}}, {"a": {"b": None}}, {"a": {"b": 4}}),
        ({"a": {"b": 1}}, {}, {"a": {"b": None}}),
    ],
)
def test_two_templates_as_one_do_what_one_after_the_other_does(base: Any, first: Any, second: Any) -> None:
    assert strategic_merge(base, strategic_merge(first, second, keeps_null=True)) == strategic_merge(
        strategic_merge(base, first), second
    )


def test_a_template_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(yaml.safe_dump(SITE))
    assert options(["--all-namespaces", f"--template={file}"]).template == SITE
    assert options(["--all-namespaces"]).template == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "could not read"),
        ("spec: [", "could not read"),
        ("", "not a part of a DaskCluster"),
        ("- spec", "not a part of a DaskCluster"),
        ("spec: 3", "not a part of a DaskCluster"),
        ("spec: {worker: null}", "not a part of a DaskCluster"),
        ("spec: {worker: {spec: {containers: [{image: x}]}}}", "not a part of a DaskCluster"),
        ("spec: {worker: {spec: {containers: [{name: worker, env: [{}]}]}}}", "not a part of a DaskCluster"),
    ],
)
def test_a_template_that_is_none_stops_the_operator_and_fails_no_job(
    content: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "template.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SystemExit) as ended:
        options(["--all-namespaces", f"--template={file}"])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_what_a_site_says_is_not_shown_with_the_settings() -> None:
    assert "eu-central-1" not in repr(replace(SETTINGS, template=SITE))
