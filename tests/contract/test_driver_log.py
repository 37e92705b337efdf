"""The log of a driver in the output is its stderr, however it ends, and does not affect other commands."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from scoremill import score, verify
from scoremill.cli.views.display import say
from scoremill.kubernetes.objects import Resource
from scoremill.outputs.clean import left_overs
from scoremill.outputs.compact import compact
from scoremill.report import build_report
from scoremill.runtime import log as driver_log
from scoremill.runtime.log import DriverLog
from scoremill.runtime.termination import TerminationMessage
from scoremill.spec import ScoringJob, parse_job
from scoremill.storage.filesystem import Store
from tests.cluster.steps import until
from tests.support.api import serving
from tests.support.driver import CHILD, Last, Pod
from tests.support.jobs import make_job, trip_bundle, trip_spec, trips
from tests.support.slow import SECONDS, slow_bundle, slow_rows

MADE = Resource("ScoringJob", "tips", uid="0f3a")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


@pytest.fixture
def spec(bundle: str, tmp_path: Path) -> dict[str, Any]:
    return trip_spec(bundle, tmp_path, 500)


def logs(output: Path) -> dict[str, str]:
    """Return all logs in the output by folder and object name."""
    found = sorted((output / "_scoremill/logs").rglob("*.log"))
    return {f"{path.parent.name}/{path.name}": path.read_text() for path in found}


def drive(spec: dict[str, Any], folder: Path, uid: str = "0f3a", **environment: str) -> tuple[int, Last, str]:
    with serving(spec) as api:
        api.uid = uid
        return Pod(api, folder).run(**environment)


def test_driver_removes_logs_beyond_the_limits_of_its_job(spec: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "out/_scoremill/logs/earlier-1a2b3c4d"
    folder.mkdir(parents=True)
    for day in (1, 2, 3):
        (folder / f"00001-2026010{day}T000000Z.log").write_text("earlier")
    spec["cleanup"] = {"logHistoryLimit": 2, "logRetentionDays": None}
    code, _, err = drive(spec, tmp_path)
    assert code == 0, err
    earlier = {name for name in logs(tmp_path / "out") if name.startswith("earlier")}
    assert earlier == {"earlier-1a2b3c4d/00001-20260103T000000Z.log"}
    assert verify(str(tmp_path / "out")).totals.scored == 500


def test_log_in_the_output_equals_kubectl_logs(spec: dict[str, Any], tmp_path: Path) -> None:
    code, last, err = drive(spec, tmp_path)
    ((name, text),) = logs(tmp_path / "out").items()
    assert (code, text) == (0, err)
    assert name.startswith(f"{CHILD}/00002-2") and name.endswith("Z.log")
    assert "attempt 2 of scoring/tips" in text
    assert last["outputs"]["logs"] == f"{tmp_path}/out/_scoremill/logs/{CHILD}/"


def test_log_of_a_failure_has_its_error_and_hint(spec: dict[str, Any], tmp_path: Path) -> None:
    trips(10).drop(columns="distance").to_csv(tmp_path / "in.csv", index=False)
    code, last, err = drive(spec, tmp_path)
    (text,) = logs(tmp_path / "out").values()
    assert (code, text) == (3, err) and last["message"] in text and last["hint"] in text
    assert last["outputs"] == {"logs": f"{tmp_path}/out/_scoremill/logs/{CHILD}/"}


def test_sigterm_writes_the_complete_log(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(slow_rows(1500, {}))
    spec = {
        "model": {"uri": slow_bundle(tmp_path)},
        "output": {"uri": str(tmp_path / "out")},
        "input": {"uris": [str(tmp_path / "in.csv")], "partitionBytes": 1024},
    }
    with serving(spec) as api:
        pod = Pod(api, tmp_path)
        with pod.running(**{SECONDS: "0.02"}) as process:
            api.wait_for_partitions(1)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert [*logs(tmp_path / "out").values()] == [err] and "Interrupted" in err
    assert pod.last()["outputs"]["logs"].endswith(f"{CHILD}/")


def test_log_that_cannot_be_written_does_not_fail_the_run_and_is_reported_once(
    spec: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "out/_scoremill").mkdir(parents=True)
    (tmp_path / "out/_scoremill/logs").touch()
    code, last, err = drive(spec, tmp_path)
    assert (code, last["rows"]["scored"]) == (0, 500), err
    assert "logs" not in last["outputs"]
    assert err.count("could not write this log to the output") == 1 and "Traceback" not in err


def test_log_has_no_secrets_of_the_environment(spec: dict[str, Any], tmp_path: Path) -> None:
    lost = {**spec, "model": {"uri": str(tmp_path / "hidden-hidden-hidden")}}
    _, _, err = drive(lost, tmp_path, API_TOKEN="hidden-hidden-hidden")
    (text,) = logs(tmp_path / "out").values()
    assert "hidden-hidden-hidden" in err and "hidden" not in text and f"{tmp_path}/***" in text


def test_log_is_written_during_the_run_if_it_has_new_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_log, "WRITE_SECONDS", 0.02)
    job: ScoringJob = make_job("m", "in.csv", str(tmp_path / "out"))
    last = TerminationMessage(tmp_path / "last")
    with DriverLog(last.report_logs, say) as log:
        log.keep(job, MADE, 1)
        for text in ("first", "second"):
            say(text)
            assert until(lambda text=text: any(text in kept for kept in logs(tmp_path / "out").values()), 30)
    assert [*logs(tmp_path / "out").values()] == ["first\nsecond\n"]
    expected = {"outputs": {"logs": f"{tmp_path}/out/_scoremill/logs/{CHILD}/"}}
    assert json.loads((tmp_path / "last").read_text()) == expected, "the log is named even if the driver is killed"
    last.write({"exitCode": 3})
    assert json.loads((tmp_path / "last").read_text()) == {"exitCode": 3, **expected}


def test_sigterm_writes_the_log_immediately(tmp_path: Path) -> None:
    with DriverLog(TerminationMessage(tmp_path / "last").report_logs, say) as log:
        log.keep(make_job("m", "in.csv", str(tmp_path / "out")), MADE, 1)
        say("hanging")
        log.hurry()
        assert until(lambda: logs(tmp_path / "out"), 30)


def test_logs_of_two_jobs_on_one_output_are_kept_and_ignored_by_other_commands(
    spec: dict[str, Any], tmp_path: Path
) -> None:
    output, store = tmp_path / "out", Store(str(tmp_path / "out"))
    # A job that fails before it starts a run, then another of the same name.
    assert drive({**spec, "model": {"uri": str(tmp_path / "none")}}, tmp_path, "1")[0] != 0
    spec["output"]["mode"] = "ErrorIfExists"
    assert drive(spec, tmp_path, "2")[0] == 0
    kept = logs(output)
    assert len(kept) == 2
    trips(300, seed=1).to_csv(tmp_path / "more.csv", index=False)
    spec["input"]["uris"].append(str(tmp_path / "more.csv"))
    for mode in ("Resume", "Overwrite"):
        spec["output"]["mode"] = mode
        score(parse_job({"spec": spec}), cluster="in-process")
        assert verify(str(output)).totals.scored == 800
    assert build_report(store).scored == 800 and not list(left_overs(store))
    assert logs(output) == kept
    target = Store(str(tmp_path / "compact"))
    target.write(f"_scoremill/logs/{CHILD}/00001-20261121T030000Z.log", b"of a job that started no run")
    compact(store, target, 1000)
    assert verify(target.uri).totals.scored == 800
