"""Proof, from the objects themselves, that an output is what its manifest says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from scoremill.errors import StorageError, VerificationError
from scoremill.naming import LEDGER, MANIFEST, SUCCESS
from scoremill.storage.filesystem import Store
from scoremill.storage.hashing import sha256
from scoremill.tabular.writers import count_rows

from .journal import Ledger, require_output, success_of
from .manifest import Entry, Totals, read_manifest

_REMOVE = "Remove the surplus objects: readers take them for predictions."
_RESTORE = "Restore the objects; or remove those that are surplus, and run the same `scoremill score` with `spec.output.mode: Overwrite`."
THREADS = 8
"""Objects read at a time: reading waits for the store more than for the processor."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What was proven."""

    totals: Totals
    method: str
    bundle: str


def verify(store: Store) -> Verified:
    """Read every object of the output again; VerificationError lists all that are missing, altered or surplus.

    UsageError if it is no output at all.
    """
    manifest = read_manifest(store)
    if manifest is None or store.info(SUCCESS) is None:
        if not store.list(f"{LEDGER}/"):
            require_output(store)
        raise VerificationError(
            f"{store.uri} is not complete: it has no {'manifest' if manifest is None else SUCCESS}",
            "Run the same `scoremill score` again; it resumes where it stopped.",
            code="OutputIncomplete",
        )
    entries = list(manifest.entries())
    found = set(Ledger(store).published())
    problems = [f"altered: {SUCCESS}"] if store.read(SUCCESS) != success_of(store.read(MANIFEST)) else []
    problems += [f"surplus: {name}" for name in sorted(found - {entry.part.name for entry in entries})]
    with ThreadPoolExecutor(THREADS) as pool:
        problems += filter(None, pool.map(lambda entry: _problem(store, entry, found), entries))
    problems += _sums(manifest.totals, entries)
    if problems:
        shown = problems[:20] + ([f"and {len(problems) - 20} more"] if len(problems) > 20 else [])
        is_surplus = all(problem.startswith("surplus") for problem in problems)
        raise VerificationError(
            f"{store.uri} is not what its manifest says:\n  " + "\n  ".join(shown),
            _REMOVE if is_surplus else _RESTORE,
            code="OutputAltered",
        )
    return Verified(manifest.totals, manifest.fields["method"], manifest.fields["bundle"])


def _problem(store: Store, entry: Entry, found: set[str]) -> str | None:
    part = entry.part
    if part.name not in found:
        return f"missing: {part.name}"
    try:
        with store.open(part.name) as file:
            if sha256(file) != part.sha256:
                return f"altered: {part.name}"
            file.seek(0)
            rows = count_rows(file, part.name)
    except (StorageError, OSError, ValueError) as error:
        return f"unreadable: {part.name}: {error}"
    return None if rows == part.rows else f"row count: {part.name} holds {rows} rows, the manifest says {part.rows}"


def _sums(totals: Totals, entries: list[Entry]) -> list[str]:
    scored = sum(entry.part.rows for entry in entries if entry.kind == "part")
    rejected = sum(entry.part.rows for entry in entries if entry.kind == "errors")
    if (scored, rejected, scored + rejected) == (totals.scored, totals.rejected, totals.rows):
        return []
    return [
        f"sums: {scored} scored and {rejected} rejected rows in the objects, {totals.scored} and {totals.rejected} "
        f"of {totals.rows} in the manifest"
    ]
