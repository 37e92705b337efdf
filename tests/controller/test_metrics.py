"""Metrics of jobs."""

from __future__ import annotations

from typing import Any

from scoremill.kubernetes.objects import Resource
from scoremill_operator.metrics import PARTITIONS, REJECTED, ROWS, Jobs


def counted() -> list[float]:
    return [counter._value.get() for counter in (ROWS, REJECTED, PARTITIONS)]


def observe(jobs: Jobs, uid: str, progress: dict[str, Any], **status: Any) -> None:
    fields = {"phase": "Running", "progress": progress, **status}
    jobs.note("tips", Resource("ScoringJob", "tips", uid=uid, status=fields))


def done(rows: int, rejected: int = 0, partitions: int = 0) -> dict[str, Any]:
    return {"rows": {"done": rows, "rejected": rejected}, "partitions": {"done": partitions}}


def test_rows_are_counted_once_however_often_attempts_and_listings_tell_of_them() -> None:
    jobs, before = Jobs(), counted()
    for progress in (done(0), done(500, 5, 50), {"attempt": 2}, done(500, 5, 50), done(400, 4, 40), done(600, 6, 60)):
        observe(jobs, "u1", progress)
    observe(jobs, "u1", done(600, 6, 60), phase="Complete", rows={"total": 700, "rejected": 7})
    assert [now - was for now, was in zip(counted(), before, strict=True)] == [700, 7, 60]


def test_recreated_job_is_counted_from_zero() -> None:
    jobs, before = Jobs(), counted()
    observe(jobs, "u1", done(0))
    observe(jobs, "u1", done(500))
    observe(jobs, "u2", {})
    observe(jobs, "u2", done(300))
    assert counted()[0] - before[0] == 800
