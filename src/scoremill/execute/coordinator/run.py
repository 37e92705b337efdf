"""Execute a plan: score the partitions without receipts, record every receipt, and write the manifest last."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from scoremill.engines.protocol import Engine, Result
from scoremill.errors import (
    ClusterError,
    InputChanged,
    InputError,
    ModelError,
    ObjectError,
    ParityError,
    RejectLimitError,
    ScoremillError,
    StorageError,
    UsageError,
)
from scoremill.events import Ended, Event, Note, Progress, Retrying, Started, Watcher
from scoremill.ledger import Lease, Ledger, Manifest, Receipt, Totals, parity_of, read_manifest, write_manifest
from scoremill.planning import EVERYTHING, NOTHING, Partition, Plan, choose_batches
from scoremill.spec import ScoringJob
from scoremill.storage.filesystem import output_store
from scoremill.worker.numbering import number_lines
from scoremill.worker.work import Task, Work

from .account import Account
from .estimate import memory_problem
from .limits import as_task_error, check_deadlines, check_files
from .origins import origins
from .output_checks import output_problems
from .parity import to_compare
from .prepare import Prepared, prepare, refuse_problems
from .proofs import Proofs, ReceiptEffects
from .resume import named_by, settle
from .ship import forget, ship

_LONGEST_PAUSE = 60.0
_EARLIER = "an earlier run could not read the object"
_REPORT = "The output was not marked as complete. Report this bug, and attach the _scoremill folder of the output."


def execute(
    job: ScoringJob,
    engine: Engine,
    watchers: Iterable[Watcher] = (),
    *,
    wait: bool | float = False,
    prepared: Prepared | None = None,
    uid: str | None = None,
    began: float | None = None,
) -> Manifest:
    """Score the input of `job` that no earlier run of it has scored, and return the manifest of the complete output.

    `wait` is whether to wait while another driver holds the lease of the output, or for how many seconds. `prepared` is
    the prepared job, if it is known already. `uid` is that of the ScoringJob on Kubernetes if this is one of its
    attempts: it continues an earlier attempt with any `output.mode`. `began` is when the caller began to prepare, by
    `time.monotonic`. Raises the errors of scoremill.errors; completed
    partitions are kept.
    """
    account = Account("plan", began)
    prepared = prepared or prepare(job)
    refuse_problems(prepared.plan, output_problems(prepared.job, prepared.plan, uid, waits=bool(wait)))
    store = output_store(prepared.job)
    watch = _Watch(tuple(watchers))
    if not store.has_conditional_create:
        watch(Note(f"{store.uri} has no conditional create: two runs could write to it at the same time"))
    for warning in prepared.bundle.warnings:
        watch(Note(warning))
    if prepared.parity_rows < prepared.job.model.parity_rows:
        watch(Note("`spec.model.parityRows` has no effect: no step of the model is accelerated"))
    for text in prepared.plan.excluded.described():
        watch(Note(f"excluded: {text}"))
    if prepared.job.cluster.memory and (memory := memory_problem(prepared)):
        watch(Note(str(memory)))
    ledger = Ledger(store)
    account.enter("lock")
    lease = Lease.acquire(store, wait=wait, waiting=lambda text: watch(Note(f"waiting: {text}")))
    try:
        account.enter("plan")
        ledger.hold(lease)
        plan, resumed = settle(ledger, prepared, job, uid)
        return _Run(prepared, plan, ledger, lease, watch, account, resumed).to_the_end(engine)
    finally:
        lease.release(account.fields())


class _Watch:
    """Pass each event to every watcher; if one raises, the run fails."""

    def __init__(self, watchers: tuple[Watcher, ...]) -> None:
        self._watchers = watchers

    def __call__(self, event: Event) -> None:
        for watcher in self._watchers:
            watcher(event)


class _Run:
    """One execution: submitted and waiting tasks, and the receipts that count."""

    def __init__(
        self,
        prepared: Prepared,
        plan: Plan,
        ledger: Ledger,
        lease: Lease,
        watch: _Watch,
        account: Account,
        resumed: bool,
    ) -> None:
        self._job, self._plan, self._ledger, self._lease, self._watch = prepared.job, plan, ledger, lease, watch
        self._work: Work = prepared.work(plan)
        self._bundle, self._account = prepared.bundle, account
        self._resumed = resumed
        self._estimated_rows = prepared.plan.estimated_rows
        self._proofs = Proofs(plan)
        self._compares_more = False
        self._parity_rows = prepared.parity_rows
        self._parity = choose_batches(plan, self._parity_rows)
        self._again: deque[Task] = deque()
        self._out: dict[tuple[int, str], float] = {}
        self._unsettled: list[tuple[Task, ScoremillError]] = []
        self._unreadable: dict[str, str] = {}
        self._done = Totals()
        self._bytes = 0
        self._resume_at = 0.0
        self._failures = 0
        self._started = self._progressed = time.monotonic()

    def to_the_end(self, engine: Engine) -> Manifest:
        """Score all pending partitions and publish the manifest."""
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
        self._check_reject_limit()
        self._ledger.reopen()
        for name in self._ledger.store.sweep():
            self._watch(Note(f"removed an unfinished upload: {name}"))
        if first is not None or to_compare(self._proofs, self._plan, self._parity_rows):
            if not engine.shares_files:
                self._work = ship(self._work, self._bundle, self._ledger.store)
            if first is not None:
                self._again.append(replace(first, work=self._work))
            self._score(engine, pending)
        manifest = self._complete()
        forget(self._ledger.store)
        self._watch(Ended(time.monotonic() - self._started))
        return manifest

    def _score(self, engine: Engine, pending: Iterator[Task]) -> None:
        self._account.enter("start")
        try:
            with engine:
                # The start of a cluster has a deadline of its own.
                self._progressed = time.monotonic()
                while self._submit(engine, pending) or self._compare_more():
                    result = engine.take(1.0) if self._out else None
                    for note in engine.notes():
                        self._watch(Note(note))
                    self._lease.check()
                    if result is not None:
                        self._handle(result, engine)
                    self._check_deadlines()
        except BaseException:
            # Report the error that ended the run, not a later one.
            with suppress(ScoremillError):
                self._ledger.flush()
            raise
        self._ledger.flush()

    def _replay(self) -> None:
        """Take the receipts of earlier runs whose objects still exist.

        The objects of a receipt with irregular quotes are deleted, and it never counts: it only shows how to read its file.
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
            might_exist=self._resumed or bool(rejected),
            parity=self._parity.get(partition.number, NOTHING),
            first_line=self._proofs.first_line(partition.number),
            unreadable=tuple((uri, self._unreadable.get(uri, _EARLIER)) for uri in rejected),
        )

    def _compare_more(self) -> bool:
        """Submit completed partitions again if too few rows were compared, once; return whether there are any."""
        if not self._compares_more:
            self._compares_more = True
            self._again.extend(
                replace(self._task(partition), parity=EVERYTHING, might_exist=True, model_works=True)
                for partition in to_compare(self._proofs, self._plan, self._parity_rows)
            )
        return bool(self._again)

    def _submit(self, engine: Engine, pending: Iterator[Task]) -> bool:
        """Fill the window, and return whether any task is submitted or waits."""
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
        self._account.enter("score", sum(result.receipt.seconds.values()) if result.receipt else 0.0)
        self._account.workers = max(self._account.workers, engine.workers)
        if result.receipt is None:
            self._take_failure(result, submitted)
            return
        if submitted >= self._resume_at:
            self._failures = 0
        self._progressed = time.monotonic()
        self._ledger.append(result.receipt)
        if self._compares_more:
            self._proofs.replace(result.receipt)
            return
        outcome = self._proofs.take(result.receipt)
        self._again.extend(self._task(partition) for partition in outcome.again)
        self._ledger.discard(outcome.discarded)
        self._count(outcome.accepted)
        self._number(outcome.accepted)
        self._bytes += result.task.partition.size
        for note in outcome.notes:
            self._watch(Note(note))
        self._watch(Progress(self._done.partitions, self._done.rows, self._done.rejected, self._bytes, engine.workers))
        self._check_reject_limit()
        self._settle_failures()

    def _check_reject_limit(self) -> None:
        # The upper bound on rows does not cover rejected rows, which can be shorter than any valid row.
        done = self._done
        self._job.errors.limit.check(done.rejected, done.rows, max(self._plan.most_rows + done.rejected, done.rows))
        check_files(self._job.errors, self._done, len(self._plan.sources))

    def _count(self, receipts: list[Receipt], sign: int = 1) -> None:
        more, done = Totals.of(receipts), self._done
        self._done = Totals(*(getattr(done, name) + sign * getattr(more, name) for name in Totals.__slots__))

    def _number(self, accepted: Iterable[Receipt]) -> None:
        """Add line numbers to the rejected rows of these partitions, now that those are known."""
        for receipt in accepted:
            first_line = self._proofs.first_line(receipt.number)
            if receipt.errors and first_line > 1 and not receipt.first_line:
                numbered = number_lines(self._ledger.store, receipt, first_line)
                self._ledger.append(numbered)
                self._proofs.replace(numbered)

    def _take_failure(self, result: Result, submitted: float) -> None:
        """Submit the task again if its failure might be transient or might not count; raise the error otherwise."""
        error, task = result.error, result.task
        if error is None:
            raise ScoremillError("a task ended with neither receipt nor error")
        if isinstance(error, StorageError | OSError) and task.attempt < self._job.retry.partition_retries:
            self._retry(task, error, submitted)
        elif isinstance(error, InputError | ModelError | RejectLimitError) and not (
            isinstance(error, InputChanged) or self._compares_more
        ):
            self._unsettled.append((task, error))
            self._settle_failures()
        else:
            raise as_task_error(error, task)

    def _retry(self, task: Task, error: BaseException, submitted: float) -> None:
        """Pause the whole run, longer each time; tasks submitted before the pause failed in the same outage."""
        now = time.monotonic()
        if submitted >= self._resume_at:
            self._failures += 1
            self._resume_at = now + min(_LONGEST_PAUSE, 2.0 ** min(self._failures - 1, 6))
        again = replace(task, attempt=task.attempt + 1, might_exist=True)
        self._again.append(again)
        pause = max(self._resume_at - now, 0.0)
        self._watch(Retrying(task.partition.number, again.attempt, pause, str(error).splitlines()[0]))

    def _settle_failures(self) -> None:
        """Raise the failures of partitions that provably start where a row starts; drop those that do not."""
        outcome = ReceiptEffects()
        verdicts = [(task, error, self._proofs.suspect(task.partition, outcome)) for task, error in self._unsettled]
        self._unsettled = [(task, error) for task, error, is_proven in verdicts if is_proven is None]
        self._again.extend(self._task(partition) for partition in outcome.again)
        for task, error in ((task, error) for task, error, is_proven in verdicts if is_proven):
            if isinstance(error, ObjectError) and self._job.errors.on_file_error == "Reject":
                self._reject(task, error)
                continue
            if isinstance(error, ParityError) or not isinstance(error, ModelError):
                raise error
            if task.model_works or not self._done.scored:
                raise error
            # The model has scored other partitions, so all rows of this one are at fault.
            self._again.append(replace(task, attempt=task.attempt + 1, model_works=True))

    def _reject(self, task: Task, error: ObjectError) -> None:
        """Exclude an input object from the run, and discard its results."""
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
        self._account.enter("complete")
        if not self._proofs.is_complete:
            raise ScoremillError("all tasks have finished, but parts of the input have no receipt", _REPORT)
        receipts = [receipt for _, receipt in self._proofs.accepted()]
        self._job.errors.limit.check(self._done.rejected, self._done.rows, self._done.rows)
        self._lease.confirm()
        self._settle_objects(receipts)
        extra = {
            "method": self._plan.settings.method,
            "bundle": self._bundle.digest,
            "settings": self._plan.settings.as_json(),
            "parity": parity_of(receipts),
        }
        self._lease.confirm()
        return write_manifest(
            self._ledger.store, receipts, list(origins(self._proofs, self._plan.settings.partition_bytes)), extra
        )

    def _settle_objects(self, receipts: list[Receipt]) -> None:
        """Check that the output holds every object that counts, and no other that readers would take for one.

        Parts of this plan that do not count, such as those of a killed driver, are deleted.
        """
        named = {part.name: part.size for receipt in receipts for part in receipt.objects}
        there = {name: info.size for name, info in self._ledger.published().items()}
        missing = [name for name, size in named.items() if there.get(name) != size]
        if missing:
            raise ClusterError(
                f"{len(missing)} objects that workers wrote are not in {self._ledger.store.uri}, such as {missing[0]}",
                "Check that workers and driver write to the same place. If the objects were deleted, run the same command "
                "to score them again.",
                code="OutputObjectsMissing",
            )
        others = [name for name in there if name not in named]
        unused = named_by(self._proofs, others)
        self._ledger.store.delete(unused)
        foreign = sorted(set(others) - set(unused))
        if foreign:
            raise UsageError(
                f"{self._ledger.store.uri} holds objects that do not belong to this output, such as {foreign[0]}",
                "Remove them, then run the same command to complete the run.",
                code="OutputNotEmpty",
            )
