"""What is to be done about a ScoringSchedule; pure, and level-triggered: what has been made is what is seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from pydantic import ValidationError

from scoremill.errors import UsageError
from scoremill.kubernetes.objects.scheduled import (
    announced,
    made_for,
    owned,
    problem_of,
    scheduled_job,
    scheduled_name,
    seen,
)
from scoremill.spec.resources.schedule import ScheduleSpec, ScheduleStatus
from scoremill.spec.resources.status import Condition, Failure, JobStatus, format_time

from .clock import MOST, Clock
from .look import MOST_MESSAGE
from .observed import Action, Create, Decision, Delete, Event, Object, Settings
from .policies.restrictions import check_permitted

RESTRICTED = Settings(image="")
"""What jobs may ask for if nothing is set."""
SOON = 5.0
"""Seconds until the next look at what an event should have told before."""


@dataclass(frozen=True)
class Run:
    """A job of the schedule."""

    job: Object
    is_outlived: bool = False
    """Whether it has ended, but not its driver."""

    @property
    def name(self) -> str:
        return str(self.job["metadata"]["name"])

    @cached_property
    def at(self) -> datetime:
        """The time that it was made for."""
        return made_for(self.job)

    @cached_property
    def status(self) -> JobStatus:
        return JobStatus.model_validate(self.job.get("status") or {})

    @property
    def phase(self) -> str | None:
        return self.status.phase

    @property
    def is_finished(self) -> bool:
        return self.status.is_finished

    @property
    def is_going(self) -> bool:
        return "deletionTimestamp" in self.job["metadata"]

    @property
    def removal(self) -> Delete:
        return Delete("ScoringJob", self.name, self.job["metadata"]["uid"])


@dataclass(frozen=True)
class Step:
    """What becomes of the time that is due."""

    condition: Condition
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    again: float | None = None


def decide_schedule(
    schedule: Object, jobs: Iterable[Object], now: datetime, refused: str | None = None, outlived: Collection[str] = (),
    settings: Settings = RESTRICTED,
) -> Decision:  # fmt: skip
    """What to do about `schedule`, of which there are `jobs` (those with its label), both as the API gives them.

    `refused` is what the API server said to the job that was to be made last; None once it takes one. `outlived` are
    names of jobs that have ended while a driver of theirs still lives. `settings` say what its jobs may ask for.

    No time is run twice: a job's name is a function of its time, and the times of the jobs seen are written to the
    status before any job is removed. None is forgotten: the status tells only of jobs that were seen, but of the
    output of one before it is created.
    """
    if "deletionTimestamp" in schedule["metadata"]:
        return Decision()
    runs = sorted(_own(schedule, jobs, outlived), key=lambda run: (run.at, run.name))
    stored = ScheduleStatus.model_validate(schedule.get("status") or {})
    known = _known(schedule, stored, runs)
    try:
        spec, clock = _understood(schedule, settings)
    except ValueError as error:
        invalid = Condition(type="Invalid", status="True", reason="InvalidSpec", message=str(error)[:MOST_MESSAGE])
        return _told(schedule, stored, known, [invalid, invalid.model_copy(update={"type": "Stalled"})], now)
    step = _step(schedule, spec, clock, runs, known, now, refused)
    following = None if spec.suspend else clock.next(now)
    valid = Condition(type="Invalid", status="False", reason="Valid")
    for action in step.actions:
        if isinstance(action, Create):
            known = announced(schedule, known, action.made, now)
    known = known.model_copy(update={"next_schedule_time": following})
    decision = _told(schedule, stored, known, [valid, step.condition], now)
    waits = [step.again, (following - now).total_seconds() if following else None]
    return Decision(
        decision.status,
        # A quota may let the next run in only once an old one is gone.
        (*_history(spec, runs), *step.actions),
        (*decision.events, *step.events, *_news(schedule, stored, runs)),
        min((wait for wait in waits if wait is not None), default=None),
    )


def _understood(schedule: Object, settings: Settings) -> tuple[ScheduleSpec, Clock]:
    try:
        spec = ScheduleSpec.model_validate(schedule["spec"])
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        told = [f"spec.{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problems]
        raise ValueError("\n".join(told)) from None
    if problem := problem_of(spec):
        raise ValueError(problem)
    try:
        check_permitted(spec.job_template.spec.cluster, schedule["metadata"]["namespace"], settings)
    except UsageError as error:
        raise ValueError(f"spec.jobTemplate: {error}") from None
    return spec, Clock(spec.schedule, spec.time_zone)


def _own(schedule: Object, jobs: Iterable[Object], outlived: Collection[str]) -> Iterator[Run]:
    """Not those of an earlier schedule of the same name that are about to go."""
    for job in owned(schedule, jobs):
        yield Run(job, job["metadata"]["name"] in outlived)


def _known(schedule: Object, stored: ScheduleStatus, runs: Sequence[Run]) -> ScheduleStatus:
    """The stored status with what the jobs tell."""
    name = schedule["metadata"]["name"]
    # Jobs that a user had made between times are runs, but of no time of the clock.
    made = [run.at for run in runs if run.name == scheduled_name(name, run.at)]
    return seen(schedule, stored, [run.job for run in runs]).model_copy(
        update={
            "last_schedule_time": _latest([stored.last_schedule_time, *made]),
            "active": tuple(run.name for run in runs if not run.is_finished)[:1000],
        }
    )


def _news(schedule: Object, stored: ScheduleStatus, runs: Sequence[Run]) -> Iterator[Event]:
    """Told of runs once they are seen, and not when they are asked for; and of those that have failed since."""
    for run in runs:
        if run.phase == "Failed" and run.name in stored.active:
            why = run.status.failure or Failure()
            yield Event("Warning", "JobFailed", f"the job {run.name}: {why.reason}: {why.message}")
        is_new = stored.last_schedule_time is None or run.at > stored.last_schedule_time
        if is_new and run.name == scheduled_name(schedule["metadata"]["name"], run.at):
            yield Event("Normal", "Created", f"the job {run.name} for {format_time(run.at)}")


def _step(
    schedule: Object, spec: ScheduleSpec, clock: Clock, runs: Sequence[Run], known: ScheduleStatus, now: datetime,
    refused: str | None,
) -> Step:  # fmt: skip
    """What to do about the latest time that has come since the last run's; earlier ones are passed over."""
    if spec.suspend:
        return Step(_scheduled(known, "Suspended", "no further runs begin"))
    missed = clock.missed(known.last_schedule_time or _time(schedule["metadata"]["creationTimestamp"]), now)
    if not missed:
        return Step(_scheduled(known, "Idle", ""))
    at, written = missed[0], format_time(missed[0])
    deadline = spec.starting_deadline_seconds
    if deadline is not None and now - at > timedelta(seconds=deadline):
        return Step(_scheduled(known, "MissedDeadline", f"the run of {written} could not begin within {deadline} s"))
    going_on = [run for run in runs if not run.is_finished or run.is_outlived]
    if going_on and spec.concurrency_policy != "Allow":
        removed = [run.removal for run in going_on if not run.is_finished and not run.is_going]
        doomed = removed if spec.concurrency_policy == "Replace" else []
        # No event of the schedule or its jobs tells when a driver is gone.
        again = SOON if doomed or any(run.is_outlived for run in going_on) else None
        waits = f"the run of {written} waits for the end of {', '.join(map(_named, going_on))}"
        return Step(_scheduled(known, "JobAlreadyActive", waits), tuple(doomed), again=again)
    makes = (Create(scheduled_job(schedule, at, known)),)
    if refused:
        return Step(_scheduled(known, "JobRefused", f"Kubernetes refuses {refused}"[:MOST_MESSAGE]), makes, again=SOON)
    too_many = Event("Warning", "TooManyMissedTimes", f"more than {MOST} times were missed; the last is run")
    return Step(_scheduled(known, "Idle", ""), makes, (too_many,) if len(missed) > MOST else (), SOON)


def _named(run: Run) -> str:
    return f"{run.name}, whose driver still lives" if run.is_outlived else run.name


def _scheduled(known: ScheduleStatus, reason: str, message: str) -> Condition:
    return Condition(type="Scheduled", status="True" if reason == "Idle" else "False", reason=reason, message=message)


def _history(spec: ScheduleSpec, runs: Sequence[Run]) -> Iterator[Delete]:
    """Ended jobs above the limits, the oldest first."""
    limits = {"Complete": spec.successful_jobs_history_limit, "Failed": spec.failed_jobs_history_limit}
    for phase, limit in limits.items():
        ended = [run for run in runs if run.phase == phase and not run.is_going]
        for run in ended[: max(0, len(ended) - limit)]:
            yield run.removal


def _told(
    schedule: Object, stored: ScheduleStatus, known: ScheduleStatus, conditions: Sequence[Condition], now: datetime
) -> Decision:
    """The status, where it is another than the stored one, and events of conditions that are new."""
    generation = schedule["metadata"].get("generation")
    before = {condition.type: condition for condition in stored.conditions}
    events = []
    held = []
    for condition in conditions:
        old = before.get(condition.type)
        since = old.last_transition_time if old and old.status == condition.status else now
        held.append(condition.model_copy(update={"last_transition_time": since, "observed_generation": generation}))
        is_new = not old or (old.reason, old.message) != (condition.reason, condition.message)
        if is_new and condition.type != "Stalled" and condition.reason in _WARNED:
            events.append(Event(_WARNED[condition.reason], condition.reason, condition.message))
    status = known.model_copy(update={"conditions": tuple(held), "observed_generation": generation})
    return Decision(None if status.fields() == stored.fields() else status.fields(), events=tuple(events))


_WARNED = {"InvalidSpec": "Warning", "MissedDeadline": "Warning", "JobAlreadyActive": "Normal", "JobRefused": "Warning"}
"""Types of the events that tell of a condition."""


def _latest(times: Iterable[datetime | None]) -> datetime | None:
    return max((time for time in times if time is not None), default=None)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
