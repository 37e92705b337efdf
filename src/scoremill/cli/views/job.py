"""A ScoringJob as lines for people, fields for programs, and the exit code of `job wait`."""

from __future__ import annotations

from collections.abc import Iterator

from scoremill.kubernetes.api import Object
from scoremill.kubernetes.job import Job, waiting
from scoremill.spec.resources.status import JobProgress, JobStatus
from scoremill.units import format_seconds

TITLES = ["NAME", "PHASE", "PROGRESS", "ROWS", "REJECTED", "WORKERS", "AGE"]


def document(job: Job) -> Object:
    """Return the fields of the JSON output."""
    spec = job.resource.spec
    return {
        "name": job.name,
        "namespace": job.namespace,
        "phase": job.phase,
        "age": round(job.age),
        "suspend": bool(spec.get("suspend")),
        "model": spec["model"]["uri"],
        "output": job.output,
        "status": job.status.fields(),
    }


def row(job: Job) -> list[str]:
    """A line of the table below TITLES."""
    done, rejected = _rows(job.status)
    progress = job.status.progress
    return [
        job.name,
        job.phase,
        _summary(progress) if progress else "",
        _number(done),
        _number(rejected),
        _workers(job.status),
        format_seconds(job.age),
    ]


def lines(job: Job) -> Iterator[str]:
    """Yield the lines of text that describe a job."""
    status, spec = job.status, job.resource.spec
    attempt = f", attempt {status.attempt}" if status.attempt and status.attempt > 1 else ""
    yield f"{job.name} in {job.namespace}: {job.phase}{attempt}, made {format_seconds(job.age)} ago"
    yield f"model     {spec['model']['uri']}"
    yield f"output    {job.output}"
    if status.rows:
        yield (
            f"rows      {status.rows.total or 0:,} = {status.rows.scored or 0:,} scored + "
            f"{status.rows.rejected or 0:,} rejected"
        )
    elif status.progress and status.progress.partitions:
        yield f"progress  {progress_text(status.progress if status.phase == 'Running' else _at_rest(status.progress))}"
    if status.cluster and status.cluster.name and not status.is_finished:
        yield f"cluster   {status.cluster.name}, {_workers(status) or 'no'} workers"
    if waits := waiting(job):
        yield f"waits for {waits}"
    if status.driver and status.driver.pod:
        yield f"driver    {status.driver.pod}"
    if status.failure:
        yield f"failure   {status.failure.reason}: {status.failure.message}"
        if status.failure.hint:
            yield f"hint      {status.failure.hint}"
    for failed in status.failed_objects:
        if (text := f"{failed.uri}: {failed.message}") not in ((status.failure and status.failure.message) or ""):
            yield f"          {text}"
    for name, uri in (status.outputs.fields() if status.outputs else {}).items():
        yield f"{name:<10}{uri}"
    for note in status.progress.notes if status.progress else ():
        yield f"note      {note}"


def progress_text(progress: JobProgress) -> str:
    """The figures in one line, as the progress bar has them."""
    rows = progress.rows
    return ", ".join(
        text
        for text, value in (
            (f"{_summary(progress)} partitions", _summary(progress)),
            (f"{rows.done if rows else 0:,} rows", rows and rows.done is not None),
            (f"{progress.rows_per_second or 0:,.0f} rows/s", progress.rows_per_second),
            (f"{rows.rejected if rows else 0:,} rejected", rows and rows.rejected is not None),
            (f"{progress.workers} workers", progress.workers),
            (f"{format_seconds(progress.eta_seconds or 0)} left", progress.eta_seconds),
        )
        if value
    )


def summary(job: Job) -> str:
    """The last line of a complete job, as `scoremill score` prints it."""
    rows = job.status.rows
    scored, rejected = (rows.scored or 0, rows.rejected or 0) if rows else (0, 0)
    return f"{scored:,} rows scored, {rejected:,} rejected in {job.output}"


def _rows(status: JobStatus) -> tuple[int | None, int | None]:
    if status.rows:
        return status.rows.total, status.rows.rejected
    rows = status.progress.rows if status.progress else None
    return (rows.done, rows.rejected) if rows else (None, None)


def _workers(status: JobStatus) -> str:
    workers = status.cluster.workers if status.cluster else None
    if workers is None or status.is_finished:
        return ""
    return f"{workers.ready or 0}/{workers.wanted}" if workers.wanted is not None else str(workers.ready or 0)


def _summary(progress: JobProgress) -> str:
    return str(progress.fields().get("summary", ""))


def _at_rest(progress: JobProgress) -> JobProgress:
    """The figures without those that only hold while a driver scores."""
    return progress.model_copy(update={"rows_per_second": None, "eta_seconds": None, "workers": None})


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
