"""The driver's log in the output: what its stderr was, at every end, and in nobody's way."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from scoremill import score, verify
from scoremill.cli.views.display import say
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

MADE = {"metadata": {"name": "tips", "uid": "0f3a"}}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


@pytest.fixture
def spec(bundle: str, tmp_path: Path) -> dict[str, Any]:
    return trip_spec(bundle, tmp_path, 500)


def logs(output: Path) -> dict[str, str]:
    """All logs in the output, by the names of their folders and objects."""
    found = sorted((output / "_scoremill/logs").rglob("*.log"))
    return {f"{path.parent.name}/{path.name}": path.read_text() for path in found}


def drive(spec: dict[str, Any], folder: Path, uid: str = "0f3a", **environment: str) -> tuple[int, Last, str]:
    with serving(spec) as api:
        api.uid = uid
        return Pod(api, folder).run(**environment)


def test_a_driver_removes_the_logs_that_its_job_does_not_keep(spec: dict[str, Any], tmp_path: Path) -> None:
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


def test_it_is_what_kubectl_logs_shows(spec: dict[str, Any], tmp_path: Path) -> None:
    code, last, err = drive(spec, tmp_path)
    ((name, text),) = logs(tmp_path / "out").items()
    assert (code, text) == (0, err)
    assert name.startswith(f"{CHILD}/00002-2") and name.endswith("Z.log")
    assert "attempt 2 of scoring/tips" in text
    assert last["outputs"]["logs"] == f"{tmp_path}/out/_scoremill/logs/{CHILD}/"


def test_log_of_a_failure_holds_its_error_and_hint(spec: dict[str, Any], tmp_path: Path) -> None:
    trips(10).drop(columns="distance").to_csv(tmp_path / "in.csv", index=False)
    code, last, err = drive(spec, tmp_path)
    (text,) = logs(tmp_path / "out").values()
    assert (code, text) == (3, err) and last["message"] in text and last["hint"] in text
    assert last["outputs"] == {"logs": f"{tmp_path}/out/_scoremill/logs/{CHILD}/"}


def test_sigterm_leaves_it_whole(tmp_path: Path) -> None:
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


def test_a_store_that_refuses_it_harms_nothing_and_is_told_once(spec: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "out/_scoremill").mkdir(parents=True)
    (tmp_path / "out/_scoremill/logs").touch()
    code, last, err = drive(spec, tmp_path)
    assert (code, last["rows"]["scored"]) == (0, 500), err
    assert "logs" not in last["outputs"]
    assert err.count("could not write this log to the output") == 1 and "Traceback" not in err


def test_no_secret_of_the_environment_gets_into_it(spec: dict[str, Any], tmp_path: Path) -> None:
    lost = {**spec, "model": {"uri": str(tmp_path / "hidden-hidden-hidden")}}
    _, _, err = drive(lost, tmp_path, API_TOKEN="hidden-hidden-hidden")
    (text,) = logs(tmp_path / "out").values()
    assert "hidden-hidden-hidden" in err and "hidden" not in text and f"{tmp_path}/***" in text


def test_it_is_written_meanwhile_where_something_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_log, "WRITE_SECONDS", 0.02)
    job: ScoringJob = make_job("m", "in.csv", str(tmp_path / "out"))
    last = TerminationMessage(tmp_path / "last")
    with DriverLog(last.report_logs, say) as log:
        log.keep(job, MADE, 1)
        for text in ("first", "second"):
            say(text)
            assert until(lambda text=text: any(text in kept for kept in logs(tmp_path / "out").values()), 30)
    assert [*logs(tmp_path / "out").values()] == ["first\nsecond\n"]
    told = {"outputs": {"logs": f"{tmp_path}/out/_scoremill/logs/{CHILD}/"}}
    assert json.loads((tmp_path / "last").read_text()) == told, "for who finds that it was killed"
    last.write({"exitCode": 3})
    assert json.loads((tmp_path / "last").read_text()) == {"exitCode": 3, **told}


def test_sigterm_has_it_written_at_once(tmp_path: Path) -> None:
    with DriverLog(TerminationMessage(tmp_path / "last").report_logs, say) as log:
        log.keep(make_job("m", "in.csv", str(tmp_path / "out")), MADE, 1)
        say("what hangs now")
        log.hurry()
        assert until(lambda: logs(tmp_path / "out"), 30)


def test_logs_are_in_nobodys_way_and_two_jobs_on_one_output_keep_theirs(spec: dict[str, Any], tmp_path: Path) -> None:
    output, store = tmp_path / "out", Store(str(tmp_path / "out"))
    # One that failed before anything was begun, then another of its name.
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
    target.write(f"_scoremill/logs/{CHILD}/00001-20261121T030000Z.log", b"of a job that began nothing")
    compact(store, target, 1000)
    assert verify(target.uri).totals.scored == 800
