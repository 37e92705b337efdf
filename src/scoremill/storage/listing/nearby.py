"""Names that exist and are close to one that does not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from scoremill.errors import ScoremillError
from scoremill.naming import nearest
from scoremill.spec import Storage

from ..store import DEFAULTS, Store
from ..uri import is_local, local_path, normalise, protocol_of

_WILDCARD = re.compile(r"[*?\[]")
_CLOSE = 0.7
_MOST, _LEVELS = 3, 3
"""Names that are given, and folders that are looked into, each a request to a store."""


def nearby(uri: str, settings: Storage = DEFAULTS) -> list[str]:
    """Return URIs that differ from `uri` in one misspelled name; none if the store cannot be asked.

    The name is that of the first folder or object on the way that does not exist.
    """
    uri = normalise(uri)
    start = _start(uri)
    steps = uri[start:].split("/")
    literal = next((at for at, step in enumerate(steps) if _WILDCARD.search(step)), len(steps))
    try:
        for at in reversed(range(max(0, literal - _LEVELS), literal)):
            if there := Store(uri[:start] + "/".join(steps[:at]) or ".", settings).children():
                is_folder = at < len(steps) - 1
                names = [name.rstrip("/") for name in there if name.endswith("/") or not is_folder]
                return [
                    uri[:start] + "/".join([*steps[:at], name, *steps[at + 1 :]]) for name in _close(steps[at], names)
                ]
    except ScoremillError:
        return []
    return []


def _start(uri: str) -> int:
    """Where the path begins: behind a bucket, or the root of the file system."""
    scheme = uri.find("://") + 3 if "://" in uri else 0
    if protocol_of(uri) in {"s3", "gs"}:
        slash = uri.find("/", scheme)
        return len(uri) if slash < 0 else slash + 1
    return scheme + (uri[scheme : scheme + 1] == "/")


def _close(wanted: str, names: Sequence[str]) -> list[str]:
    """Return the names that are most like `wanted`, those that differ in their case or extension only first."""
    if wanted in names:
        return []
    shown = {name: name.casefold() for name in names if name[:1] not in "._" or wanted[:1] == name[:1]}
    stem = wanted.casefold().partition(".")[0]
    same = [name for name, folded in shown.items() if stem and folded.partition(".")[0] == stem]
    return list(dict.fromkeys([*same, *nearest(wanted, shown, _MOST, likeness=_CLOSE)]))[:_MOST]


def does_not_exist(uri: str) -> bool:
    """Return whether `uri` is a path on this machine that does not exist."""
    return is_local(uri) and not Path(local_path(uri)).exists()


def did_you_mean(uri: str, settings: Storage, otherwise: str) -> str:
    """Return the hint that names what is closest to the missing `uri`; else `otherwise`."""
    close = nearby(uri, settings)
    return f"Did you mean {' or '.join(close)}?" if close else otherwise
