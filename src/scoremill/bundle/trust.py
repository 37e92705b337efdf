"""A model is code: it runs only if its digest is the one asked for, or its origin is allowed."""

from __future__ import annotations

import os
from collections.abc import Iterable

from scoremill.errors import TrustError
from scoremill.spec import Model
from scoremill.spec.mention import mention
from scoremill.storage.uri import is_local, local_path, protocol_of
from scoremill.units import quoted

TRUSTED_PREFIXES = "SCOREMILL_TRUSTED_PREFIXES"
"""Environment variable: URIs, separated by spaces or commas, below which bundles are trusted."""


def check_trust(model: Model, found: str, *, named_by_user: bool) -> None:
    """Return if the bundle of `model`, whose digest is `found`, can be unpickled; else raise TrustError."""
    if model.digest is not None:
        if model.digest != found:
            raise TrustError(
                f"{model.uri} has digest {found}, not {model.digest} as requested",
                f"If you trust that bundle, give the digest that `scoremill model inspect {model.uri}` shows.",
                code="DigestMismatch",
            )
        return
    if is_local(model.uri) and named_by_user:
        return
    prefixes = (*model.trusted_prefixes, *os.environ.get(TRUSTED_PREFIXES, "").replace(",", " ").split())
    if not is_below(model.uri, prefixes):
        raise TrustError(
            f"refusing to load untrusted model {quoted(model.uri)}: no digest is given, and no trusted prefix matches",
            f"If you trust it, give {mention('spec.model.digest', found)}, or a prefix of its URI with "
            f"`spec.model.trustedPrefixes` or {TRUSTED_PREFIXES}.",
        )


def check_types(holder: str, found: Iterable[str], trusted_types: Iterable[str]) -> None:
    """Return if the user trusts all types of `found`, which skops does not trust itself; else raise TrustError."""
    unknown = sorted(set(found) - set(trusted_types))
    if unknown:
        raise TrustError(
            f"{holder} holds types or functions that are not trusted: {', '.join(unknown)}",
            f"If you trust them, give {mention('spec.model.trustedTypes', unknown)}.",
            code="TypesUntrusted",
        )


def is_below(uri: str, prefixes: Iterable[str]) -> bool:
    """Return whether `uri` is one of `prefixes` or lies below one, segment by segment; never with `.`, `..` or `//` in it."""
    place = _segments(uri)
    return place is not None and any(
        (root := _segments(prefix)) is not None and place[: len(root)] == root for prefix in prefixes
    )


def _segments(uri: str) -> list[str] | None:
    """Protocol, bucket and folders; None where a segment could lead elsewhere, or there is no bucket."""
    path = local_path(uri)[1:] if is_local(uri) else uri.partition("://")[2].rstrip("/")
    segments = path.split("/")
    if any(segment in ("", ".", "..") or "\\" in segment or "%" in segment for segment in segments):
        return None
    return [protocol_of(uri), *segments]
