"""ScoringJobs on a real cluster: each comes to its true end, whatever dies on the way, and leaves nothing behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from scoremill import score, verify
from scoremill.kubernetes.api import connect
from scoremill.kubernetes.objects import Resource
from scoremill.kubernetes.objects.names import SCHEDULE
from scoremill.kubernetes.objects.scheduled import scheduled_name
from scoremill.spec.resources.schedule import ScheduleStatus
from scoremill.storage.filesystem import Store
from tests.cluster.buckets import Store as ObjectStore
from tests.cluster.steps import until
from tests.support.jobs import ROOT, make_job, objects
from tests.support.kube import Place, cordoned, evict, kubectl, new_namespace
from tests.support.operator import CONTENT, PARTITIONS, ROWS, SLOW, Job, Mill, apply_kinds, lay_down, prepare
from tests.support.slow import HUNGRY, SECONDS, slow_rows
from tests.support.touchy import touchy_bundle

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def mill(
    kubeconfig: Path, s3: ObjectStore, runner_image: str, operator_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mill]:
    folder = tmp_path_factory.mktemp("operator")
    bucket = s3.bucket()
    apply_kinds(kubeconfig)
    with pytest.MonkeyPatch.context() as patch, new_namespace(kubeconfig) as namespace:
        for name, value in bucket.environment.items():
            patch.setenv(name, value)
        place = Place(kubeconfig, namespace, runner_image)
        place.secret("buckets", bucket.environment)
        model = prepare(bucket, folder)
        alone = make_job(
            str(folder / "bundle"),
            bucket.uri("in/*.csv"),
            bucket.uri("alone"),
            input={"partitionBytes": -(-len(CONTENT) // PARTITIONS)},
        )
        score(alone, cluster="in-process")
        expected = objects(bucket.uri("alone"))
        assert len(expected) == PARTITIONS
        made = Mill(place, bucket, operator_image, model, connect(str(kubeconfig), namespace=namespace), expected)
        made.helm("install")
        yield made


@pytest.fixture(autouse=True)
def room(mill: Mill) -> Iterator[None]:
    """What a test leaves, such as the clusters of failed jobs, takes no room from the next; they are not waited for."""
    yield
    for kind in ("ScoringSchedule", "ScoringJob"):
        for left in mill.kube.select(kind):
            mill.kube.delete(kind, left["metadata"]["name"])


# --- what becomes of a job --------------------------------------------------------------------------------------------


def test_a_job_is_scored_whole_and_leaves_nothing_but_itself(mill: Mill) -> None:
    job = mill.submit("whole")
    kubectl_in(mill, "wait", "--for=condition=Complete", "--timeout=300s", "scoringjob/whole")
    status = job.proves()
    assert status.attempt == 1 and not status.failed_attempts
    assert status.model and status.model.digest and status.outputs and status.outputs.manifest
    assert status.outputs.logs == f"{job.output}/_scoremill/logs/{job.child}/"
    (log,) = job.logs()
    assert log == mill.kube.log(job.pods("driver")[0]["metadata"]["name"], 1000) and f"{ROWS:,} rows scored" in log
    assert status.start_time and status.running_time and status.completion_time
    assert status.start_time <= status.running_time <= status.completion_time
    assert until(lambda: not job.pods("worker") and not job.pods("scheduler"), 120)
    job.delete()
    job.is_deleted()


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "untrusted": ({"model": {"trustedPrefixes": []}}, "Usage", "model.trustedPrefixes"),
    "unmatched": ({"input": {"uris": ["s3://{bucket}/nothing/*.csv"]}}, "DoesNotFit", "nothing/*.csv"),
    "unfit": ({"input": {"uris": ["s3://{bucket}/unfit/*.csv"]}}, "DoesNotFit", "x"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_the_plan_finds_fails_the_job_without_a_cluster(mill: Mill, case: str) -> None:
    wrong, reason, words = WRONG[case]
    Store(mill.bucket.uri("unfit")).write("rows.csv", b"y\n1\n")
    spec = json.loads(json.dumps(wrong).replace("s3://{bucket}", mill.bucket.uri()))
    with watched(mill, "DaskCluster") as clusters:
        # No node takes such workers: what waited for them would wait until the deadline.
        job = mill.submit(case, spec, {"cluster": {"memory": "900GiB"}})
        status = job.fails(reason)
    assert words in str(status.failure)
    assert (status.attempt, status.cluster) == (1, None)
    assert job.child not in clusters


def test_a_model_that_fails_on_all_rows_is_not_tried_again(mill: Mill, tmp_path: Path) -> None:
    Store(mill.bucket.uri("both")).write("rows.csv", b"x,y\n" + b"2000000,1\n" * 100)
    model = lay_down(Path(touchy_bundle(tmp_path)), mill.bucket.uri("touchy"))
    job = mill.submit("failing", {"model": {"uri": model}, "input": {"uris": [mill.bucket.uri("both/*.csv")]}})
    status = job.fails("DoesNotFit")
    assert status.failure and status.failure.exit_code == 3 and "x is too large" in str(status.failure.message)
    assert status.attempt == 1
    assert status.outputs and [*status.outputs.fields()] == ["logs"]
    job.delete()
    job.is_deleted()
    (log,) = job.logs()
    assert "x is too large" in log and "error[" in log, "the pod is deleted, and its log is kept"


def test_more_bad_rows_than_the_budget_allows_are_not_tried_again(mill: Mill) -> None:
    Store(mill.bucket.uri("bad")).write("rows.csv", b"x\n" + b"1\n" * 1000 + b"far\n" * 5)
    spec = {"input": {"uris": [mill.bucket.uri("bad/*.csv")]}, "errors": {"maxRows": 4}}
    status = mill.submit("bad", spec, {"cleanup": {"onFailure": "Delete"}}).fails("TooManyRejectedRows")
    assert status.failure and status.failure.exit_code == 4 and status.attempt == 1
    allowed = mill.submit("allowed", spec, {"errors": {"maxRows": 5}}).becomes("Complete")
    assert allowed.rows and (allowed.rows.total, allowed.rows.rejected) == (1005, 5)


def test_a_suspended_job_holds_nothing_and_resumes_where_it_was(mill: Mill) -> None:
    job = mill.submit("suspended", SLOW)
    job.is_in_mid_run()
    job.suspend()
    job.becomes("Suspended")
    assert not job.pods("driver") and not mill.kube.select("DaskCluster", f"scoremill.dev/cluster={job.child}")
    kept = set(objects(job.output))
    assert 3 <= len(kept) < PARTITIONS
    assert "Interrupted" in job.logs()[-1]
    job.suspend(False)
    status = job.proves()
    assert not status.failed_attempts and status.condition("Suspended").status == "False"


def test_a_job_deleted_in_mid_run_takes_all_with_it(mill: Mill) -> None:
    job = mill.submit("deleted", SLOW)
    job.is_in_mid_run()
    assert job.children()
    job.delete()
    job.is_deleted()
    assert not (Store(job.output).info("_SUCCESS"))


# --- what dies in mid-run ---------------------------------------------------------------------------------------------


def test_an_operator_that_is_killed_scaled_to_none_or_upgraded_harms_no_run(mill: Mill) -> None:
    job = mill.submit("operator", {"cluster": {"env": {SECONDS: "0.02"}}})
    job.is_in_mid_run(1)
    killed = {pod["metadata"]["name"] for pod in mill.operator_pods()}
    for name in killed:
        kill(mill, name)
    assert until(
        lambda: any(
            Resource.of(pod).is_ready and pod["metadata"]["name"] not in killed for pod in mill.operator_pods()
        ),
        90,
    )
    mill.helm("upgrade", "--set", "operator.args={--log-level=debug}")
    mill.scale_operator(0)
    # It ends while nobody looks, and that is found afterwards.
    assert until(lambda: Store(job.output).info("_SUCCESS"), 150)
    assert job.status.phase == "Running"
    mill.scale_operator(2)
    status = job.proves()
    assert (status.attempt, status.failed_attempts or 0) == (1, 0), status.failure
    leader = holder(mill)
    assert leader
    kill(mill, leader)
    assert until(lambda: holder(mill) not in {leader, None}, 60), "the second takes over"
    mill.submit("takenover").proves()
    mill.scale_operator(1)


def test_killed_driver_is_replaced_by_one_that_resumes(mill: Mill) -> None:
    job = mill.submit("driver", SLOW)
    job.is_in_mid_run()
    driver = job.driver
    kill(mill, driver["metadata"]["name"])
    job.sees(lambda _: one_driver(job, but=driver["metadata"]["name"]), "a new driver")
    job.proves()


def test_a_scheduler_that_is_killed_costs_no_attempt(mill: Mill) -> None:
    job = mill.submit("scheduler", SLOW)
    job.is_in_mid_run()
    (scheduler,) = job.pods("scheduler")
    kill(mill, scheduler["metadata"]["name"])
    status = job.proves()
    assert (status.attempt, status.failed_attempts or 0) == (1, 0), status.failure


def test_workers_that_run_out_of_memory_end_the_job_with_that_reason(mill: Mill) -> None:
    Store(mill.bucket.uri("hungry")).write("rows.csv", slow_rows(2000, {1500: HUNGRY}))
    Store(mill.bucket.uri()).write("hunger", b"always")
    spec = {"input": {"uris": [mill.bucket.uri("hungry/*.csv")]}, "retry": {"backoffLimit": 0}}
    failure = mill.submit("hungry", spec).becomes("Failed").failure
    # With control groups of version 1 the kernel kills the worker alone, of which the kubelet does not learn.
    assert failure and failure.reason in {"ClusterFailed", "WorkerOutOfMemory"}
    assert "hungry/rows.csv, bytes" in str(failure.message) and "memory" in str(failure.hint)
    Store(mill.bucket.uri()).delete(["hunger"])


def test_a_driver_that_is_killed_for_its_memory_is_not_tried_again_at_the_same_size(mill: Mill) -> None:
    sizes = (f"operator.driverResources.{each}.memory=60Mi" for each in ("requests", "limits"))
    mill.helm("upgrade", "--set", ",".join(sizes))
    try:
        status = mill.submit("narrow").fails("DriverOutOfMemory")
    finally:
        mill.helm("upgrade")
    assert status.failure and "exceeding its memory limit of 60 MiB (OOMKilled)" in str(status.failure.message)
    assert (status.attempt, status.failed_attempts, status.cluster) == (1, 1, None)


def test_a_drained_node_is_left_by_the_driver_and_costs_no_attempt(mill: Mill) -> None:
    job = mill.submit("drained", SLOW)
    job.is_in_mid_run()
    driver = job.driver
    with cordoned(mill.place.kubeconfig, driver["spec"]["nodeName"]):
        assert evict(mill.place.kubeconfig, driver) == 201
        job.sees(lambda _: one_driver(job, but=driver["metadata"]["name"]), "a new driver")
        status = job.proves()
    assert not status.failed_attempts


# --- limits -----------------------------------------------------------------------------------------------------------


def test_a_cluster_that_does_not_come_up_in_time_fails_the_job_with_its_cause(mill: Mill) -> None:
    spec = {"cluster": {"memory": "900GiB"}, "deadlines": {"preRunningSeconds": 25}}
    job = mill.submit("too-large", spec)
    status = job.fails("PreRunningDeadline")
    assert re.search("900Gi|memory", status.condition("Failed").message), status.fields()
    assert until(lambda: not job.pods("driver"), 120)


def test_a_job_ends_at_its_active_deadline(mill: Mill) -> None:
    job = mill.submit("too-long", SLOW, {"deadlines": {"activeSeconds": 25}, "cleanup": {"onFailure": "Delete"}})
    status = job.fails("ActiveDeadline")
    assert status.completion_time - status.start_time < timedelta(seconds=75)
    assert until(lambda: not job.pods("driver") and not job.pods("worker"), 120)


def test_a_run_without_progress_is_given_up_by_its_driver(mill: Mill) -> None:
    Store(mill.bucket.uri("stuck")).write("rows.csv", slow_rows(100, {50: -500.0}))
    spec = {"input": {"uris": [mill.bucket.uri("stuck/*.csv")]}, "deadlines": {"noProgressSeconds": 10}}
    status = mill.submit("stuck", SLOW, spec).fails("NoProgress")
    assert status.failure and "no partition was finished for 10 s" in str(status.failure.message)


def test_a_driver_that_hangs_is_given_up_by_the_operator(mill: Mill) -> None:
    job = mill.submit("hanging", SLOW, {"deadlines": {"noProgressSeconds": 30}, "cleanup": {"onFailure": "Delete"}})
    job.is_in_mid_run()
    driver = job.driver
    kubectl_in(mill, "exec", driver["metadata"]["name"], "--", "sh", "-c", "kill -STOP -1")
    job.fails("NoProgress")
    assert until(lambda: not job.pods("driver") and not job.pods("worker"), 150)


def test_what_the_infrastructure_failed_is_tried_again_as_often_as_allowed(mill: Mill) -> None:
    status = mill.submit(
        "retried", {"input": {"uris": ["s3://there-is-no-such-bucket/*.csv"]}, "retry": {"backoffLimit": 1}}
    )
    status = status.fails("StorageFailed")
    assert (status.attempt, status.failed_attempts) == (2, 2)
    assert status.failure.exit_code == 5


def test_a_job_goes_when_its_time_to_live_is_over(mill: Mill) -> None:
    job = mill.submit("brief", {"cleanup": {"ttlSecondsAfterFinished": 3}})
    # It can be complete for a moment only; its output proves it.
    job.is_deleted(240)
    assert objects(job.output) == mill.expected and verify(job.output).totals.scored == ROWS


def test_a_range_of_workers_is_grown_into_and_given_back(mill: Mill) -> None:
    job = mill.submit("ranged", SLOW, {"cluster": {"workers": 1, "maxWorkers": 3}})
    job.is_in_mid_run(1)
    job.sees(lambda _: len(job.pods("worker")) > 1, "more workers")
    job.proves()
    assert until(lambda: not job.pods("worker"), 120)


def test_a_job_that_runs_has_the_workers_that_kubectl_scale_asks_for(mill: Mill) -> None:
    job = mill.submit("scaled", SLOW, {"cluster": {"workers": 1}})
    job.is_in_mid_run(1)
    kubectl_in(mill, "scale", "scoringjob/scaled", "--replicas=3")
    job.sees(lambda status: status.cluster and status.cluster.workers and status.cluster.workers.ready == 3, "scaled")
    mill.place.ok("job", "scale", "scaled", "0:1")
    job.sees(lambda _: mill.kube.get("DaskAutoscaler", job.child), "a range")
    status = job.proves()
    assert (status.attempt, status.failed_attempts or 0) == (1, 0), status.failure


# --- many ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["Forbid", "Replace"])
def test_a_schedule_runs_three_times(mill: Mill, policy: str) -> None:
    # With Forbid each run ends before the next; with Replace the first ones never would.
    job = mill.manifest("x", {"output": {"uri": mill.bucket.uri(f"ticks/{policy}/{{scheduledTime}}")}})
    if policy == "Forbid":
        job["spec"]["input"]["since"] = "LastSuccess"
    else:
        Store(mill.bucket.uri("stuck")).write("rows.csv", slow_rows(100, {50: -500.0}))
        job["spec"]["input"]["uris"] = [mill.bucket.uri("stuck/*.csv")]
        job["spec"]["cluster"]["env"] = SLOW["cluster"]["env"]
    name = policy.lower()
    made = mill.kube.create(
        {
            "apiVersion": "scoremill.dev/v1alpha1",
            "kind": "ScoringSchedule",
            "metadata": {"name": name},
            "spec": {
                "schedule": "* * * * *",
                "concurrencyPolicy": policy,
                "jobTemplate": {"spec": job["spec"]},
                "successfulJobsHistoryLimit": 2,
            },
        }
    )
    assert made and made.created
    born = made.created
    ticks = [born.replace(second=0) + timedelta(minutes=minute) for minute in (1, 2, 3)]
    runs = {scheduled_name(name, tick) for tick in ticks}
    seen: dict[str, str] = {}
    going_on: set[int] = set()

    def ran() -> bool:
        jobs = mill.kube.select("ScoringJob", f"{SCHEDULE}={name}")
        seen.update({each["metadata"]["name"]: each["metadata"]["uid"] for each in jobs})
        going_on.add(sum(each.get("status", {}).get("phase") not in {"Complete", "Failed"} for each in jobs))
        return len(seen) >= 3

    assert until(ran, 300), f"{seen}\n{mill.operator_log()}"
    assert going_on <= {0, 1}
    if policy == "Replace":
        assert set(seen) == runs
    else:
        # The first sees the rows, the later ones that there is nothing new.
        first = Job(mill, min(seen), seen[min(seen)], mill.bucket.uri(f"ticks/{policy}/{ticks[0]:%Y%m%dT%H%MZ}"))
        first.proves()
        outputs = sorted({each.name.split("/")[0] for each in Store(mill.bucket.uri(f"ticks/{policy}")).list()})
        assert outputs[0] == f"{ticks[0]:%Y%m%dT%H%MZ}"
        assert until(lambda: _scheduled(mill, name).last_successful_time >= ticks[1], 150)
        assert verify(mill.bucket.uri(f"ticks/{policy}/{outputs[1]}")).totals.rows == 0
    mill.kube.delete("ScoringSchedule", name)
    assert until(lambda: not mill.kube.select("ScoringJob", f"{SCHEDULE}={name}"), 150)


def _scheduled(mill: Mill, name: str) -> ScheduleStatus:
    return ScheduleStatus.model_validate(mill.kube.get("ScoringSchedule", name).get("status") or {})


def test_an_operator_of_one_namespace_touches_no_other(mill: Mill, kubeconfig: Path) -> None:
    with new_namespace(kubeconfig) as other:
        elsewhere = connect(str(kubeconfig), namespace=other)
        elsewhere.create(mill.manifest("elsewhere"))
        mill.submit("here").proves()
        seen = elsewhere.get("ScoringJob", "elsewhere")
        assert not seen.get("status") and len(seen["metadata"]["managedFields"]) == 1
        assert not elsewhere.select("Job") and not elsewhere.select("DaskCluster")
        account = f"system:serviceaccount:{mill.place.namespace}:{operator_account(mill)}"
        for verb, kind in (
            ("get", "scoringjobs.scoremill.dev"),
            ("create", "jobs.batch"),
            ("list", "pods"),
            ("get", "secrets"),
            ("create", "daskclusters.kubernetes.dask.org"),
        ):
            asked = [kubectl(), "--kubeconfig", kubeconfig, "auth", "can-i", verb, kind, "--as", account]
            assert subprocess.run([*asked, "--namespace", other], capture_output=True, text=True).stdout.strip() == "no"


def test_of_two_jobs_on_one_output_one_scores_and_the_other_finds_it_done(mill: Mill) -> None:
    jobs = [mill.submit(name, SLOW, output="shared") for name in ("first", "second")]
    for job in jobs:
        job.proves()


@pytest.mark.parametrize("name", ["a" * 253, "1." + "x-" * 125 + "y"])
def test_names_can_be_as_long_as_kubernetes_allows(mill: Mill, name: str) -> None:
    assert len(name) == 253
    job = mill.submit(name, output=f"long/{name[0]}")
    job.proves()
    job.delete()
    job.is_deleted()


@pytest.mark.parametrize("example", sorted(path.parent.name for path in (ROOT / "examples").glob("*/job.yaml")))
def test_every_example_is_submitted_and_scored(mill: Mill, example: str, tmp_path: Path) -> None:
    place, bucket = mill.place, mill.bucket
    source = trips_and_model(tmp_path, ROOT / "examples" / example)
    # Where things are differs from bucket to bucket; all else is as the file says it.
    where = [
        "--model",
        lay_down(tmp_path / "bundle", bucket.uri(f"{example}/bundle")),
        "--input",
        f"{lay_down(tmp_path / 'trips', bucket.uri(f'{example}/trips'))}/*.csv",
        "--output",
        bucket.uri(f"{example}/tips"),
        "--trust",
        bucket.uri(),
        "--secret",
        "buckets",
        "--memory",
        "1200MiB",
        "--cpu",
        "0.1",
    ]
    place.ok("job", "submit", source / "job.yaml", *where, "--wait", "--quiet")
    assert verify(bucket.uri(f"{example}/tips")).totals.scored > 39_000


def test_a_nightly_schedule_scores_each_object_in_one_night(mill: Mill, tmp_path: Path) -> None:
    trips_and_model(tmp_path, ROOT / "examples/01-taxi-tips")
    made = yaml.safe_load((ROOT / "examples/02-nightly/schedule.yaml").read_text())
    spec = made["spec"]["jobTemplate"]["spec"]
    spec["model"] = {
        "uri": lay_down(tmp_path / "bundle", mill.bucket.uri("nightly/bundle")),
        "trustedPrefixes": [mill.bucket.uri()],
    }
    spec["input"]["uris"] = [mill.bucket.uri("nightly/trips/*.csv")]
    spec["output"]["uri"] = mill.bucket.uri("nightly/scores/{scheduledTime}")
    spec["cluster"] = {"workers": 1, "maxWorkers": 2, "memory": "1200MiB", "cpu": 0.1}
    (tmp_path / "schedule.yaml").write_text(yaml.safe_dump(made))
    mill.place.ok("schedule", "submit", tmp_path / "schedule.yaml")
    rows = []
    for file in sorted((tmp_path / "trips").iterdir()):
        Store(mill.bucket.uri("nightly/trips")).write(file.name, file.read_bytes())
        # A run takes what was there before its second began.
        written = datetime.now(UTC)
        assert until(lambda written=written: datetime.now(UTC) > written + timedelta(seconds=2), 10)
        before = _scheduled(mill, "nightly").last_successful_time
        mill.place.ok("schedule", "run", "nightly")
        assert until(lambda before=before: _scheduled(mill, "nightly").last_successful_time != before, 240)
        (latest,) = {each.name.split("/")[0] for each in Store(mill.bucket.uri("nightly/scores")).list()} - {*rows}
        assert verify(mill.bucket.uri(f"nightly/scores/{latest}")).totals.rows == 20_000
        rows.append(latest)


def trips_and_model(folder: Path, source: Path) -> Path:
    """`trips` and `bundle` in `folder`, made as the README of the example at `source` says; `source`."""

    def run(*words: object) -> None:
        done = subprocess.run([sys.executable, *map(str, words)], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    run(source / "generate.py", "trips", "--rows", 40_000, "--files", 2)
    run(source / "train.py", "trips/trips-2009-01.csv", "--output", "model")
    run(
        "-m",
        "scoremill",
        "model",
        "pack",
        "model/model.joblib",
        "--output",
        "bundle",
        "--sample",
        "model/sample.parquet",
        "--code",
        source / "pipeline.py",
        "--method",
        "predict_proba",
    )
    return source


@contextmanager
def watched(mill: Mill, kind: str) -> Iterator[set[str]]:
    """The names of all objects of a kind that were there while this was open, however short."""
    seen: set[str] = set()
    plural = {"DaskCluster": "daskclusters.kubernetes.dask.org"}[kind]
    command = [
        kubectl(),
        "--kubeconfig",
        str(mill.place.kubeconfig),
        "--namespace",
        mill.place.namespace,
        "get",
        plural,
        "--watch",
        "--output",
        "name",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield seen
        finally:
            process.terminate()
            seen |= {line.strip().rpartition("/")[2] for line in process.stdout or ()}


def kill(mill: Mill, pod: str) -> None:
    """The pod is killed immediately, without a chance to write anything."""
    kubectl_in(mill, "delete", "pod", pod, "--grace-period=0", "--force", "--wait=false")


def kubectl_in(mill: Mill, *words: str) -> str:
    """What kubectl prints, in the operator's namespace."""
    command = [kubectl(), "--kubeconfig", str(mill.place.kubeconfig), "--namespace", mill.place.namespace, *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def holder(mill: Mill) -> str | None:
    """The operator's pod that holds the Lease."""
    (lease,) = mill.kube.select("Lease")
    return lease["spec"].get("holderIdentity") or None


def one_driver(job: Job, but: str) -> bool:
    """Return whether a driver other than `but` runs; assert that there are never two."""
    alive = [
        pod["metadata"]["name"]
        for pod in job.pods("driver")
        if pod["status"]["phase"] in {"Pending", "Running"} and "deletionTimestamp" not in pod["metadata"]
    ]
    assert len(alive) <= 1, alive
    return bool(alive) and alive[0] != but


def operator_account(mill: Mill) -> str:
    (pod, *_) = mill.operator_pods()
    return str(pod["spec"]["serviceAccountName"])
