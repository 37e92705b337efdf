"""A driver that ended with 0 completes the job, whatever else is asked by then: the output is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from scoremill.kubernetes import diagnosis
from scoremill.spec.resources.status import JobStatus, Reason, RowCounts

from ..look import Look, Step


def complete(look: Look) -> Step | None:
    """Complete, with rows and outputs as the driver told them."""
    for driver in look.seen.drivers:
        outcome = diagnosis.outcome_of(driver)
        if outcome and outcome.exit_code == 0:
            results = _results(outcome.told)
            cleared = {"retry_time": None, "failure": None, "failed_objects": ()}
            changes = {"completion_time": look.now, **cleared, **results}
            message = _sentence(results.get("rows"), results.get("rejected_files"))
            return Step("Complete", Reason.ALL_ROWS_DONE, message, changes, again=0)
    return None


def _results(told: Mapping[str, Any]) -> dict[str, Any]:
    """What the driver told, as the status has it; nothing where it is not what a driver of ours tells."""
    fields = {
        "rows": told.get("rows") or {},
        "rejectedFiles": told.get("rejectedFiles"),
        "model": {"digest": told.get("modelDigest")},
        "outputs": told.get("outputs") or {},
    }
    try:
        status = JobStatus.model_validate(fields)
    except ValidationError:
        return {}
    return {name: getattr(status, name) for name in ("rows", "rejected_files", "model", "outputs")}


def _sentence(rows: RowCounts | None, rejected_files: int | None) -> str:
    if rows is None or rows.total is None:
        return "every row is scored or rejected"
    files = f"; {rejected_files:,} input objects could not be read" if rejected_files else ""
    return f"{rows.scored or 0:,} of {rows.total:,} rows are scored, {rows.rejected or 0:,} rejected{files}"
