"""Start a run: continue the plan in the output or store a new one, and refuse objects that would confuse readers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from scoremill.errors import UsageError
from scoremill.ledger import Ledger, is_part
from scoremill.naming import partition_of
from scoremill.planning import Plan, Settings, read_groups, write_groups
from scoremill.spec import JobSpec, ScoringJob

from .prepare import Prepared
from .proofs import Proofs


def settle(ledger: Ledger, prepared: Prepared, job: ScoringJob, uid: str | None = None) -> tuple[Plan, bool]:
    """Return the plan to execute, and whether it continues an earlier run or an earlier attempt of the job `uid`."""
    recorded = ledger.job()
    if recorded is not None:
        # Another run might have started it while this one waited for the lease.
        _refuse_existing(recorded, ledger, job.spec.output.mode, uid)
        earlier = _earlier_plan(recorded, ledger, job.spec.output.mode)
        plan = earlier and _continued(recorded, earlier, prepared.plan, job.spec, uid)
        if plan and earlier:
            _remember(ledger, plan)
            added = plan.groups[len(earlier.groups) :]
            if added:
                ledger.reopen()
                ledger.add_plan_segment(write_groups(added))
            return plan, True
        # Objects of a killed driver too, which no receipt names.
        ledger.erase(named_by(Proofs(earlier), ledger.published()) if earlier else ())
    ledger.begin(_job_fields(prepared, job))
    _remember(ledger, prepared.plan)
    ledger.add_plan_segment(write_groups(prepared.plan.groups))
    return prepared.plan, False


def refuse_other_plan(ledger: Ledger, plan: Plan, job: JobSpec, uid: str | None) -> None:
    """Raise UsageError if `plan` can neither continue nor replace the plan in the output."""
    recorded, mode = ledger.job(), job.output.mode
    if recorded is not None and "compactedFrom" not in recorded and mode != "ErrorIfExists":
        earlier = _earlier_plan(recorded, ledger, mode)
        if earlier:
            _continued(recorded, earlier, plan, job, uid)


def _remember(ledger: Ledger, plan: Plan) -> None:
    if plan.earlier is not None:
        ledger.remember(plan.earlier.to_bytes())


def _continued(recorded: dict[str, Any], earlier: Plan, plan: Plan, job: JobSpec, uid: str | None) -> Plan | None:
    """Return `plan` as the continuation of `earlier`; None if the output's mode requires starting over.

    With `Overwrite`, attempts of one job overwrite the output of other jobs, but continue each other's if possible.
    """
    overwrites = job.output.mode == "Overwrite"
    if overwrites and not _is_own(recorded, uid):
        return None
    if job.model.batch_rows is None:
        # Packed again elsewhere, the same bundle can have another measured number.
        plan = replace(plan, settings=replace(plan.settings, batch_rows=earlier.settings.batch_rows))
    try:
        return plan.following(earlier)
    except UsageError:
        if overwrites:
            return None
        raise


def _is_own(recorded: dict[str, Any], uid: str | None) -> bool:
    """Return whether the ScoringJob with this uid created the output."""
    return uid is not None and recorded.get("job", {}).get("metadata", {}).get("uid") == uid


def _earlier_plan(recorded: dict[str, Any], ledger: Ledger, mode: str) -> Plan | None:
    """Return the plan in the ledger; None if another version wrote it and `mode` is Overwrite."""
    try:
        settings = Settings.from_json(recorded["settings"])
    except UsageError:
        if mode == "Overwrite":
            return None
        raise
    return Plan(settings, read_groups(ledger.plan_segments()))


def named_by(proofs: Proofs, names: Iterable[str]) -> list[str]:
    """Return those of `names` that belong to partitions of the plan of `proofs`."""
    return [name for name in names if (partition := partition_of(name)) and proofs.knows(*partition)]


_NOT_RECORDED: Any = {
    "spec": {
        **dict.fromkeys(("cluster", "credentials", "storage"), True),
        "model": {"storage"},
        "input": {"storage"},
        "output": {"storage"},
    }
}


def _job_fields(prepared: Prepared, job: ScoringJob) -> dict[str, Any]:
    return {
        "name": job.metadata.name,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "bundle": prepared.bundle.uri,
        "settings": prepared.plan.settings.as_json(),
        # Used by `scoremill retry`, which takes cluster, stores and credentials from its own options.
        "job": job.model_copy(update={"spec": prepared.job}).model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude=_NOT_RECORDED
        ),
    }


def refuse_foreign_objects(ledger: Ledger, mode: str, uid: str | None = None) -> None:
    """Raise UsageError if the output holds objects that readers would take for parts, or must be new and exists.

    Objects from earlier attempts of the ScoringJob `uid` are no problem.
    """
    recorded = ledger.job()
    if recorded is not None:
        if "compactedFrom" in recorded:
            raise UsageError(
                f"{ledger.store.uri} was written by `scoremill compact`",
                "Choose another output.",
                code="OutputCompacted",
            )
        _refuse_existing(recorded, ledger, mode, uid)
    has_parts = recorded is not None
    foreign = [name for name in ledger.published() if not (has_parts and is_part(name)) and name[0] not in "._"]
    if foreign:
        raise UsageError(
            f"{ledger.store.uri} holds objects that do not belong to this output, such as {foreign[0]}",
            "Choose an empty folder or prefix, because readers would take these objects for predictions.",
            code="OutputNotEmpty",
        )


def _refuse_existing(recorded: dict[str, Any], ledger: Ledger, mode: str, uid: str | None) -> None:
    if mode == "ErrorIfExists" and not _is_own(recorded, uid):
        raise UsageError(
            f"{ledger.store.uri} exists already",
            "Choose another output, or give `spec.output.mode: Resume` or `spec.output.mode: Overwrite`.",
            code="OutputExists",
        )
