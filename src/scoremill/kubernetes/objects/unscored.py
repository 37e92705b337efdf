"""Decide which objects are new for a run of a schedule with `since: LastSuccess`; pure.

A run skips the objects that earlier outputs have scored, and its own output remembers them. So the next run needs the
output of the last complete run, and those of later runs, which might have completed without being observed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from scoremill.spec.resources.schedule import RunOutput, ScheduleStatus
from scoremill.spec.resources.status import format_time

from .resource import Resource

Object = dict[str, Any]

MOST = 100
"""Maximum number of outputs in a schedule's status."""


def outputs_after(stored: Iterable[RunOutput], jobs: Iterable[Resource]) -> tuple[RunOutput, ...]:
    """Return the outputs that the next run must consider, oldest first, from those stored and the schedule's jobs.

    Outputs that a complete run considered are dropped, and so are the oldest if there are too many.
    """
    known = {output.uri: output for output in stored}
    last = max((_created(output) for output in known.values() if output.complete), default=0.0)
    followed: set[str] = set()
    for job in jobs:
        output = _output_of(job)
        before = known.get(output.uri)
        if before is None and _created(output) < last:
            continue
        is_complete = output.complete or (before is not None and before.complete)
        known[output.uri] = output.model_copy(update={"complete": is_complete})
        if is_complete:
            followed |= {named["uri"] for named in job.spec["input"].get("notScoredBy", ())} - {output.uri}
    left = [output for uri, output in known.items() if uri not in followed]
    newest = sorted(left, key=lambda output: (output.complete, _created(output)))[-MOST:]
    return tuple(sorted(newest, key=_created))


def what_is_new(status: ScheduleStatus, look_back: int, since: datetime | None = None) -> Object:
    """Return the fields of `input` with which a run takes the objects that no run before it has scored.

    It looks back from the last complete run, but never further than the outputs remember. Without outputs, only the
    time of the last complete run counts. If `since` is given, it counts instead, and missing outputs are ignored.
    """
    looks_back = since or _looks_back(status, look_back)
    named = [_named(output, optional=since is not None or not output.complete) for output in status.outputs]
    fields: Object = {"since": format_time(looks_back)} if looks_back else {}
    if named:
        return {**fields, "notScoredBy": named}
    # It is not an error if there are no new objects.
    return {**fields, "allowEmpty": True} if fields else {}


def _looks_back(status: ScheduleStatus, look_back: int) -> datetime | None:
    complete = [output for output in status.outputs if output.complete]
    last = status.last_successful_time
    if last is None or not complete:
        return last
    return max([last - timedelta(seconds=look_back), *(output.since for output in complete if output.since)])


def _named(output: RunOutput, *, optional: bool) -> Object:
    return {"uri": output.uri, "optional": True} if optional else {"uri": output.uri}


def _output_of(job: Resource) -> RunOutput:
    return RunOutput(
        uri=job.spec["output"]["uri"],
        complete=job.phase == "Complete",
        since=job.spec["input"].get("since"),
        created=job.created,
    )


def _created(output: RunOutput) -> float:
    return output.created.timestamp() if output.created else 0.0
