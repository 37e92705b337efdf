"""What the ledger of an output records, as one value."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from scoremill.ledger import Ledger, Manifest, Receipt, accounts, parity_of, read_manifest, require_output
from scoremill.planning import read_groups
from scoremill.storage.filesystem import Store
from scoremill.tabular.place import RejectedRow

from .warnings import warnings_of

EXAMPLES = 20
"""Rejected rows in a report."""


@dataclass(frozen=True, slots=True)
class RejectedFile:
    """An input object that could not be read."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """A run so far, or as it ended."""

    output: str
    name: str
    state: str
    """`complete` or `incomplete`."""
    partitions: int
    partitions_done: int
    rows: int
    scored: int
    rejected: int
    bytes: int
    """Total size of the parts, in bytes."""
    started: str
    completed: str | None
    bundle: str
    method: str
    drivers: int
    """Drivers that held the lease, one after another."""
    repeated: int
    """Number of times that a partition was started again or its result was discarded."""
    workers: int
    run_seconds: dict[str, float] = field(default_factory=dict)
    """Over all drivers that were not killed, by stage: `plan`, `lock`, `start`, `score`, `complete`."""
    busy_seconds: dict[str, float] = field(default_factory=dict)
    """Over all workers, by stage: `load`, `read`, `predict`, `write`."""
    idle_seconds: float = 0.0
    """Over all workers while partitions were scored, with what was scored again; 0 if a driver was killed."""
    rows_per_busy_second: float = 0.0
    peak_memory: int = 0
    """The highest peak resident set of a worker, in bytes."""
    median_seconds: float = 0.0
    slowest: tuple[tuple[int, float], ...] = ()
    """The partitions that took longest, and their seconds."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Rejected rows by column; `row` where it was the row."""
    unseen: dict[str, int] = field(default_factory=dict)
    """Values outside the model's categories, by column."""
    rejects: tuple[RejectedRow, ...] = ()
    """The first rejected rows, once the run is complete."""
    rejected_files: tuple[RejectedFile, ...] = ()
    """Input objects that could not be read, once the run is complete."""
    parity: dict[str, int] = field(default_factory=dict)
    """Number of `rows` that the original model scored as well, and number of those that are `different`."""
    warnings: tuple[str, ...] = ()
    """What to hear of a complete run, such as that no row was scored."""


def build_report(store: Store) -> Report:
    """Return the report of the output at `store`. Raise UsageError if no run was started."""
    ledger = Ledger(store)
    document = require_output(store)
    manifest = read_manifest(store)
    every = list(ledger.receipts())
    counted = _counted(every, {entry.part.name for entry in manifest.entries()} if manifest else None)
    seconds = {receipt.number: sum(receipt.seconds.values()) for receipt in counted}
    busy: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    unseen: Counter[str] = Counter()
    for receipt in counted:
        busy.update(receipt.seconds)
        reasons.update(receipt.reasons)
        unseen.update(receipt.unseen)
    runs = accounts(store)
    groups = read_groups(ledger.plan_segments())
    rows = sum(receipt.rows for receipt in counted)
    return Report(
        output=store.uri,
        name=document["name"],
        state="complete" if manifest else "incomplete",
        partitions=groups[-1].first + groups[-1].count if groups else 0,
        partitions_done=len(counted),
        rows=rows,
        scored=sum(receipt.scored for receipt in counted),
        rejected=sum(receipt.rejected for receipt in counted),
        bytes=sum(part.size for receipt in counted for part in receipt.parts),
        started=document["started"],
        completed=manifest.fields["completed"] if manifest else None,
        bundle=document["settings"]["bundle"],
        method=document["settings"]["method"],
        drivers=len(runs),
        repeated=len(every) - len(counted) + sum(receipt.starts - 1 for receipt in every),
        workers=len({receipt.worker for receipt in counted}),
        run_seconds=_run_seconds(runs),
        busy_seconds={stage: round(total, 3) for stage, total in busy.items()},
        idle_seconds=_idle_seconds(runs, sum(busy.values())) if all(runs) else 0.0,
        rows_per_busy_second=round(rows / scoring, 1) if (scoring := sum(busy.values()) - busy["load"]) else 0.0,
        peak_memory=max((receipt.peak_memory for receipt in counted), default=0),
        median_seconds=round(statistics.median(seconds.values()), 3) if seconds else 0.0,
        slowest=tuple(sorted(((n, round(s, 3)) for n, s in seconds.items()), key=lambda item: -item[1])[:5]),
        reasons=dict(reasons.most_common()),
        unseen=dict(unseen.most_common()),
        rejects=tuple(islice(_rejects(store, manifest), EXAMPLES)) if manifest else (),
        rejected_files=tuple(_rejected_files(store, manifest)) if manifest else (),
        parity=parity_of(counted),
        warnings=tuple(warnings_of(manifest.totals)) if manifest else (),
    )


def _run_seconds(runs: list[dict[str, Any]]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for run in runs:
        total.update(run.get("seconds", {}))
    return {stage: round(seconds, 3) for stage, seconds in total.items()}


def _idle_seconds(runs: list[dict[str, Any]], busy: float) -> float:
    there = sum(run["workers"] * run["seconds"].get("score", 0.0) for run in runs)
    return round(max(float(there) - busy, 0.0), 3)


def _rejects(store: Store, manifest: Manifest) -> Iterator[RejectedRow]:
    """Rejected rows in the order of the input."""
    for entry in manifest.entries():
        if entry.kind != "errors":
            continue
        yield from map(RejectedRow.of, entry.part.records(store))


def _rejected_files(store: Store, manifest: Manifest) -> Iterator[RejectedFile]:
    for entry in manifest.entries():
        if entry.kind == "files":
            yield from (RejectedFile(record["file"], record["reason"]) for record in entry.part.records(store))


def _counted(receipts: list[Receipt], published: set[str] | None) -> list[Receipt]:
    """One receipt a partition: of a complete run those that the manifest names, else the last of each number."""
    last: dict[int, Receipt] = {}
    for receipt in receipts:
        if published is None or all(part.name in published for part in receipt.parts):
            last[receipt.number] = receipt
    return [last[number] for number in sorted(last)]
