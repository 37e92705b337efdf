"""The status that a Step leaves: the one place where conditions are written."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from scoremill import naming
from scoremill.spec.resources.status import (
    ENDS,
    ClusterStatus,
    Condition,
    ConditionType,
    JobStatus,
    Reason,
    WorkerCounts,
)

from .look import MOST_MESSAGE, Look, Step

_PHASES: tuple[ConditionType, ...] = ("Running", "Complete", "Failed", "Suspended")
"""Phases that are conditions too."""
_RESTS = {*ENDS, "Suspended"}
_WAITING = {"Planning", "Starting", "Running"}
"""Phases in which driver and cluster are waited for."""


def next_status(look: Look, step: Step) -> JobStatus:
    """The whole status after the Step; `progress` is as it was."""
    job, status = look.seen.job, look.status
    generation = job["metadata"].get("generation")
    # The same spec may have other defaults by now: that is what a driver of today finds.
    is_renewed = status.spec_hash is not None and status.observed_generation == generation
    changes = {
        "phase": step.phase,
        "spec_hash": naming.spec_hash(job["spec"]) if is_renewed else status.spec_hash,
        "observed_generation": generation,
        "conditions": _conditions(look, step),
        "cluster": _cluster(look, step),
        **step.changes,
    }
    return status.model_copy(update=changes)


def _conditions(look: Look, step: Step) -> tuple[Condition, ...]:
    """Those that hold, and those that once held; one that never did is left out."""
    held: dict[Any, Condition] = {each.type: each for each in look.status.conditions}
    holding = _holding(step)
    # In the order in which they came, so that a status changes no more than it must.
    kinds: list[ConditionType] = [*held, *(kind for kind in holding if kind not in held)]
    return tuple(_condition(look, step, held.get(kind), kind, kind in holding) for kind in kinds)


def _holding(step: Step) -> list[ConditionType]:
    holding: list[ConditionType] = [*step.holds]
    holding += [kind for kind in _PHASES if kind == step.phase]
    holding += ["Finished"] if step.phase in ENDS else []
    holding += ["Stalled"] if step.phase == "Failed" else []
    holding += ["Reconciling"] if step.phase not in _RESTS else []
    return holding


def _condition(look: Look, step: Step, before: Condition | None, kind: ConditionType, holds: bool) -> Condition:
    status: Literal["True", "False"] = "True" if holds else "False"
    moment = before.last_transition_time if before and before.status == status else _seconds(look.now)
    reason = step.reason
    if not holds and step.phase in ENDS:
        reason = Reason.FINISHED
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=step.message[:MOST_MESSAGE] if holds else "",
        last_transition_time=moment,
        observed_generation=look.seen.job["metadata"].get("generation"),
    )


def _cluster(look: Look, step: Step) -> ClusterStatus | None:
    """The cluster while there is one, or one is awaited; of an end only its name."""
    seen = look.seen.cluster
    if step.phase in ENDS:
        name = look.status.cluster.name if look.status.cluster else None
        return ClusterStatus(name=name) if name else None
    if seen is None and step.phase not in _WAITING:
        return None
    cause = look.waits_for if step.phase in _WAITING else None
    return ClusterStatus(
        name=look.child if seen or step.phase != "Planning" else None,
        workers=WorkerCounts(wanted=seen.workers, ready=seen.registered or 0) if seen else None,
        waiting=f"{cause.reason}: {cause.evidence}"[:MOST_MESSAGE] if cause else None,
    )


def _seconds(moment: dt.datetime) -> dt.datetime:
    return moment.replace(microsecond=0)
