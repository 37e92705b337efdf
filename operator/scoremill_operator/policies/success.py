"""A driver that ended with 0 completes the job, whatever else is asked by then: the output is there."""

from __future__ import annotations

from typing import Any

from scoremill import deploy
from scoremill.spec.status import ModelStatus, Outputs, Reason, RowCounts

from ..look import Look, Step


def complete(look: Look) -> Step | None:
    """Complete, with rows and outputs as the driver told them."""
    for driver in look.seen.drivers:
        outcome = deploy.outcome_of(driver)
        if outcome and outcome.code == 0:
            told = outcome.told
            changes = {
                "completion_time": look.now,
                "retry_time": None,
                "failure": None,
                "failure_list": (),
                "rows": RowCounts.model_validate(told.get("rows") or {}),
                "model": ModelStatus(digest=told.get("modelDigest")),
                "outputs": Outputs.model_validate(told.get("outputs") or {}),
            }
            return Step("Complete", Reason.ALL_ROWS_DONE, _rows(told.get("rows")), changes, again=0)
    return None


def _rows(rows: Any) -> str:
    if not rows:
        return "every row is scored or rejected"
    return (
        f"{rows.get('scored', 0):,} of {rows.get('total', 0):,} rows are scored, {rows.get('rejected', 0):,} rejected"
    )
