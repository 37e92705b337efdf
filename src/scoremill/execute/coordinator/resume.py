"""The beginning of a run: the output's own plan, continued or begun, and nothing in the way of readers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from scoremill.errors import UsageError
from scoremill.ledger import Ledger, is_part
from scoremill.naming import partition_of
from scoremill.planning import Plan, Settings, read_groups, write_groups
from scoremill.spec import ScoringJob

from .prepare import Prepared
from .proofs import Proofs


def settle(ledger: Ledger, prepared: Prepared, job: ScoringJob, uid: str | None = None) -> tuple[Plan, bool]:
    """The plan that this output has from now on, and whether an earlier run, or attempt of the job `uid`, began it."""
    begun = ledger.job()
    if begun is not None:
        # It may have been begun while this one waited for the lease.
        _refuse_begun(begun, ledger, job.spec.output.mode, uid)
        earlier = _earlier_plan(begun, ledger, job.spec.output.mode)
        plan = earlier and _continued(begun, earlier, prepared.plan, job.spec.output.mode, uid)
        if plan and earlier:
            _remember(ledger, plan)
            added = plan.groups[len(earlier.groups) :]
            if added:
                ledger.reopen()
                ledger.add_plan_segment(write_groups(added))
            return plan, True
        # Those of a killed driver too, which no receipt names.
        ledger.erase(named_by(Proofs(earlier), ledger.published()) if earlier else ())
    ledger.begin(_job_fields(prepared, job))
    _remember(ledger, prepared.plan)
    ledger.add_plan_segment(write_groups(prepared.plan.groups))
    return prepared.plan, False


def refuse_other_plan(ledger: Ledger, plan: Plan, mode: str, uid: str | None) -> None:
    """Raise UsageError if `plan` cannot continue what is in the output, and may not replace it either."""
    begun = ledger.job()
    if begun is not None and "compactedFrom" not in begun and mode != "ErrorIfExists":
        earlier = _earlier_plan(begun, ledger, mode)
        if earlier:
            _continued(begun, earlier, plan, mode, uid)


def _remember(ledger: Ledger, plan: Plan) -> None:
    if plan.earlier is not None:
        ledger.remember(plan.earlier.to_bytes())


def _continued(begun: dict[str, Any], earlier: Plan, plan: Plan, mode: str, uid: str | None) -> Plan | None:
    """`plan` as the continuation of `earlier`; None where `mode` is to begin anew.

    Attempts of one job overwrite what others made, not each other's work, unless it cannot be gone on with.
    """
    overwrites = mode == "Overwrite"
    if overwrites and not _is_own(begun, uid):
        return None
    try:
        return plan.following(earlier)
    except UsageError:
        if overwrites:
            return None
        raise


def _is_own(begun: dict[str, Any], uid: str | None) -> bool:
    """Whether the ScoringJob of that uid began the output."""
    return uid is not None and begun.get("job", {}).get("metadata", {}).get("uid") == uid


def _earlier_plan(begun: dict[str, Any], ledger: Ledger, mode: str) -> Plan | None:
    """The plan in the ledger; None if another version wrote it and it is to be overwritten."""
    try:
        settings = Settings.from_json(begun["settings"])
    except UsageError:
        if mode == "Overwrite":
            return None
        raise
    return Plan(settings, read_groups(ledger.plan_segments()))


def named_by(proofs: Proofs, names: Iterable[str]) -> list[str]:
    """Those of `names` that partitions of a plan give to their objects."""
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
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        "bundle": prepared.bundle.uri,
        "settings": prepared.plan.settings.as_json(),
        # What retries begin from: how clusters and stores are reached is no part of it.
        "job": job.model_copy(update={"spec": prepared.job}).model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude=_NOT_RECORDED
        ),
    }


def refuse_strangers(ledger: Ledger, mode: str, uid: str | None = None) -> None:
    """UsageError where readers would see other objects beside the parts, or where nothing may be there yet.

    What an earlier attempt of the ScoringJob `uid` began is no stranger.
    """
    begun = ledger.job()
    if begun is not None:
        if "compactedFrom" in begun:
            raise UsageError(
                f"{ledger.store.uri} was made by `scoremill compact`", "Choose another output.", code="OutputCompacted"
            )
        _refuse_begun(begun, ledger, mode, uid)
    is_begun = begun is not None
    strangers = [name for name in ledger.published() if not (is_begun and is_part(name)) and name[0] not in "._"]
    if strangers:
        raise UsageError(
            f"{ledger.store.uri} holds objects that are not this output's, such as {strangers[0]}",
            "Choose an empty folder or prefix: readers would take them for predictions.",
            code="OutputNotEmpty",
        )


def _refuse_begun(begun: dict[str, Any], ledger: Ledger, mode: str, uid: str | None) -> None:
    if mode == "ErrorIfExists" and not _is_own(begun, uid):
        raise UsageError(
            f"{ledger.store.uri} exists already",
            "Choose another output, or give --mode Resume or --mode Overwrite.",
            code="OutputExists",
        )
