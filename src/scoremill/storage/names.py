"""Names of objects below a root: data where they were read from a store, and then not to be believed."""

from __future__ import annotations

from scoremill.errors import StorageError

_HINT = (
    "Names are relative, with folders separated by single slashes. If a ledger holds it, the output was tampered with."
)


def readable_name(name: str, *, is_local: bool) -> str:
    """Return `name` if it stays below its root; StorageError otherwise. Keys of buckets may have empty folders."""
    steps = name.split("/")
    if "\0" in name or {".", ".."}.intersection(steps) or (is_local and "" in steps):
        raise StorageError(f"{name!r} does not name an object below its folder or bucket", _HINT)
    return name


def writable_name(name: str, *, is_local: bool) -> str:
    """The same for an object that is written or deleted: only the marker of a folder in a bucket ends in a slash."""
    readable_name(name if is_local else name.removesuffix("/"), is_local=True)
    return name
