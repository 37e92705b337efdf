"""The task: read → predict → write by batches. One top-level picklable function; memory is one batch."""

from __future__ import annotations

import os
import socket
import time
from functools import cache

from scoremill.bundle import LoadedModel, limit_threads
from scoremill.bundle.threads import keep_memory
from scoremill.ledger import Receipt

from .inputs import PartitionReader
from .opened import OpenPartition
from .outputs import PartFiles
from .peak import peak_memory
from .scoring import Counts, Scorer, timed
from .work import Task, Work


def score_partition(task: Task) -> Receipt:
    """Scores one partition, publishes its part (and its rejects, if any), and tells what was done.

    Its only effects are those objects, whole or not at all, under names that depend on the partition alone.
    """
    model = ready(task.work)
    return score_opened(task, model, PartitionReader(task.work.reading(model.bundle.columns), task.partition))


def ready(work: Work) -> LoadedModel:
    """The model of `work`, in a process that computes as a worker does."""
    if limit_threads():
        # A process of its own: Dask's worker.
        keep_memory()
    return work.model.load()


def score_opened(task: Task, model: LoadedModel, opened: OpenPartition) -> Receipt:
    """The same for a partition that is open."""
    partition, counts = task.partition, Counts()
    scorer = Scorer(task.work, model, opened, model_works=task.model_works, first_line=task.first_line)
    begin = time.perf_counter()
    outputs, writing = timed(PartFiles, task, scorer.schema)
    with outputs:
        for scored in scorer.batches():
            _, seconds = timed(outputs.write, scored, opened)
            counts, writing = counts + scored.counts, writing + seconds
        _, seconds = timed(outputs.publish, task.unreadable)
    writing += counts.writing + seconds
    reading = time.perf_counter() - begin - writing - counts.predicting
    stages = {"read": reading, "predict": counts.predicting, "write": writing}
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
        lines=tuple(piece.tally.lines for piece in opened.pieces),
        quotes=opened.quotes.quotes,
        irregular=opened.quotes.irregular,
        unseen=dict(counts.unseen),
        reasons=dict(counts.reasons),
        seconds={stage: round(seconds, 6) for stage, seconds in stages.items()},
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
