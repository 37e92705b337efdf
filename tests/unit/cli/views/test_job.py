"""Lines and exit codes of the ScoringJobs in jobs/*.yaml, and what a follower prints of a series of them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml

from scoremill import events
from scoremill.cli.views.job import TITLES, document, lines, row, summary
from scoremill.errors import ScoremillError
from scoremill.kubernetes.follow import Follower
from scoremill.kubernetes.job import Job, refuse_failed
from scoremill.kubernetes.objects import Resource
from scoremill.spec.resources.status import REASON_OF_CODE, Reason

NOW = dt.datetime(2026, 11, 21, 3, tzinfo=dt.UTC)
CASES = sorted((Path(__file__).parent / "jobs").glob("*.yaml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_lines_of_a_job(path: Path) -> None:
    case = yaml.safe_load(path.read_text())
    job = Job(Resource.of(case["job"]), NOW)
    assert row(job) == case["row"] and len(row(job)) == len(TITLES)
    assert list(lines(job)) == case["lines"]
    assert document(job)["phase"] == case["row"][1]
    if "ends" in case:
        assert ending(job) == (case["ends"]["code"], case["ends"]["says"])


def ending(job: Job) -> tuple[int, str]:
    try:
        refuse_failed(job)
    except ScoremillError as error:
        return error.exit_code, str(error)
    return 0, summary(job)


def a_job(**status: Any) -> Job:
    made = yaml.safe_load(CASES[0].read_text())["job"]
    return Job(Resource.of({**made, "status": status}), NOW)


@pytest.mark.parametrize("code", sorted(REASON_OF_CODE))
def test_a_failed_job_ends_as_the_run_would_have_ended(code: int) -> None:
    failure = {"reason": REASON_OF_CODE[code], "message": "m", "exitCode": code}
    assert ending(a_job(phase="Failed", failure=failure))[0] == code


@pytest.mark.parametrize(
    ("reason", "code", "ends"),
    [
        (Reason.DRIVER_FAILED, 1, 1),
        (Reason.DRIVER_OUT_OF_MEMORY, 137, 6),
        (Reason.DRIVER_LOST, None, 6),
        (Reason.PRE_RUNNING_DEADLINE, None, 6),
        (Reason.NO_PROGRESS, None, 6),
        (Reason.SPEC_CHANGED, None, 2),
        (Reason.INVALID_SPEC, None, 2),
    ],
)
def test_failures_that_no_run_ends_with_have_codes_too(reason: Reason, code: int | None, ends: int) -> None:
    failure = {"reason": str(reason), "message": "m"} | ({} if code is None else {"exitCode": code})
    assert ending(a_job(phase="Failed", failure=failure)) == (ends, f"job tips failed: {reason}: m")


def figures(attempt: int, done: int, **more: Any) -> dict[str, Any]:
    return {
        "attempt": attempt,
        "partitions": {"total": 8, "done": done},
        "rows": {"total": 80, "done": 10 * done},
        **more,
    }


def test_follower_prints_only_what_is_new() -> None:
    series: list[tuple[dict[str, Any], list[events.Event]]] = [
        ({"phase": "Pending"}, [events.Note("Pending")]),
        ({"phase": "Pending"}, []),
        (
            {"phase": "Planning", "cluster": {"waiting": "DriverStarts: the driver's pod is starting"}},
            [events.Note("Planning: DriverStarts: the driver's pod is starting")],
        ),
        ({"phase": "Planning"}, [events.Note("Planning")]),
        (
            {"phase": "Starting", "cluster": {"waiting": "Pulling: an image"}},
            [events.Note("Starting: Pulling: an image")],
        ),
        (
            {"phase": "Running", "cluster": {"waiting": "Starting: the driver"}},
            [events.Note("Running: Starting: the driver")],
        ),
        ({"phase": "Running"}, [events.Note("Running")]),
        (
            {"phase": "Running", "progress": figures(1, 2, workers=3)},
            [events.Started(8, 2, 20, 0, 80), events.Progress(2, 20, 0, 0, 3)],
        ),
        ({"phase": "Running", "progress": figures(1, 2, workers=3)}, []),
        (
            {"phase": "Running", "progress": figures(1, 4, workers=2, notes=["a worker is lost"])},
            [events.Note("a worker is lost"), events.Progress(4, 40, 0, 0, 2)],
        ),
        (
            {"phase": "Running", "progress": figures(1, 5, workers=2, notes=["a worker is lost"])},
            [events.Progress(5, 50, 0, 0, 2)],
        ),
        (
            {"phase": "Running", "progress": figures(2, 4, workers=2)},
            [events.Started(8, 4, 40, 0, 80), events.Progress(4, 40, 0, 0, 2)],
        ),
        ({"phase": "Complete", "progress": figures(2, 8, workers=2)}, [events.Progress(8, 80, 0, 0, 2)]),
    ]
    follower = Follower()
    for status, expected in series:
        assert list(follower.news(a_job(**status))) == expected, status
