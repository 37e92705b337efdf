"""A report for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scoremill.units import counted, format_bytes, format_seconds

from .build import Report


def as_text(report: Report) -> str:
    """The report as aligned lines."""
    return "\n".join(f"{name:<12}{value}" for name, value in _lines(report))


def _stages(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{stage} {format_seconds(each)}" for stage, each in seconds.items())


def _lines(report: Report) -> Iterator[tuple[str, str]]:
    yield "job", report.name
    yield "output", report.output
    completed = f", completed {report.completed}" if report.completed else ""
    yield "state", f"{report.state}; started {report.started}{completed}"
    yield "model", f"{report.bundle[:19]}…, {report.method}"
    repeated = f"; {counted(report.repeated, 'retry', 'retries')}" if report.repeated else ""
    yield "partitions", f"{report.partitions_done:,} of {report.partitions:,} completed{repeated}"
    rows = f"{report.rows:,} = {report.scored:,} scored + {report.rejected:,} rejected"
    yield "rows", f"{rows}; {format_bytes(report.bytes)}"
    workers, runs = counted(report.workers, "process", "processes"), counted(report.drivers, "run", "runs")
    yield "workers", f"{workers} in {runs}; peak memory {format_bytes(report.peak_memory)}"
    if report.run_seconds:
        yield "time", f"{format_seconds(sum(report.run_seconds.values()))}: {_stages(report.run_seconds)}"
    idle = {"idle": report.idle_seconds} if report.idle_seconds else {}
    yield (
        "of workers",
        f"{_stages({**report.busy_seconds, **idle})}; {report.rows_per_busy_second:,.0f} rows/s per worker",
    )
    slowest = ", ".join(f"{number} ({format_seconds(seconds)})" for number, seconds in report.slowest)
    yield "slowest", f"partitions {slowest}; median {format_seconds(report.median_seconds)}"
    if report.parity["rows"]:
        yield "parity", f"{report.parity['rows']:,} rows scored by the original model as well, with equal results"
    for title, counts in (("rejected", report.reasons), ("unseen", report.unseen)):
        for at, (name, rejected) in enumerate(counts.items()):
            yield "" if at else title, f"{rejected:,} in {name}"
    for at, row in enumerate(report.rejects):
        yield "" if at else "such as", str(row)
    for at, file in enumerate(report.rejected_files):
        yield "" if at else "unreadable", f"{file.file}: {file.reason}"
    for warning in report.warnings:
        yield "warning", warning
