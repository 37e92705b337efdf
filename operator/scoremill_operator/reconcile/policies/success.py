"""A driver that ended with 0 completes the job, whatever else is requested by then: the output exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from scoremill.kubernetes import diagnosis
from scoremill.spec.resources.status import JobStatus

from ..job_reasons import completed
from ..job_state import JobState, Transition


def complete(state: JobState) -> Transition | None:
    """Complete, with rows and outputs as the driver left them."""
    for driver in state.observed.drivers:
        outcome = diagnosis.outcome_of(driver)
        if outcome and outcome.exit_code == 0:
            results = _results(outcome.termination)
            cleared = {"retry_time": None, "failure": None, "failed_objects": ()}
            why = completed(results.get("rows"), results.get("rejected_files"))
            return Transition("Complete", why, {"completion_time": state.now, **cleared, **results}, requeue_after=0)
    return None


def _results(left: Mapping[str, Any]) -> dict[str, Any]:
    """Return the termination message as fields of the status; empty if it is not valid."""
    fields = {
        "rows": left.get("rows") or {},
        "rejectedFiles": left.get("rejectedFiles"),
        "model": {"digest": left.get("modelDigest")},
        "outputs": left.get("outputs") or {},
    }
    try:
        status = JobStatus.model_validate(fields)
    except ValidationError:
        return {}
    return {name: getattr(status, name) for name in ("rows", "rejected_files", "model", "outputs")}
