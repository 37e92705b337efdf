"""The ledger in the output: what was planned, what has happened, and nothing else that a run needs to go on."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from typing import Any

from scoremill.errors import UsageError, VerificationError
from scoremill.naming import ERRORS, LEDGER, MANIFEST, SUCCESS
from scoremill.storage.filesystem import ObjectInfo, Store
from scoremill.storage.listing.nearby import did_you_mean, does_not_exist

from .lease import Lease
from .receipt import Receipt

FORMAT = 1
"""Version of the ledger's format; older ones are read, newer ones refused."""
FLUSH_SECONDS = 5.0
FLUSH_RECEIPTS = 1000
JOB = f"{LEDGER}/job.json"
EARLIER = f"{LEDGER}/earlier.parquet"
"""Objects that the outputs of the job's `notScoredBy` had scored."""


class Ledger:
    """Reads at any time; writes only under a lease."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._lease: Lease | None = None
        self._held: list[Receipt] = []
        self._flushed = time.monotonic()
        self._segment = 0

    def hold(self, lease: Lease) -> None:
        """From now on this ledger writes, each segment under the lease's number."""
        self._lease = lease

    # -- what was asked --------------------------------------------------------------------------------------------
    def job(self) -> dict[str, Any] | None:
        """Return the recorded job of the output, or None; raise UsageError for a newer format."""
        fields = read_document(self.store, JOB, "Restore it, or choose another output.")
        if fields is not None and fields["formatVersion"] > FORMAT:
            raise UsageError(
                f"{self.store.uri} was written by a newer scoremill (ledger format {fields['formatVersion']})",
                f"Update scoremill; this one knows formats up to {FORMAT}.",
                code="OutputVersion",
            )
        return fields

    def begin(self, fields: dict[str, Any]) -> None:
        """Record the job of the output."""
        self._check()
        self.store.write(JOB, json.dumps({"formatVersion": FORMAT, **fields}, indent=1).encode())

    def plan_segments(self) -> list[bytes]:
        return [self.store.read(info.name) for info in self.store.list(f"{LEDGER}/plan")]

    def add_plan_segment(self, segment: bytes) -> None:
        """Appends to the plan; each continuation with new input has a segment of its own."""
        self._check()
        number = len(self.store.list(f"{LEDGER}/plan"))
        if not self.store.create(f"{LEDGER}/plan/{number:06d}.parquet", segment):
            raise UsageError(
                f"two drivers extend the plan of {self.store.uri}", "Run the command again.", code="OutputExists"
            )

    def earlier(self) -> bytes | None:
        """Return what `remember` wrote; None if nothing was."""
        return None if self.store.info(EARLIER) is None else self.store.read(EARLIER)

    def remember(self, earlier: bytes) -> None:
        """Record the objects that earlier runs scored, for the runs that follow this output."""
        self._check()
        self.store.write(EARLIER, earlier)

    # -- what has happened -----------------------------------------------------------------------------------------
    def receipts(self) -> Iterator[Receipt]:
        """Every receipt, in the order in which they were written."""
        for info in self.store.list(f"{LEDGER}/receipts"):
            for line in self.store.read(info.name).splitlines():
                try:
                    yield Receipt.from_json(json.loads(line))
                except (ValueError, KeyError, TypeError):
                    raise VerificationError(
                        f"{self.store.uri}/{info.name} is damaged",
                        "Restore or delete it, then run the same `scoremill score` again: its partitions are scored again.",
                        code="LedgerDamaged",
                    ) from None

    def latest(self) -> list[Receipt]:
        """The last receipt of each partition: it has a second one once the lines of its rejected rows are numbered."""
        return list({(receipt.number, receipt.id): receipt for receipt in self.receipts()}.values())

    def append(self, receipt: Receipt) -> None:
        """Holds a receipt and flushes when there are many or the last flush is long ago."""
        self._held.append(receipt)
        if len(self._held) >= FLUSH_RECEIPTS or time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Writes the held receipts as one create-only segment."""
        self._flushed = time.monotonic()
        if not self._held:
            return
        number = self._check().number
        segment = "".join(f"{receipt.to_json()}\n" for receipt in self._held).encode()
        name = f"{LEDGER}/receipts/{number:06d}-{self._segment:08d}.jsonl"
        if not self.store.create(name, segment):
            raise UsageError(f"{self.store.uri}/{name} exists already", "Run the command again.", code="OutputExists")
        self._held, self._segment = [], self._segment + 1

    # -- what is published -----------------------------------------------------------------------------------------
    def published(self) -> dict[str, ObjectInfo]:
        """Objects below the output that readers or verify would count: parts, errors and objects that do not belong to the output; no hidden ones."""
        return {
            info.name: info
            for info in self.store.list()
            if info.name[0] not in "._" or info.name.startswith(f"{ERRORS}/")
        }

    def confirm(self) -> None:
        """Says again that the output is complete, where a driver died behind the manifest and before that."""
        self._check()
        if self.store.info(SUCCESS) is None:
            self.store.write(SUCCESS, success_of(self.store.read(MANIFEST)))

    def reopen(self) -> None:
        """Takes back the claim that the output is complete."""
        self._check()
        self.store.delete([SUCCESS])
        self.store.delete([MANIFEST])
        self.store.delete(info.name for info in self.store.list(f"{LEDGER}/manifest"))

    def discard(self, receipts: Iterable[Receipt]) -> None:
        """Deletes the objects that these receipts name."""
        self._check()
        self.store.delete(part.name for receipt in receipts for part in receipt.objects)

    def erase(self, names: Iterable[str] = ()) -> None:
        """Deletes what the ledger's receipts and its plan (`names`) name, and then the ledger, but nothing else."""
        self.reopen()
        self.discard(self.receipts())
        self.store.delete(names)
        for folder in ("receipts", "plan", "report"):
            self.store.delete(info.name for info in self.store.list(f"{LEDGER}/{folder}"))
        self.store.delete([JOB, EARLIER])

    def _check(self) -> Lease:
        if self._lease is None:
            raise RuntimeError("a ledger writes only under a lease")
        self._lease.check()
        return self._lease


def success_of(manifest: bytes) -> bytes:
    """Return what `_SUCCESS` holds, for programs that read nothing else: the manifest's name, digest and totals, as JSON."""
    digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    return json.dumps({"manifest": MANIFEST, "digest": digest, "totals": json.loads(manifest)["totals"]}).encode()


def read_document(store: Store, name: str, hint: str) -> dict[str, Any] | None:
    """Return the JSON of a document of the ledger, None if it is missing; raise VerificationError if it is damaged."""
    if store.info(name) is None:
        return None
    try:
        fields: dict[str, Any] = json.loads(store.read(name))
        int(fields["formatVersion"])
    except (ValueError, KeyError, TypeError):
        raise VerificationError(f"{store.uri}/{name} is damaged", hint, code="LedgerDamaged") from None
    return fields


def require_output(store: Store) -> dict[str, Any]:
    """Return the recorded job of the output at `store`; raise UsageError if it is not an output of scoremill."""
    fields = Ledger(store).job()
    if fields is not None:
        return fields
    wanted = "Name the folder or prefix that the run was given as `spec.output.uri`."
    if does_not_exist(store.uri):
        raise UsageError(
            f"no such output: {store.uri}", did_you_mean(store.uri, store.settings, wanted), code="OutputNotFound"
        )
    raise UsageError(f"{store.uri} is not an output of scoremill", wanted, code="NotAnOutput")


def is_part(name: str) -> bool:
    """Return whether an object's name is that of a part or of an errors object."""
    return name.rsplit("/", 1)[-1].startswith("part-") or name.startswith(f"{ERRORS}/")
