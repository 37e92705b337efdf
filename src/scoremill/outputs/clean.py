"""What earlier runs left behind: found first, removed only when asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scoremill.bundle.load import cache_folder
from scoremill.execute.coordinator.ship import SHIPPED
from scoremill.ledger import Lease, Ledger, is_part, read_manifest
from scoremill.naming import SUCCESS
from scoremill.storage.filesystem import Store


@dataclass(frozen=True, slots=True)
class LeftOver:
    """Something that no complete output needs."""

    kind: str
    """`upload`, `superseded part`, `shipped bundle`, `old retry` or `cached bundle`."""
    name: str
    size: int
    """Bytes; 0 where the store does not say."""


def left_overs(output: Store) -> Iterator[LeftOver]:
    """Unfinished uploads, parts that the manifest does not name, and retries older than the last that is complete."""
    for name in output.sweep(remove=False):
        yield LeftOver("upload", name, 0)
    manifest = read_manifest(output)
    if manifest is not None:
        named = {entry.part.name for entry in manifest.entries()}
        for name, info in Ledger(output).published().items():
            if is_part(name) and name not in named:
                yield LeftOver("superseded part", name, info.size)
        yield from (LeftOver("shipped bundle", info.name, info.size) for info in output.list(f"{SHIPPED}/"))
    retries = [info for info in output.list("_retries/") if info.name.split("/")[1].isdecimal()]
    complete = [info for info in retries if info.name.split("/")[2:] == [SUCCESS]]
    last = max((int(info.name.split("/")[1]) for info in complete), default=0)
    for info in retries:
        if int(info.name.split("/")[1]) < last:
            yield LeftOver("old retry", info.name, info.size)


def remove(output: Store) -> list[LeftOver]:
    """Remove what earlier runs left behind and return it. Raise LeaseError while a driver writes to the output.

    Found under the lease: what a driver was about to name in its manifest is no left-over.
    """
    lease = Lease.acquire(output)
    try:
        found = list(left_overs(output))
        if any(each.kind == "upload" for each in found):
            output.sweep()
        output.delete(each.name for each in found if each.kind != "upload")
        return found
    finally:
        lease.release()


def cached_bundles() -> Iterator[LeftOver]:
    """Bundles that were fetched to this machine."""
    for folder in sorted(cache_folder().iterdir()):
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        yield LeftOver("cached bundle", str(folder), size)


def remove_cached(found: list[LeftOver]) -> None:
    """Removes cached bundles; they are fetched again when they are needed."""
    for each in found:
        shutil.rmtree(Path(each.name), ignore_errors=True)
