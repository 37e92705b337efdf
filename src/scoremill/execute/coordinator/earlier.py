"""Objects that earlier jobs have scored, read from the ledgers of their outputs."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pyarrow as pa

from scoremill.discovery import Earlier
from scoremill.errors import UsageError, VerificationError
from scoremill.ledger import Ledger, read_manifest
from scoremill.planning import read_groups
from scoremill.spec import EarlierOutput, JobSpec
from scoremill.storage.filesystem import Store, find_outputs
from scoremill.storage.uri import canonical, has_wildcard

_THREADS = 16


def earlier_of(job: JobSpec) -> Earlier | None:
    """Return the objects that the outputs of `input.notScoredBy` have scored; None if the job names none.

    The job's own output never counts, so that the job can resume. Raises UsageError if a required output is not complete,
    or if an output no longer remembers objects as old as the job reads.
    """
    if not job.input.not_scored_by:
        return None
    since = job.input.since if isinstance(job.input.since, datetime) else None
    own = canonical(job.output.uri).rstrip("/")
    outputs = [output for output in _outputs(job) if canonical(output.uri).rstrip("/") != own]
    with ThreadPoolExecutor(_THREADS) as pool:
        scored = pool.map(
            lambda output: _scored(Store(output.uri, job.output_storage), output.optional, since), outputs
        )
    return Earlier.joined([part for parts in scored for part in parts], since)


def _outputs(job: JobSpec) -> Iterator[EarlierOutput]:
    """Yield the outputs one by one; a glob expands to the complete outputs that it matches."""
    for output in job.input.not_scored_by:
        if not has_wildcard(output.uri):
            yield output
            continue
        for uri in find_outputs(output.uri, job.output_storage):
            yield EarlierOutput(uri=uri, optional=True)


def _scored(output: Store, optional: bool, since: datetime | None) -> list[Earlier]:
    """Return the objects that a complete output has scored, and those that it remembers from outputs before it."""
    ledger = Ledger(output)
    # Read the plan before the manifest: if the output is complete afterwards, all of that plan is scored.
    segments, remembered = ledger.plan_segments(), ledger.earlier()
    if read_manifest(output) is None:
        if optional:
            return []
        raise VerificationError(
            f"{output.uri} is not a complete output, so the list of objects that it scored is not final",
            "Complete it with the command that started it, or remove it from `spec.input.notScoredBy`.",
            code="OutputIncomplete",
        )
    if not segments and not optional:
        raise UsageError(
            f"{output.uri} was written by `scoremill compact` and does not record which objects were scored",
            "Name the output that was compacted.",
            code="OutputCompacted",
        )
    scored = [Earlier.of(source for group in read_groups(segments) for source in group.sources)]
    return [*scored, _remembered(output, remembered, since)] if remembered is not None else scored


def _remembered(output: Store, data: bytes, since: datetime | None) -> Earlier:
    try:
        earlier = Earlier.from_bytes(data)
    except (pa.ArrowInvalid, OSError, ValueError) as error:
        raise VerificationError(
            f"the ledger of {output.uri} is damaged: {error}", "Restore it from a backup.", code="LedgerDamaged"
        ) from None
    if earlier.since is not None and (since is None or since < earlier.since):
        moment = earlier.since.isoformat().replace("+00:00", "Z")
        raise UsageError(
            f"{output.uri} remembers only objects modified since {moment}",
            f"Give `spec.input.since: {moment}` or a later time.",
        )
    return earlier
