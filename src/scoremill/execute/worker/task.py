"""The task: read → predict → write by batches. One top-level picklable function; memory is one batch."""

from __future__ import annotations

import os
import socket
import time
from functools import cache

from scoremill.bundle import limit_threads
from scoremill.bundle.threads import keep_memory
from scoremill.ledger import Receipt

from .inputs import Opened, open_partition
from .outputs import PartFiles
from .peak import peak_memory
from .scoring import Clock, Counts, scored_batches
from .work import Task


def score_partition(task: Task) -> Receipt:
    """Scores one partition, publishes its part (and its rejects, if any), and tells what was done.

    Its only effects are those objects, whole or not at all, under names that depend on the partition alone.
    """
    return score_opened(task, open_partition(task.work, task.partition))


def score_opened(task: Task, opened: Opened) -> Receipt:
    """The same for a partition whose rows come from `opened`."""
    if limit_threads():
        # A process of its own: Dask's worker.
        keep_memory()
    work, partition = task.work, task.partition
    clock, counts = Clock(), Counts()
    with clock("write"):
        outputs = PartFiles(task)
    with outputs:
        batches = scored_batches(work, opened, clock, counts, model_works=task.model_works, first_line=task.first_line)
        for scored in batches:
            with clock("write"):
                outputs.write(scored.table)
                outputs.reject(scored.rejects, opened)
        with clock("write"):
            outputs.list_files(task.unreadable)
            outputs.publish()
    return Receipt(
        number=partition.number,
        id=partition.id,
        rows=counts.scored + counts.rejected,
        scored=counts.scored,
        rejected=counts.rejected,
        parts=outputs.parts,
        errors=outputs.errors,
        files=outputs.files,
        rejected_files=tuple(piece.source.uri for piece in partition.pieces if piece.rejected),
        lines=tuple(tally.lines for tally in opened.tallies),
        quotes=sum(tally.quotes for tally in opened.tallies),
        irregular=tuple(at for at, tally in enumerate(opened.tallies) if tally.irregular),
        unseen=dict(counts.unseen),
        reasons=dict(counts.reasons),
        seconds={stage: round(seconds, 6) for stage, seconds in clock.seconds.items()},
        left_out=opened.left_out,
        first_line=task.first_line,
        begun=task.attempt + 1,
        peak_memory=peak_memory(),
        worker=f"{_host()}:{os.getpid()}",
        ended=time.time(),
    )


@cache
def _host() -> str:
    return socket.gethostname()
