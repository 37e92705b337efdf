"""Names of objects below a root: data where they were read from a store, and then not to be believed."""

from __future__ import annotations

import os

from scoremill.errors import StorageError
from scoremill.units import quoted

_HINT = (
    "Names are relative, with folders separated by single slashes. If a ledger holds it, the output was tampered with."
)


def readable_name(name: str, *, is_local: bool) -> str:
    """Return `name` if it stays below its root; raise StorageError otherwise. Keys of buckets can have empty folders."""
    if not is_below_its_root(name, is_local=is_local):
        raise StorageError(
            f"{quoted(name)} does not name an object below its folder or bucket", _HINT, code="FileSystemFailed"
        )
    return name


def writable_name(name: str, *, is_local: bool) -> str:
    """The same for an object that is written or deleted: only the marker of a folder in a bucket ends in a slash."""
    readable_name(name if is_local else name.removesuffix("/"), is_local=True)
    return name


def is_below_its_root(name: str, *, is_local: bool = True) -> bool:
    """Return whether `name` is one that an object below any root could have."""
    steps = name.split("/")
    has_step_elsewhere = bool({".", ".."}.intersection(steps)) or (is_local and "" in steps)
    return "\0" not in name and not has_step_elsewhere and _is_encodable(name, is_local=is_local)


def _is_encodable(name: str, *, is_local: bool) -> bool:
    """Return whether a store could have an object of this name; JSON can hold texts that are no Unicode."""
    try:
        os.fsencode(name) if is_local else name.encode()
    except UnicodeEncodeError:
        return False
    return True
