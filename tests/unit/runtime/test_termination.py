"""What a driver reports while it runs and when it ends."""

from __future__ import annotations

import json

import pytest

from scoremill import events
from scoremill.errors import RejectLimitError, ScoremillError, UsageError
from scoremill.runtime.figures import NOTE_LENGTH, NOTES, Figures
from scoremill.runtime.termination import LIMIT, as_message, exit_code, failed

LONG = "".join(chr(0x1F600 + at % 64) for at in range(3000)) + '"\n\0' * 2000


@pytest.mark.parametrize(
    ("message", "hint", "failures"),
    [
        ("short", None, 0),
        (LONG, None, 0),
        ("short", LONG, 0),
        (LONG, LONG, 0),
        ("short", "hint", 200),
        (LONG, LONG, 200),
    ],
)
def test_termination_message_is_json_below_the_kubernetes_limit(message: str, hint: str | None, failures: int) -> None:
    found = [{"uri": f"s3://b/{at}.csv", "message": "x" * 200} for at in range(failures)]
    data = as_message(failed(UsageError(message, hint), found))
    reported = json.loads(data.decode())
    assert len(data) < LIMIT
    assert reported["exitCode"] == 2 and reported["message"][:20] == message[:20]
    assert reported.get("failedObjects", []) == found[: len(reported.get("failedObjects", []))]
    if failures and message == "short":
        assert len(reported["failedObjects"]) > 10
    assert len(found) == failures, "the argument is not changed"


def test_termination_message_drops_the_last_outputs_if_uris_are_long() -> None:
    outputs = {name: f"s3://b/{'x' * 1100}/{name}" for name in ("manifest", "errors", "report", "logs")}
    data = as_message({"exitCode": 0, "outputs": outputs})
    assert len(data) < LIMIT and json.loads(data)["outputs"].keys() == {"manifest", "errors", "report"}
    failed_too = as_message(failed(UsageError(LONG, LONG), []) | {"outputs": {"logs": outputs["logs"]}})
    assert len(failed_too) < LIMIT and json.loads(failed_too)["outputs"] == {"logs": outputs["logs"]}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RejectLimitError("m"), 4),
        (ScoremillError("m"), 1),
        (KeyboardInterrupt(), 130),
        (SystemExit(9), 9),
        (SystemExit("words"), 1),
        (SystemExit(0), 1),
        (ZeroDivisionError("m"), 1),
    ],
)
def test_every_error_has_an_exit_code(error: BaseException, code: int) -> None:
    reported = failed(error, [])
    assert (exit_code(error), reported["exitCode"]) == (code, code)
    assert reported["message"] and reported["error"] == type(error).__name__


def test_speed_and_remaining_time_ignore_resumed_partitions() -> None:
    now = [100.0]
    figures = Figures(3, clock=lambda: now[0])
    assert figures.progress().fields().keys() == {"attempt", "stage", "notes", "updateTime"}
    figures.take(events.Started(partitions=10, done=4, rows_done=400, bytes=0, estimated_rows=900))
    started = figures.progress()
    assert started.stage == "Planning"
    assert started.rows_per_second is None and started.eta_seconds is None and started.progress_time is not None
    now[0] += 20
    figures.take(events.Progress(partitions=6, rows=600, rejected=1, bytes=0, workers=2))
    reported = figures.progress().fields()
    assert reported["partitions"] == {"total": 10, "done": 6, "resumed": 4} and reported["summary"] == "6/10"
    assert reported["rows"] == {"total": 900, "done": 600, "rejected": 1}
    assert (reported["rowsPerSecond"], reported["etaSeconds"], reported["workers"]) == (10.0, 40.0, 2)
    assert reported["stage"] == "Scoring", "also if no cluster was waited for"


def test_speed_excludes_the_wait_for_the_cluster() -> None:
    now = [100.0]
    figures = Figures(1, clock=lambda: now[0])
    figures.take(events.Started(partitions=10, done=4, rows_done=400, bytes=0, estimated_rows=900))
    figures.enter("WaitingForCluster")
    asked = figures.progress()
    assert asked.stage == "WaitingForCluster" and asked.progress_time is not None
    now[0] += 500
    figures.enter("Scoring")
    now[0] += 20
    figures.take(events.Progress(partitions=6, rows=600, rejected=0, bytes=0, workers=2))
    assert (figures.progress().stage, figures.progress().rows_per_second) == ("Scoring", 10.0)


def test_completed_rows_never_exceed_total_rows() -> None:
    figures = Figures(1)
    figures.take(events.Started(partitions=2, done=0, rows_done=0, bytes=0, estimated_rows=10))
    figures.take(events.Progress(partitions=1, rows=30, rejected=0, bytes=0, workers=1))
    assert figures.progress().fields()["rows"]["total"] == 30


def test_latest_notes_are_kept_and_truncated() -> None:
    figures = Figures(1)
    for at in range(NOTES + 5):
        figures.take(events.Note(f"{at} " + "x" * 2000))
    figures.take(events.Retrying(number=7, attempt=1, seconds=2.0, reason="the store is slow"))
    notes = figures.progress().notes
    assert len(notes) == NOTES and notes[-1] == "partition 7: the store is slow"
    assert max(map(len, notes)) == NOTE_LENGTH
