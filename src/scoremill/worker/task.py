"""The task: read → predict → write in batches. A top-level function that can be pickled; it holds one batch in memory."""

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
    """Score one partition, publish its parts and its rejects (if any), and return the receipt.

    Its only effects are those objects. They appear complete or not at all, under names that depend only on the partition.
    """
    model, loading = timed(ready, task.work)
    opened = PartitionReader(task.work.reading(model.bundle.columns), task.partition)
    return score_opened(task, model, opened, loading)


def ready(work: Work) -> LoadedModel:
    """Return the model of `work`, after setting up this process as a worker."""
    if limit_threads():
        # This is a worker process of Dask.
        keep_memory()
    return work.model.load()


def score_opened(task: Task, model: LoadedModel, opened: OpenPartition, loading: float = 0.0) -> Receipt:
    """Score a partition that is open already; the model took `loading` seconds to load."""
    partition, counts = task.partition, Counts()
    scorer = Scorer(
        task.work, model, opened, model_works=task.model_works, first_line=task.first_line, parity=task.parity
    )
    begin = time.perf_counter()
    outputs, writing = timed(PartFiles, task, scorer.schema)
    with outputs:
        for scored in scorer.batches():
            _, seconds = timed(outputs.write, scored, opened)
            counts, writing = counts + scored.counts, writing + seconds
        _, seconds = timed(outputs.publish, task.unreadable)
    writing += counts.writing + seconds
    reading = time.perf_counter() - begin - writing - counts.predicting
    stages = {"load": loading, "read": reading, "predict": counts.predicting, "write": writing}
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
        compared=counts.compared,
        first_line=task.first_line,
        starts=task.attempt + 1,
        peak_memory=peak_memory(),
        worker=f"{_host()}:{os.getpid()}",
        ended=time.time(),
    )


@cache
def _host() -> str:
    return socket.gethostname()
