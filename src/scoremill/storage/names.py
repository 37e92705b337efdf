"""Names of objects below a root: data where they were read from a store, and then not to be believed."""

from __future__ import annotations

from scoremill.errors import StorageError

_HINT = (
    "Names are relative, with folders separated by single slashes. If a ledger holds it, the output was tampered with."
)


def readable_name(name: str) -> str:
    """Return `name` if it stays below its root; StorageError otherwise. Keys of buckets may have empty folders."""
    if "\0" in name or any(step in {".", ".."} for step in name.split("/")):
        raise StorageError(f"{name!r} does not name an object below its folder or bucket", _HINT)
    return name


def writable_name(name: str) -> str:
    """Return `name` if it stays below its root, however it is spelled; StorageError otherwise."""
    if not all(readable_name(name).split("/")):
        raise StorageError(f"{name!r} does not name an object below its folder or bucket", _HINT)
    return name
