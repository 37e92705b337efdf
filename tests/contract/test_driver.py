"""`scoremill driver` as a separate process, as in a runner pod, with an API server that has one job."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from scoremill import verify
from scoremill.kubernetes.api import Conflict, connect
from tests.support.api import serving
from tests.support.driver import CHILD, Last, Pod
from tests.support.jobs import run, trip_bundle, trip_spec, trips
from tests.support.slow import SECONDS, slow_bundle, slow_rows

LOCAL: dict[str, Any] = {
    "n_workers": 1,
    "threads_per_worker": 1,
    "memory_limit": "1GiB",
    "dashboard_address": "127.0.0.1:0",
    "host": "127.0.0.1",
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


@pytest.fixture
def spec(bundle: str, tmp_path: Path) -> dict[str, Any]:
    """The spec of a job with several partitions."""
    return trip_spec(bundle, tmp_path, 2000, suspend=False)


def drive(spec: dict[str, Any], folder: Path) -> tuple[int, Last, str]:
    with serving(spec) as api:
        return Pod(api, folder).run()


def test_run_exits_with_0_and_reports_rows_outputs_and_progress(spec, tmp_path):
    with serving(spec) as api:
        code, last, err = Pod(api, tmp_path).run()
        statuses = api.statuses
    assert (code, last["exitCode"]) == (0, 0), err
    assert last["rows"] == {"total": 2000, "scored": 2000, "rejected": 0}
    assert last["modelDigest"].startswith("sha256:")
    assert last["repeated"] == 0
    output = tmp_path / "out"
    assert last["outputs"] == {
        "manifest": f"{output}/_scoremill/manifest.json",
        "report": f"{output}/_scoremill/report/report.json",
        "logs": f"{output}/_scoremill/logs/{CHILD}/",
    }
    assert json.loads(Path(last["outputs"]["report"]).read_text())["scored"] == 2000
    assert verify(str(output)).totals.scored == 2000
    progress = statuses[-1]["progress"]
    assert progress["attempt"] == 2
    assert progress["partitions"] == {"total": last["partitions"], "done": last["partitions"], "resumed": 0}
    assert progress["rows"]["done"] == 2000
    assert progress["summary"] == f"{last['partitions']}/{last['partitions']}"
    assert "t0ken" not in err


def test_complete_run_reports_the_same_result_again(spec, tmp_path):
    first = drive(spec, tmp_path)[1]
    code, last, err = drive(spec, tmp_path)
    assert (code, last) == (0, first), err


def test_spec_with_another_hash_is_refused_and_nothing_is_written(spec, tmp_path):
    with serving(spec) as api:
        code, last, err = Pod(api, tmp_path).run(SCOREMILL_SPEC="0" * 64)
    assert (code, last["exitCode"], last["error"]) == (2, 2, "UsageError")
    assert "has changed" in last["message"] and last["message"] in err
    assert not (tmp_path / "out").exists()


def test_suspend_is_not_part_of_the_hash(spec, tmp_path):
    with serving(spec) as api:
        pod = Pod(api, tmp_path)
        api.job["spec"] = {**spec, "suspend": True}
        assert pod.run()[0] == 0


def test_deleted_job_exits_with_6(spec, tmp_path):
    with serving(spec) as api:
        code, last, _ = Pod(api, tmp_path).run(SCOREMILL_JOB="other")
    assert (code, last["exitCode"]) == (6, 6)
    assert "ScoringJob other not found" in last["message"]


def test_forbidden_status_update_does_not_fail_the_run_and_is_reported_once(spec, tmp_path):
    with serving(spec) as api:
        api.refused = True
        code, last, err = Pod(api, tmp_path).run()
    assert (code, last["exitCode"]) == (0, 0), err
    assert err.count("could not update status.progress") == 1
    assert "Traceback" not in err


def test_status_is_not_written_to_a_new_job_of_the_same_name(tmp_path):
    with serving({}) as api:
        kube = connect(str(api.kubeconfig(tmp_path)))
        with pytest.raises(Conflict, match="created again"):
            kube.apply_status("ScoringJob", "tips", {"progress": {}}, manager="scoremill-driver", uid="deleted")
        assert not api.statuses


@pytest.mark.parametrize(("others", "written", "ends"), [(2, 1, nullcontext()), (99, 0, pytest.raises(Conflict))])
def test_status_update_is_retried_if_others_change_the_job(others, written, ends, tmp_path):
    with serving({}) as api, ends:
        api.others = others
        kube = connect(str(api.kubeconfig(tmp_path)))
        kube.apply_status("ScoringJob", "tips", {"progress": {}}, manager="scoremill-driver", uid="0f3a")
    assert len(api.statuses) == written


def test_exceeded_reject_limit_exits_with_4_and_names_the_objects(spec, tmp_path):
    rows = trips(200).astype({"distance": "str"})
    rows.loc[3, "distance"] = "x"
    rows.to_csv(tmp_path / "in.csv", index=False)
    code, last, err = drive({**spec, "errors": {"maxRows": 0}}, tmp_path)
    assert (code, last["exitCode"], last["error"]) == (4, 4, "RejectLimitError"), err
    assert "hint" in last
    (failure,) = last["failedObjects"]
    assert failure["uri"].endswith("in.csv") and "distance" in failure["message"]


def test_termination_message_omits_reasons_if_raw_rows_are_omitted(spec, tmp_path):
    rows = trips(200).astype({"distance": "str"})
    rows.loc[3, "distance"] = "private"
    rows.to_csv(tmp_path / "in.csv", index=False)
    code, last, _ = drive({**spec, "errors": {"maxRows": 0, "raw": "Omit"}}, tmp_path)
    assert code == 4
    assert "failedObjects" not in last and "private" not in json.dumps(last)


def test_inputs_that_do_not_fit_exit_with_3_and_are_listed(spec, tmp_path):
    trips(10).drop(columns="distance").to_csv(tmp_path / "in.csv", index=False)
    code, last, err = drive(spec, tmp_path)
    assert (code, last["exitCode"]) == (3, 3), err
    assert last["failedObjects"][0]["uri"].endswith("in.csv")


@pytest.fixture(params=["in-process", "a scheduler"])
def slow_place(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The environment of a slow run, in process or on a scheduler."""
    slow = {SECONDS: "0.02"}
    if request.param == "in-process":
        yield slow
        return
    with LocalCluster(**LOCAL, env=slow) as cluster:
        yield {"SCOREMILL_CLUSTER": cluster.scheduler_address}


def test_sigterm_keeps_completed_partitions_and_releases_the_lease(slow_place, tmp_path):
    (tmp_path / "in.csv").write_bytes(slow_rows(1500, {}))
    spec = {
        "model": {"uri": slow_bundle(tmp_path)},
        "input": {"uris": [str(tmp_path / "in.csv")], "partitionBytes": 1024},
        "output": {"uri": str(tmp_path / "out")},
    }
    with serving(spec) as api:
        pod = Pod(api, tmp_path)
        with pod.running(**slow_place) as process:
            api.wait_for_partitions(1)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=30)
        assert process.returncode == 130, err
        assert pod.last()["exitCode"] == 130
        assert "Traceback" not in err
        done = api.statuses[-1]["progress"]["partitions"]["done"]
        code, last, err = pod.run()
    assert (code, last["rows"]["scored"]) == (0, 1500), err
    assert f"resuming: {done} of " in err
    assert "waiting:" not in err, "the lease was not released"


@pytest.mark.parametrize("mode", ["ErrorIfExists", "Overwrite"])
def test_next_attempt_resumes_the_run_of_its_job_in_any_mode(mode, tmp_path):
    (tmp_path / "in.csv").write_bytes(slow_rows(1500, {}))
    spec = {
        "model": {"uri": slow_bundle(tmp_path)},
        "input": {"uris": [str(tmp_path / "in.csv")], "partitionBytes": 1024},
        "output": {"uri": str(tmp_path / "out"), "mode": mode},
    }
    with serving(spec) as api:
        pod = Pod(api, tmp_path)
        with pod.running(**{SECONDS: "0.02"}) as process:
            api.wait_for_partitions(1)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=180)
        done = api.statuses[-1]["progress"]["partitions"]["done"]
        code, last, err = pod.run()
        assert (code, last["rows"]["scored"]) == (0, 1500), err
        assert f"resuming: {done} of " in err
        # The attempt that completed the run was lost before it could report that.
        before = (tmp_path / "out/_scoremill/manifest.json").read_bytes()
        assert pod.run()[0] == 0
        assert (tmp_path / "out/_scoremill/manifest.json").read_bytes() == before


def test_another_job_of_the_same_name_follows_its_mode_for_an_existing_output(spec, tmp_path):
    assert drive(spec, tmp_path)[0] == 0
    for mode, expected in ("ErrorIfExists", 2), ("Overwrite", 0):
        before = (tmp_path / "out/_scoremill/job.json").read_bytes()
        with serving({**spec, "output": {**spec["output"], "mode": mode}}) as api:
            api.job["metadata"]["uid"] = f"another that would {mode}"
            code, _, err = Pod(api, tmp_path).run()
        assert code == expected, err
        assert ((tmp_path / "out/_scoremill/job.json").read_bytes() == before) == (mode == "ErrorIfExists")
    assert "resuming" not in err


def test_overwriting_job_starts_over_if_its_earlier_attempt_cannot_be_resumed(spec, tmp_path):
    spec["output"]["mode"] = "Overwrite"
    assert drive(spec, tmp_path)[0] == 0
    trips(300, seed=9).to_csv(tmp_path / "in.csv", index=False)
    code, last, err = drive(spec, tmp_path)
    assert (code, last["rows"]["scored"]) == (0, 300), err
    assert verify(str(tmp_path / "out")).totals.scored == 300


def test_score_command_follows_the_mode_for_the_output_of_a_driver(spec, tmp_path):
    spec["output"]["mode"] = "ErrorIfExists"
    with serving(spec) as api:
        assert Pod(api, tmp_path).run()[0] == 0
        (tmp_path / "job.json").write_text(json.dumps(api.job))
    code, _, err = run("score", tmp_path / "job.json", "--cluster", "in-process")
    assert (code, "exists already" in err) == (2, True), err


def test_persist_loads_the_input_once_for_all_attempts(spec, tmp_path, bundle):
    with LocalCluster(**LOCAL) as cluster:
        place = {"SCOREMILL_CLUSTER": cluster.scheduler_address}
        with serving({**spec, "persist": True, "output": {**spec["output"], "mode": "ErrorIfExists"}}) as api:
            code, last, err = Pod(api, tmp_path).run(**place)
            assert (code, last["rows"]["scored"]) == (0, 2000), err
            assert "into the memory of the cluster" in err
            assert Pod(api, tmp_path).run(**place)[0] == 0, "the job refuses its own output"
        again = {**spec, "persist": True, "output": {"uri": str(tmp_path / "again")}}
        with serving(again) as api:
            code, last, err = Pod(api, tmp_path).run(**place)
        assert (code, last["rows"]["scored"]) == (0, 2000), err
        assert "into the memory of the cluster" not in err
    assert verify(str(tmp_path / "again")).totals.scored == 2000


@pytest.mark.parametrize(
    "command", [["job", "list"], ["job", "status", "x"], ["job", "cancel", "x"], ["schedule", "list"]]
)
def test_missing_custom_resource_definitions_are_reported_with_a_hint(command, spec, tmp_path):
    with serving(spec) as api:
        code, out, err = run(*command, environment={"KUBECONFIG": str(api.kubeconfig(tmp_path))})
    assert (code, out) == (6, "")
    assert "this Kubernetes cluster has no scoring" in err and "Install the chart" in err
