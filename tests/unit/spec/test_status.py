"""A status is read whatever wrote it, and written as the API holds it."""

import pytest
import yaml
from pydantic import ValidationError

from scoremill.errors import UsageError
from scoremill.spec import parse_job
from scoremill.spec.resources.status import REASON_OF_CODE, Condition, JobProgress, JobStatus, Reason

STORED = """\
apiVersion: scoremill.dev/v1alpha1
kind: ScoringJob
metadata:
  name: tips-2009
  namespace: science
  uid: 0d2ccd55-6ef2-4a9a-94a4-3c5c5b6ba6b4
  resourceVersion: "812"
  generation: 2
  creationTimestamp: "2026-11-21T03:00:00Z"
  managedFields: [{manager: kubectl, operation: Apply}]
spec:
  model: {uri: s3://models/tip, batchRows: 131072}
  input: {uris: ["s3://trips/*.csv"], format: auto, partitionBytes: 64MiB, idBy: version}
  output: {uri: s3://scores/tips, format: parquet, mode: Resume}
  cluster: {workers: 1, maxWorkers: 8, idleTimeoutSeconds: 1800}
status:
  phase: Running
  startTime: "2026-11-21T03:00:01Z"
  conditions:
  - {type: Running, status: "True", reason: DriverRuns, message: "", lastTransitionTime: "2026-11-21T03:01:00Z", owner: me}
  progress: {partitions: {total: 4096, done: 812}, summary: old, sparks: [1, 2]}
  tomorrow: {known: true}
"""


@pytest.fixture
def stored():
    return yaml.safe_load(STORED)


def test_nothing_is_required():
    assert JobStatus.model_validate({}).fields() == {"conditions": [], "failedObjects": []}


def test_an_object_that_another_version_stored_is_still_read(stored):
    job = parse_job(stored)
    assert job.spec.cluster.bounds.max == 8
    status = JobStatus.model_validate(job.status)
    assert (status.phase, status.progress.partitions.done) == ("Running", 812)
    assert not status.is_finished
    assert status.condition("Running").reason == Reason.DRIVER_RUNS
    assert status.condition("Complete") is None


def test_what_a_job_asks_is_the_same_with_and_without_its_status(stored):
    asked = parse_job(stored).spec
    del stored["status"]
    assert parse_job(stored).spec == asked


def test_a_field_that_the_spec_does_not_have_is_still_refused(stored):
    stored["spec"]["sparks"] = 1
    with pytest.raises(UsageError, match=r"spec\.sparks: there is no such field"):
        parse_job(stored)


def test_times_are_written_as_kubernetes_writes_them():
    status = JobStatus.model_validate({"startTime": "2026-11-21T05:00:01.25+02:00"})
    assert status.fields()["startTime"] == "2026-11-21T03:00:01Z"
    assert JobStatus.model_validate(status.fields()).fields() == status.fields()


def test_a_time_without_a_zone_is_no_moment():
    with pytest.raises(ValidationError, match="timezone"):
        JobStatus.model_validate({"startTime": "2026-11-21T05:00:01"})


@pytest.mark.parametrize(
    ("partitions", "summary"),
    [({"total": 4096, "done": 812}, "812/4096"), ({"total": 7}, "0/7"), ({"done": 3}, None), (None, None)],
)
def test_progress_is_summarized(partitions, summary):
    assert JobProgress(partitions=partitions).fields().get("summary") == summary


def test_a_condition_holds_or_does_not():
    with pytest.raises(ValidationError):
        Condition(type="Complete", status="yes")


def test_every_reason_is_a_word_and_has_a_sentence():
    for reason in Reason:
        assert str(reason).isalnum()
        assert reason.meaning.endswith(".")
    assert set(REASON_OF_CODE) == {2, 3, 4, 5, 6, 7}
