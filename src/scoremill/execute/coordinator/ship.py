"""Upload a local bundle next to the output, by digest, for workers that do not share files with this machine."""

from __future__ import annotations

from dataclasses import replace

from scoremill.bundle import Bundle
from scoremill.bundle.schema import MANIFEST
from scoremill.naming import LEDGER
from scoremill.spec import Storage
from scoremill.storage.filesystem import Store, is_local
from scoremill.worker.work import Work

SHIPPED = f"{LEDGER}/bundles"
"""Folder in the output, with one folder per digest; deleted when the output is complete."""
_CHUNK = 2**24


def ship(work: Work, bundle: Bundle, output: Store) -> Work:
    """Return `work` with a bundle that every worker can read; unchanged if they can already.

    Others might be able to write to the output, so workers check every file against the digest that the driver read.
    """
    if not is_local(bundle.uri) or is_local(output.uri):
        return work
    folder = f"{SHIPPED}/{bundle.digest.removeprefix('sha256:')}"
    source = Store(bundle.uri, Storage())
    for name in (*bundle.files, MANIFEST):
        _copy(source, name, output, f"{folder}/{name}")
    shipped = replace(work.model, uri=f"{output.uri}/{folder}", storage=work.output_storage)
    return replace(work, model=shipped)


def _copy(source: Store, name: str, target: Store, copy: str) -> None:
    there, here = target.info(copy), source.info(name)
    if there is not None and here is not None and there.size == here.size:
        return
    with source.open(name) as file, target.publish(copy) as stream:
        while chunk := file.read(_CHUNK):
            stream.write(chunk)


def forget(output: Store) -> None:
    """Delete the uploaded bundles: a complete output needs no model."""
    output.delete([info.name for info in output.list(f"{SHIPPED}/")])
