"""Makes a plan happen: pending = plan − ledger; every receipt recorded, every row accounted for, the manifest last."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from scoremill.errors import (
    ClusterError,
    InputChanged,
    InputError,
    ModelError,
    ObjectError,
    RejectLimitError,
    ScoremillError,
    StorageError,
    UsageError,
)
from scoremill.events import Ended, Event, Note, Progress, Retrying, Started, Watcher
from scoremill.ledger import Lease, Ledger, Manifest, Receipt, Totals, read_manifest, write_manifest
from scoremill.planning import Partition, Plan
from scoremill.spec import ScoringJob
from scoremill.storage.filesystem import output_store

from ..engines.protocol import Engine, Result
from ..worker.numbering import number_lines
from ..worker.work import Task, Work
from .estimate import memory_problem
from .limits import check_deadlines, check_files, told
from .origins import origins
from .output_checks import output_problems
from .prepare import Prepared, prepare, refuse_problems
from .proofs import Outcome, Proofs
from .resume import named_by, settle
from .ship import forget, ship

_LONGEST_PAUSE = 60.0
_EARLIER = "an earlier run could not read it"
_REPORT = "Nothing was declared complete. Please report this with the output's _scoremill folder."


def execute(
    job: ScoringJob,
    engine: Engine,
    watchers: Iterable[Watcher] = (),
    *,
    wait: bool | float = False,
    prepared: Prepared | None = None,
    uid: str | None = None,
) -> Manifest:
    """Scores what `job` asks for and what no earlier run of it has scored; the manifest of the complete output.

    While another driver holds the output's lease it waits, or does so for `wait` seconds, where it is asked to.
    `prepared` is the job as it is prepared, where that is done already. `uid` is that of the ScoringJob on Kubernetes
    of which this is an attempt: it goes on with what an earlier one began, whatever `output.mode` is. Raises the errors
    of scoremill.errors, each with its exit code; what is done by then is kept.
    """
    prepared = prepared or prepare(job)
    refuse_problems(prepared.plan, output_problems(prepared.job, prepared.plan, uid, waits=bool(wait)))
    store = output_store(prepared.job)
    watch = _Watch(tuple(watchers))
    if not store.has_conditional_create:
        watch(Note(f"{store.uri} has no conditional create: nothing keeps two drivers apart"))
    for warning in prepared.bundle.warnings:
        watch(Note(warning))
    for text in prepared.plan.excluded.described():
        watch(Note(f"excluded: {text}"))
    if prepared.job.cluster.memory and (memory := memory_problem(prepared)):
        watch(Note(str(memory)))
    ledger = Ledger(store)
    lease = Lease.acquire(store, wait=wait, waiting=lambda text: watch(Note(f"waiting: {text}")))
    try:
        ledger.hold(lease)
        plan, resumed = settle(ledger, prepared, job, uid)
        return _Run(prepared, plan, ledger, lease, watch, resumed).to_the_end(engine)
    finally:
        lease.release()


class _Watch:
    """Tells every watcher; one that fails ends the run like any other defect."""

    def __init__(self, watchers: tuple[Watcher, ...]) -> None:
        self._watchers = watchers

    def __call__(self, event: Event) -> None:
        for watcher in self._watchers:
            watcher(event)


class _Run:
    """One execution: what is out, what waits, what counts."""

    def __init__(
        self, prepared: Prepared, plan: Plan, ledger: Ledger, lease: Lease, watch: _Watch, resumed: bool
    ) -> None:
        self._job, self._plan, self._ledger, self._lease, self._watch = prepared.job, plan, ledger, lease, watch
        self._work: Work = prepared.work(plan)
        self._bundle = prepared.bundle
        self._resumed = resumed
        self._estimated_rows = prepared.plan.estimated_rows
        self._proofs = Proofs(plan)
        self._again: deque[Task] = deque()
        self._out: dict[tuple[int, str], float] = {}
        self._suspects: list[tuple[Task, ScoremillError]] = []
        self._unreadable: dict[str, str] = {}
        self._done = Totals()
        self._bytes = 0
        self._resume_at = 0.0
        self._failures = 0
        self._started = self._progressed = time.monotonic()

    def to_the_end(self, engine: Engine) -> Manifest:
        """Scores all that is pending and publishes the manifest."""
        self._replay()
        pending = self._tasks()
        first = next(pending, None)
        manifest = read_manifest(self._ledger.store)
        self._watch(
            Started(len(self._plan), self._done.partitions, self._done.rows, self._plan.bytes, self._estimated_rows)
        )
        if first is None and manifest is not None:
            self._ledger.confirm()
            return manifest
        self._check_budget()
        self._ledger.reopen()
        for name in self._ledger.store.sweep():
            self._watch(Note(f"removed a left-over upload: {name}"))
        if first is not None:
            if not engine.shares_files:
                self._work = ship(self._work, self._bundle, self._ledger.store)
            self._again.append(replace(first, work=self._work))
            self._score(engine, pending)
        manifest = self._complete()
        forget(self._ledger.store)
        self._watch(Ended(time.monotonic() - self._started))
        return manifest

    def _score(self, engine: Engine, pending: Iterator[Task]) -> None:
        try:
            with engine:
                # The time in which a cluster starts has a deadline of its own.
                self._progressed = time.monotonic()
                while self._submit(engine, pending):
                    result = engine.take(1.0) if self._out else None
                    for note in engine.notes():
                        self._watch(Note(note))
                    self._lease.check()
                    if result is not None:
                        self._handle(result, engine)
                    self._check_deadlines()
        except BaseException:
            # What ended the run is to be told, not what it led to.
            with suppress(ScoremillError):
                self._ledger.flush()
            raise
        self._ledger.flush()

    def _replay(self) -> None:
        """Takes the receipts of earlier runs whose objects are still there.

        One of irregular quotes never counts, and its objects are gone: it only tells how its file is to be read.
        """
        if not self._resumed:
            return
        there = {name: info.size for name, info in self._ledger.published().items()}
        accepted = self._proofs.replay(
            receipt
            for receipt in self._ledger.latest()
            if receipt.irregular or all(there.get(part.name) == part.size for part in receipt.objects)
        )
        self._count(accepted)
        self._number(accepted)

    def _tasks(self) -> Iterator[Task]:
        return (self._task(partition) for partition in self._proofs.pending())

    def _task(self, partition: Partition) -> Task:
        rejected = [piece.source.uri for piece in partition.pieces if piece.rejected]
        return Task(
            self._work,
            partition,
            may_exist=self._resumed or bool(rejected),
            first_line=self._proofs.first_line(partition.number),
            unreadable=tuple((uri, self._unreadable.get(uri, _EARLIER)) for uri in rejected),
        )

    def _submit(self, engine: Engine, pending: Iterator[Task]) -> bool:
        """Fills the window; whether anything is out or waits."""
        pause = self._resume_at - time.monotonic()
        if pause > 0 and not self._out:
            time.sleep(min(pause, 1.0))
        while pause <= 0 and len(self._out) < engine.window:
            task = self._again.popleft() if self._again else next(pending, None)
            if task is None:
                break
            engine.submit(task)
            self._out[task.partition.number, task.partition.id] = time.monotonic()
        return bool(self._out or self._again or pause > 0)

    def _handle(self, result: Result, engine: Engine) -> None:
        submitted = self._out.pop((result.task.partition.number, result.task.partition.id))
        if result.receipt is None:
            self._take_failure(result, submitted)
            return
        if submitted >= self._resume_at:
            self._failures = 0
        self._progressed = time.monotonic()
        self._ledger.append(result.receipt)
        outcome = self._proofs.take(result.receipt)
        self._again.extend(self._task(partition) for partition in outcome.again)
        self._ledger.discard(outcome.discarded)
        self._count(outcome.accepted)
        self._number(outcome.accepted)
        self._bytes += result.task.partition.size
        for note in outcome.notes:
            self._watch(Note(note))
        self._watch(Progress(self._done.partitions, self._done.rows, self._done.rejected, self._bytes, engine.workers))
        self._check_budget()
        self._judge_suspects()

    def _check_budget(self) -> None:
        # Of rejected rows the bound on what the input holds says nothing: they may be shorter than any good row.
        done = self._done
        self._job.errors.limit.check(done.rejected, done.rows, max(self._plan.most_rows + done.rejected, done.rows))
        check_files(self._job.errors, self._done, len(self._plan.sources))

    def _count(self, receipts: list[Receipt], sign: int = 1) -> None:
        more, done = Totals.of(receipts), self._done
        self._done = Totals(*(getattr(done, name) + sign * getattr(more, name) for name in Totals.__slots__))

    def _number(self, accepted: Iterable[Receipt]) -> None:
        """Gives the rejected rows of these partitions the lines of their file, now that those are known."""
        for receipt in accepted:
            first_line = self._proofs.first_line(receipt.number)
            if receipt.errors and first_line > 1 and not receipt.first_line:
                numbered = number_lines(self._ledger.store, receipt, first_line)
                self._ledger.append(numbered)
                self._proofs.replace(numbered)

    def _take_failure(self, result: Result, submitted: float) -> None:
        """Puts the task back if its failure may pass, or may mean nothing; raises the error otherwise."""
        error, task = result.error, result.task
        if error is None:
            raise ScoremillError("a task ended with neither receipt nor error")
        if isinstance(error, StorageError | OSError) and task.attempt < self._job.retry.partition_retries:
            self._retry(task, error, submitted)
        elif isinstance(error, InputError | ModelError | RejectLimitError) and not isinstance(error, InputChanged):
            self._suspects.append((task, error))
            self._judge_suspects()
        else:
            raise told(error, task)

    def _retry(self, task: Task, error: BaseException, submitted: float) -> None:
        """Lets the whole run rest, longer each time; what was out when a rest began is a part of the same outage."""
        now = time.monotonic()
        if submitted >= self._resume_at:
            self._failures += 1
            self._resume_at = now + min(_LONGEST_PAUSE, 2.0 ** min(self._failures - 1, 6))
        again = replace(task, attempt=task.attempt + 1, may_exist=True)
        self._again.append(again)
        pause = max(self._resume_at - now, 0.0)
        self._watch(Retrying(task.partition.number, again.attempt, pause, str(error).splitlines()[0]))

    def _judge_suspects(self) -> None:
        """Raises the failures of partitions that are proven to begin where a row begins; forgets those that do not."""
        outcome = Outcome()
        verdicts = [(task, error, self._proofs.suspect(task.partition, outcome)) for task, error in self._suspects]
        self._suspects = [(task, error) for task, error, is_proven in verdicts if is_proven is None]
        self._again.extend(self._task(partition) for partition in outcome.again)
        for task, error in ((task, error) for task, error, is_proven in verdicts if is_proven):
            if isinstance(error, ObjectError) and self._job.errors.on_file_error == "Reject":
                self._reject(task, error)
                continue
            if not isinstance(error, ModelError) or task.model_works or not self._done.scored:
                raise error
            # The model has scored other partitions: these rows are at fault, all of them.
            self._again.append(replace(task, attempt=task.attempt + 1, model_works=True))

    def _reject(self, task: Task, error: ObjectError) -> None:
        """Takes an input object out of the run, with all that was made of it."""
        self._unreadable[error.uri] = error.message
        outcome = self._proofs.reject(task.partition, error.uri)
        self._count(outcome.withdrawn, -1)
        self._ledger.discard(outcome.discarded)
        self._again.extend(self._task(partition) for partition in outcome.again)
        self._watch(Note(f"rejected input object: {error.message}"))

    def _check_deadlines(self) -> None:
        now = time.monotonic()
        check_deadlines(self._job.deadlines, now - self._progressed, now - self._started)

    def _complete(self) -> Manifest:
        if not self._proofs.is_complete:
            raise ScoremillError("no task is left, but parts of the input have no receipt", _REPORT)
        receipts = [receipt for _, receipt in self._proofs.accepted()]
        self._job.errors.limit.check(self._done.rejected, self._done.rows, self._done.rows)
        self._lease.confirm()
        self._settle_objects(receipts)
        extra = {
            "method": self._plan.settings.method,
            "bundle": self._bundle.digest,
            "settings": self._plan.settings.as_json(),
        }
        self._lease.confirm()
        return write_manifest(
            self._ledger.store, receipts, list(origins(self._proofs, self._plan.settings.partition_bytes)), extra
        )

    def _settle_objects(self, receipts: list[Receipt]) -> None:
        """Looks once more at what is there: every object that counts, and nothing that readers would take for one.

        Parts that this plan named and that do not count, such as those a killed driver left, are deleted.
        """
        named = {part.name: part.size for receipt in receipts for part in receipt.objects}
        there = {name: info.size for name, info in self._ledger.published().items()}
        missing = [name for name, size in named.items() if there.get(name) != size]
        if missing:
            raise ClusterError(
                f"{len(missing)} objects that workers wrote are not in {self._ledger.store.uri}, such as {missing[0]}",
                "Do workers and driver share this output? If somebody deleted them, the same command goes on.",
                code="OutputObjectsMissing",
            )
        others = [name for name in there if name not in named]
        ours = named_by(self._proofs, others)
        self._ledger.store.delete(ours)
        strangers = sorted(set(others) - set(ours))
        if strangers:
            raise UsageError(
                f"{self._ledger.store.uri} holds objects that are not this output's, such as {strangers[0]}",
                "Remove them, and the same command completes the run.",
                code="OutputNotEmpty",
            )
