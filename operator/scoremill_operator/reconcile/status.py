"""The status that a transition leaves: the one place where conditions are written."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from scoremill import naming
from scoremill.spec.resources.status import (
    ENDS,
    Condition,
    ConditionType,
    JobClusterStatus,
    JobStatus,
    Reason,
    WorkerCounts,
)

from .job_state import MOST_MESSAGE, JobState, Transition

_PHASES: tuple[ConditionType, ...] = ("Running", "Complete", "Failed", "Suspended")
"""Phases that are conditions too."""
_SETTLED = {*ENDS, "Suspended"}
_WAITING = {"Planning", "Starting", "Running"}
"""Phases in which driver and cluster are waited for."""


def next_status(state: JobState, transition: Transition) -> JobStatus:
    """The whole status after the transition; `progress` is as it was."""
    job, status = state.job, state.status
    # Defaults might have changed since: use those that a driver started now would use.
    is_renewed = status.spec_hash is not None and status.observed_generation == job.generation
    changes = {
        "phase": transition.phase,
        "spec_hash": naming.spec_hash(job.spec) if is_renewed else status.spec_hash,
        "observed_generation": job.generation,
        "conditions": _conditions(state, transition),
        "cluster": _cluster(state, transition),
        **transition.changes,
    }
    return status.model_copy(update=changes)


def _conditions(state: JobState, transition: Transition) -> tuple[Condition, ...]:
    """Those that hold, and those that once held; one that never did is left out."""
    held: dict[Any, Condition] = {each.type: each for each in state.status.conditions}
    holding = _holding(transition)
    # In the order in which they came, so that a status changes no more than it must.
    kinds: list[ConditionType] = [*held, *(kind for kind in holding if kind not in held)]
    return tuple(_condition(state, transition, held.get(kind), kind, kind in holding) for kind in kinds)


def _holding(transition: Transition) -> list[ConditionType]:
    holding: list[ConditionType] = [*transition.conditions]
    holding += [kind for kind in _PHASES if kind == transition.phase]
    holding += ["Finished"] if transition.phase in ENDS else []
    holding += ["Stalled"] if transition.phase == "Failed" else []
    holding += ["Reconciling"] if transition.phase not in _SETTLED else []
    return holding


def _condition(
    state: JobState, transition: Transition, before: Condition | None, kind: ConditionType, holds: bool
) -> Condition:
    status: Literal["True", "False"] = "True" if holds else "False"
    moment = before.last_transition_time if before and before.status == status else _seconds(state.now)
    reason = transition.why.reason
    if not holds and transition.phase in ENDS:
        reason = Reason.FINISHED
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=transition.why.message[:MOST_MESSAGE] if holds else "",
        last_transition_time=moment,
        observed_generation=state.job.generation,
    )


def _cluster(state: JobState, transition: Transition) -> JobClusterStatus | None:
    """The cluster while there is one, or one is awaited; of an end only its name."""
    seen = state.observed.cluster
    if transition.phase in ENDS:
        name = state.status.cluster.name if state.status.cluster else None
        return JobClusterStatus(name=name) if name else None
    if seen is None and transition.phase not in _WAITING:
        return None
    cause = state.waits_for if transition.phase in _WAITING else None
    return JobClusterStatus(
        name=state.child if seen or transition.phase != "Planning" else None,
        workers=WorkerCounts(wanted=seen.workers, ready=seen.registered or 0) if seen else None,
        waiting=f"{cause.reason}: {cause.evidence}"[:MOST_MESSAGE] if cause else None,
    )


def _seconds(moment: dt.datetime) -> dt.datetime:
    return moment.replace(microsecond=0)
