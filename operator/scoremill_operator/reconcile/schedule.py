"""What to do about a ScoringSchedule; pure, and level-triggered: what was created is what is observed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from scoremill.errors import UsageError
from scoremill.kubernetes.objects import Resource
from scoremill.kubernetes.objects.scheduled import announced, owned, problem_of, scheduled_job
from scoremill.spec.resources.schedule import ScheduleSpec, ScheduleStatus
from scoremill.spec.resources.status import Condition

from .clock import MOST, Clock
from .observed import Action, Create, Decision, Delete, Event, OperatorSettings
from .policies.restrictions import check_permitted
from .schedule_reasons import (
    IDLE,
    VALID,
    already_active,
    invalid,
    job_refused,
    missed_deadline,
    suspended,
    too_many_missed,
)
from .schedule_run import Run, beyond_history
from .schedule_status import events_of_runs, with_runs, written

RESTRICTED = OperatorSettings(image="")
"""What jobs can request if nothing is configured."""
SOON = 5.0
"""Seconds until the next reconcile while waiting for something that should have caused an event."""


@dataclass(frozen=True)
class Step:
    """Decision about the time that is due."""

    condition: Condition
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None


def decide_schedule(
    schedule: Resource,
    jobs: Iterable[Resource],
    now: datetime,
    refused: str | None = None,
    outlived: Collection[str] = (),
    settings: OperatorSettings = RESTRICTED,
) -> Decision:
    """Return what to do about `schedule`, of which there are `jobs` (those with its label).

    `refused` is why the API server refused the last job; None once it accepts one. `outlived` are names of jobs that
    have finished while a driver of theirs is alive. `settings` limit what its jobs can request.

    No time is run twice: a job's name is a function of its time, and the times of the jobs observed are written to the
    status before any job is deleted. None is forgotten: the status names only jobs that were observed, but the output
    of one before it is created.
    """
    if schedule.is_deleting:
        return Decision()
    runs = sorted((Run(job, job.name in outlived) for job in owned(schedule, jobs)), key=lambda run: (run.at, run.name))
    stored = ScheduleStatus.model_validate(schedule.status)
    known = with_runs(schedule, stored, runs)
    try:
        spec, clock = _understood(schedule, settings)
    except ValueError as error:
        return written(schedule, stored, known, invalid(error), now)
    step = _step(schedule, spec, clock, runs, known, now, refused)
    following = None if spec.suspend else clock.next(now)
    new = _with_outputs(schedule, known, step, now).model_copy(update={"next_schedule_time": following})
    decision = written(schedule, stored, new, [VALID, step.condition], now)
    waits = [step.requeue_after, (following - now).total_seconds() if following else None]
    return Decision(
        decision.status,
        # A quota might admit the next run only once an old one is deleted.
        (*beyond_history(spec, runs), *step.actions),
        (*decision.events, *step.events, *events_of_runs(schedule, stored, runs)),
        min((wait for wait in waits if wait is not None), default=None),
    )


def _with_outputs(schedule: Resource, status: ScheduleStatus, step: Step, now: datetime) -> ScheduleStatus:
    for action in step.actions:
        if isinstance(action, Create):
            status = announced(schedule, status, action.manifest, now)
    return status


def _understood(schedule: Resource, settings: OperatorSettings) -> tuple[ScheduleSpec, Clock]:
    try:
        spec = ScheduleSpec.model_validate(schedule.spec)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        texts = [f"spec.{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problems]
        raise ValueError("\n".join(texts)) from None
    if problem := problem_of(spec):
        raise ValueError(problem)
    try:
        check_permitted(spec.job_template.spec.cluster, schedule.namespace, settings)
    except UsageError as error:
        raise ValueError(f"spec.jobTemplate: {error}") from None
    return spec, Clock(spec.schedule, spec.time_zone)


def _step(
    schedule: Resource,
    spec: ScheduleSpec,
    clock: Clock,
    runs: Sequence[Run],
    known: ScheduleStatus,
    now: datetime,
    refused: str | None,
) -> Step:
    """Return what to do about the latest time that has come since the last run's; earlier ones are skipped."""
    if spec.suspend:
        return Step(suspended())
    since = known.last_schedule_time or schedule.created
    missed = clock.missed(since, now) if since else []
    if not missed:
        return Step(IDLE)
    at, deadline = missed[0], spec.starting_deadline_seconds
    if deadline is not None and now - at > timedelta(seconds=deadline):
        return Step(missed_deadline(at, deadline))
    active = [run for run in runs if not run.is_finished or run.is_outlived]
    if active and spec.concurrency_policy != "Allow":
        return _wait(spec, at, active)
    return _create(scheduled_job(schedule, at, known), len(missed), refused)


def _wait(spec: ScheduleSpec, at: datetime, active: Sequence[Run]) -> Step:
    """Wait for the end of other runs, or replace them."""
    replaced = [run.job for run in active if not run.is_finished and not run.job.is_deleting]
    deleted = tuple(map(Delete.of, replaced)) if spec.concurrency_policy == "Replace" else ()
    # No event of the schedule or its jobs shows when a driver has ended.
    requeue_after = SOON if deleted or any(run.is_outlived for run in active) else None
    return Step(already_active(at, active), deleted, requeue_after=requeue_after)


def _create(job: dict[str, object], missed: int, refused: str | None) -> Step:
    actions = (Create(job),)
    if refused:
        return Step(job_refused(refused), actions, requeue_after=SOON)
    return Step(IDLE, actions, (too_many_missed(MOST),) if missed > MOST else (), SOON)
