"""A real API server takes the CustomResourceDefinitions, refuses what their rules refuse, and keeps what it takes.

They are installed under a group of the test's own: nobody's jobs are touched, and no release finds them in its way.
"""

from __future__ import annotations

import copy
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config, watch

from scoremill.naming import SCALABLE
from scoremill.spec import Cluster, JobSpec
from scoremill.spec.resources import crd
from scoremill.spec.resources.schedule import ScheduleSpec

Object = dict[str, Any]

EXAMPLES = Path(__file__).parents[2] / "examples"

JOB: Object = {
    "model": {"uri": "s3://models/tip"},
    "input": {"uris": ["s3://trips/*.csv"]},
    "output": {"uri": "s3://scores/tips"},
}
FULL: Object = {
    "model": {
        "uri": "s3://models/tip",
        "digest": f"sha256:{64 * 'a'}",
        "batchRows": 1000,
        "trustedPrefixes": ["s3://m"],
    },
    "input": {
        "uris": ["s3://trips/*.csv"],
        "csv": {"header": False, "columns": ["a", "b"], "nullValues": [""], "dtypes": {"a": "int64"}},
        "partitionBytes": "16MiB",
        "since": "2026-11-20T03:00:00Z",
        "until": "2026-11-21T03:00:00Z",
        "notScoredBy": [{"uri": "s3://scores/before"}, {"uri": "s3://scores/maybe", "optional": True}],
        "allowEmpty": True,
        "storage": {"endpoint": "http://minio:9000", "options": {"region": "eu", "use_ssl": False, "tries": 3}},
    },
    "output": {
        "uri": "s3://scores/tips",
        "columns": {"True": "tip"},
        "threshold": 0.25,
        "dtype": "float32",
        "rowsPerFile": None,
    },
    "errors": {"maxRows": 10, "maxFraction": None},
    "storage": {"anonymous": True},
    "cluster": {
        "workers": 0,
        "maxWorkers": 8,
        "cpu": 0.5,
        "memory": 2147483648,
        "env": {"LEVEL": "1"},
        "template": {"spec": {"worker": {"spec": {"nodeSelector": {"disk": "fast"}}}}},
    },
    "persist": True,
    "credentials": {"secretRef": {"name": "buckets"}},
    "retry": {"backoffLimit": 0},
    "deadlines": {"activeSeconds": 3600},
    "cleanup": {"ttlSecondsAfterFinished": 0},
    "suspend": True,
    "managedBy": "kueue.x-k8s.io/multikueue",
}
SCHEDULE: Object = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {**JOB, "sparks": [1]}}}

BAD_JOBS: list[tuple[Object, str]] = [
    ({"cluster": {"workers": 3, "maxWorkers": 2}}, "workers is above maxWorkers"),
    ({"cluster": {"maxWorkers": 0}}, "spec.cluster.maxWorkers"),
    ({"cluster": {"workers": 0}}, "workers is 0, so maxWorkers is needed"),
    ({"cluster": {"workers": {"min": 1, "max": 2}}}, "spec.cluster.workers"),
    ({"cluster": {"workers": "1:2"}}, "spec.cluster.workers"),
    ({"input": {"csv": {"header": False}}}, "columns names the columns of files without a header"),
    ({"input": {"csv": {"columns": ["a"]}}}, "columns names the columns of files without a header"),
    ({"input": {"csv": {"delimiter": '"'}}}, "delimiter and quote are the same character"),
    ({"input": {"csv": {"escape": '"'}}}, "escape is the same character as delimiter or quote"),
    ({"input": {"csv": {"comment": ","}}}, "comment is the same character as delimiter or quote"),
    ({"input": {"csv": {"escapeUnquoted": True}}}, "escapeUnquoted needs escape"),
    ({"input": {"since": "LastSuccess"}}, "LastSuccess is for the jobTemplate of a ScoringSchedule"),
    ({"input": {"since": "2026-11-21T04:00:00+00:00", "until": "2026-11-21T03:00:00Z"}}, "since is after until"),
    ({"storage": {"endpoint": "https://me:secret@minio"}}, "endpoint is a URL with a user, a password or a query"),
    ({"output": {"storage": {"endpoint": "https://minio/?key=1"}}}, "endpoint is a URL with a user"),
    ({"input": {"since": "yesterday"}}, "spec.input.since"),
    ({"input": {"uris": []}}, "spec.input.uris"),
    ({"input": {"notScoredBy": ["s3://scores/before"]}}, "spec.input.notScoredBy"),
    ({"input": {"notScoredBy": [{"optional": True}]}}, "spec.input.notScoredBy[0].uri: Required value"),
    ({"input": {"partitionBytes": "64 parsecs"}}, "spec.input.partitionBytes"),
    ({"model": {"digest": "sha256:0"}}, "spec.model.digest"),
    ({"output": {"mode": "Append"}}, "spec.output.mode"),
    ({"output": {"csvFormulas": "Escape"}}, "csvFormulas: Escape is for CSV output"),
    ({"output": {"uri": "x" * 2049}}, "spec.output.uri"),
    ({"cluster": {"cpu": 0}}, "spec.cluster.cpu"),
    ({"cleanup": {"ttlSecondsAfterFinished": -1}}, "spec.cleanup.ttlSecondsAfterFinished"),
    ({"output": None}, "spec.output: Required value"),
    ({"sparks": 1}, 'unknown field "spec.sparks"'),
]
BAD_SCHEDULES: list[tuple[Object, str]] = [
    ({"schedule": "CRON_TZ=UTC 0 3 * * *"}, "a schedule holds no time zone"),
    ({"schedule": "0 3 * *"}, "a schedule has five fields"),
    ({"concurrencyPolicy": "Queue"}, "spec.concurrencyPolicy"),
    ({"lookBackSeconds": -1}, "spec.lookBackSeconds"),
    ({"jobTemplate": None}, "spec.jobTemplate: Required value"),
]
CHANGES: Object = {
    "model": {"batchRows": 1001},
    "input": {"uris": ["s3://trips/1.csv"]},
    "output": {"storage": {"anonymous": True}},
    "errors": {"maxRows": None},
    "storage": {"anonymous": None, "profile": "other"},
    "cluster.template": {"template": {"spec": {"worker": {"spec": {"nodeSelector": {"disk": "slow"}}}}}},
    "cluster.cpu": {"cpu": 0.75},
    "cluster.memory": {"memory": None},
    "cluster.image": {"image": "mine:2"},
    "cluster.env": {"env": {"LEVEL": "2"}},
    "cluster.serviceAccount": {"serviceAccount": "reader"},
    "cluster.idleTimeoutSeconds": {"idleTimeoutSeconds": 1},
    "persist": None,
    "credentials": None,
    "retry": {"backoffLimit": 1},
    "deadlines": {"activeSeconds": 3601},
    "cleanup": {"onFailure": "Delete"},
    "managedBy": None,
}
"""One forbidden change of each field: values, and fields that come or go."""


@dataclass(frozen=True)
class Kind:
    """One of the kinds in a namespace: what a test does with it."""

    api: client.ApiClient
    group: str
    plural: str
    namespace: str

    @property
    def _place(self) -> tuple[str, str, str, str]:
        return self.group, crd.VERSION, self.namespace, self.plural

    def create(self, spec: Object, name: str = "nightly", **options: str) -> Object:
        kind = {"scoringjobs": "ScoringJob", "scoringschedules": "ScoringSchedule"}[self.plural]
        version = f"{self.group}/{crd.VERSION}"
        body = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}
        objects = client.CustomObjectsApi(self.api)
        made: Object = objects.create_namespaced_custom_object(*self._place, body, field_validation="Strict", **options)
        return made

    def patch(self, fields: Object, name: str = "nightly", **options: str) -> Object:
        objects = client.CustomObjectsApi(self.api)
        patched: Object = objects.patch_namespaced_custom_object(*self._place, name, fields, **options)
        return patched

    def scale(self, replicas: int, name: str = "nightly") -> Object:
        """As `kubectl scale` does it."""
        objects = client.CustomObjectsApi(self.api)
        change = {"spec": {"replicas": replicas}}
        scaled: Object = objects.patch_namespaced_custom_object_scale(*self._place, name, change)
        return scaled

    def patch_status(self, status: Object, name: str = "nightly") -> Object:
        objects = client.CustomObjectsApi(self.api)
        patched: Object = objects.patch_namespaced_custom_object_status(*self._place, name, {"status": status})
        return patched

    def table(self) -> dict[str, tuple[Any, int]]:
        """Cells of the one object there is, as `kubectl get` shows them, with the priorities of their columns."""
        headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        table = client.CustomObjectsApi(self.api).list_namespaced_custom_object(*self._place, _headers=headers)
        (row,) = table["rows"]
        columns = table["columnDefinitions"]
        return {each["name"]: (cell, each["priority"]) for each, cell in zip(columns, row["cells"], strict=True)}


def _spec_in(path: Path) -> Object:
    spec: Object = yaml.safe_load(path.read_text())["spec"]
    return spec


@pytest.fixture(scope="module")
def group(kubeconfig: Path) -> Iterator[str]:
    """The group under which both definitions are installed."""
    name = f"t{secrets.token_hex(4)}.scoremill.test"
    definitions = [_in_group(each, name) for each in crd.definitions().values()]
    with config.new_client_from_config(str(kubeconfig)) as api:
        extensions = client.ApiextensionsV1Api(api)
        try:
            for each in definitions:
                extensions.create_custom_resource_definition(each)
                _await_established(extensions, each["metadata"]["name"])
            yield name
        finally:
            for each in definitions:
                extensions.delete_custom_resource_definition(each["metadata"]["name"])


def _in_group(definition: Object, group: str) -> Object:
    definition = copy.deepcopy(definition)
    definition["spec"]["group"] = group
    # Names that stand in the way of the real ones would be refused, or would stand in theirs.
    del definition["spec"]["names"]["shortNames"]
    definition["metadata"]["name"] = f"{definition['spec']['names']['plural']}.{group}"
    return definition


def _await_established(extensions: client.ApiextensionsV1Api, name: str) -> None:
    listing, only = extensions.list_custom_resource_definition, f"metadata.name={name}"
    for event in watch.Watch().stream(listing, field_selector=only, timeout_seconds=30):
        conditions = {each.type: each.status for each in event["object"].status.conditions or ()}
        if conditions.get("Established") == "True":
            return
    raise AssertionError(f"{name} is not established after 30 s")


@pytest.fixture
def jobs(kubeconfig: Path, group: str, namespace: str) -> Iterator[Kind]:
    with config.new_client_from_config(str(kubeconfig)) as api:
        yield Kind(api, group, "scoringjobs", namespace)


@pytest.fixture
def schedules(kubeconfig: Path, group: str, namespace: str) -> Iterator[Kind]:
    with config.new_client_from_config(str(kubeconfig)) as api:
        yield Kind(api, group, "scoringschedules", namespace)


def over(base: Object, fields: Object) -> Object:
    """`base` with `fields` over it; None takes a field away, as in a merge patch."""
    merged = {**base}
    for name, value in fields.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = over(merged.get(name, {}), value) if isinstance(value, dict) else value
    return merged


def refusal(error: pytest.ExceptionInfo[client.ApiException]) -> str:
    """What the API server says."""
    assert error.value.status in {400, 422}
    return str(json.loads(error.value.body)["message"])


SPECS = {"small": JOB, "full": FULL} | {path.parent.name: _spec_in(path) for path in EXAMPLES.glob("*/job.yaml")}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
def test_a_job_is_taken_and_means_what_it_meant(jobs: Kind, spec: Object) -> None:
    stored = jobs.create(spec)["spec"]
    assert JobSpec.model_validate(stored) == JobSpec.model_validate(spec)
    assert stored["deadlines"]["preRunningSeconds"] == 900
    assert {name: stored[name] for name in spec.keys() - stored.keys()} == {}


def test_a_schedule_is_taken_with_a_template_that_is_kept_as_it_is(schedules: Kind) -> None:
    stored = schedules.create(SCHEDULE)["spec"]
    assert stored["jobTemplate"] == SCHEDULE["jobTemplate"]
    del stored["jobTemplate"]["spec"]["sparks"]
    valid = {**SCHEDULE, "jobTemplate": {"spec": JOB}}
    assert ScheduleSpec.model_validate(stored) == ScheduleSpec.model_validate(valid)


@pytest.mark.parametrize("line", ["*/5 0-6 1,15 * mon-fri", "@daily"])
def test_a_line_of_cron_is_taken(schedules: Kind, line: str) -> None:
    assert schedules.create({**SCHEDULE, "schedule": line}, dry_run="All")["spec"]["schedule"] == line


def test_jobs_that_break_a_rule_are_refused_with_its_words(jobs: Kind) -> None:
    for fields, words in BAD_JOBS:
        with pytest.raises(client.ApiException) as error:
            jobs.create(over(JOB, fields), dry_run="All")
        assert words in refusal(error), fields


def test_schedules_that_break_a_rule_are_refused_with_its_words(schedules: Kind) -> None:
    for fields, words in BAD_SCHEDULES:
        with pytest.raises(client.ApiException) as error:
            schedules.create(over(SCHEDULE, fields), dry_run="All")
        assert words in refusal(error), fields


def test_no_rule_is_left_out_above() -> None:
    words = [words for _, words in BAD_JOBS + BAD_SCHEDULES]
    rules = [message for rules in crd.RULES.values() for _, message in rules]
    assert not [message for message in rules if not any(each in message for each in words)]
    names = {field.alias for field in JobSpec.model_fields.values()} - {"suspend", "cluster"}
    inner = {field.alias for field in Cluster.model_fields.values()} - {*SCALABLE}
    assert CHANGES.keys() == names | {f"cluster.{name}" for name in inner}


def changed(name: str) -> Object:
    """The merge patch of one forbidden change."""
    return {"spec": {name.partition(".")[0]: CHANGES[name]}}


def test_only_suspend_can_change_after_the_start_of_a_job(jobs: Kind) -> None:
    jobs.create(FULL)
    jobs.patch_status({"phase": "Running", "startTime": "2026-11-21T03:00:00Z"})
    for name in CHANGES:
        with pytest.raises(client.ApiException) as error:
            jobs.patch(changed(name), dry_run="All")
        assert f"spec.{name} cannot be changed" in refusal(error)
    assert jobs.patch({"spec": {"cluster": {"workers": 3, "maxWorkers": 9}}})["spec"]["cluster"]["workers"] == 3
    assert jobs.patch({"spec": {"suspend": False}})["spec"]["suspend"] is False
    assert "suspend" not in jobs.patch({"spec": {"suspend": None}})["spec"]


def test_kubectl_scale_sets_the_number_of_workers_also_of_a_job_that_runs(jobs: Kind) -> None:
    jobs.create({**JOB, "cluster": {"memory": "1GiB"}})
    assert jobs.scale(3)["spec"] == {"replicas": 3}
    jobs.patch_status({"phase": "Running", "startTime": "2026-11-21T03:00:00Z", "cluster": {"workers": {"ready": 2}}})
    scaled = jobs.scale(5)
    assert (scaled["spec"], scaled["status"]) == ({"replicas": 5}, {"replicas": 2})
    with pytest.raises(client.ApiException) as error:
        jobs.scale(0)
    assert "workers is 0" in refusal(error)
    jobs.patch({"spec": {"cluster": {"maxWorkers": 9}}})
    with pytest.raises(client.ApiException) as error:
        jobs.scale(10)
    assert "workers is above maxWorkers" in refusal(error)


def test_before_that_all_changes_but_who_runs_it(jobs: Kind) -> None:
    jobs.create(FULL)
    jobs.patch_status({"phase": "Suspended"})
    for name in CHANGES.keys() - {"managedBy"}:
        assert jobs.patch(changed(name), dry_run="All")["metadata"]["generation"] == 2
    for other in (None, "scoremill.dev/operator"):
        with pytest.raises(client.ApiException) as error:
            jobs.patch({"spec": {"managedBy": other}}, dry_run="All")
        assert "spec.managedBy cannot be changed" in refusal(error)


def test_a_job_cannot_be_given_away_later(jobs: Kind) -> None:
    jobs.create(JOB)
    with pytest.raises(client.ApiException) as error:
        jobs.patch({"spec": {"managedBy": "kueue.x-k8s.io/multikueue"}})
    assert "spec.managedBy cannot be changed" in refusal(error)


def test_what_is_shown_of_a_job(jobs: Kind) -> None:
    jobs.create(JOB)
    rows = {"done": 5_000_000_000, "rejected": 12}
    progress = {"partitions": {"total": 4096, "done": 812}, "rows": rows, "summary": "812/4096"}
    jobs.patch_status(
        {
            "phase": "Running",
            "cluster": {"workers": {"wanted": 8, "ready": 7}},
            "failure": {"reason": "DriverLost"},
            "progress": progress,
        }
    )
    table = jobs.table()
    assert [name for name, (_, priority) in table.items() if priority == 0] == [
        "Name",
        "Phase",
        "Progress",
        "Rows",
        "Rejected",
        "Workers",
        "Age",
    ]
    shown = {name: cell for name, (cell, _) in table.items() if name != "Age"}
    assert shown == {
        "Name": "nightly",
        "Phase": "Running",
        "Progress": "812/4096",
        "Rows": 5_000_000_000,
        "Rejected": 12,
        "Workers": 7,
        "Model": "s3://models/tip",
        "Output": "s3://scores/tips",
        "Reason": "DriverLost",
    }


def test_a_status_is_no_part_of_what_a_user_writes(jobs: Kind) -> None:
    jobs.create(JOB)
    assert "status" not in jobs.patch({"status": {"phase": "Complete"}})
    assert jobs.patch_status({"phase": "Running"})["metadata"]["generation"] == 1
