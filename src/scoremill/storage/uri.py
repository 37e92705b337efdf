"""URIs as users write them: `s3://bucket/key`, `gs://bucket/key`, `file:///folder`, or a plain path."""

from __future__ import annotations

import os
import re
from pathlib import Path

from scoremill.errors import UsageError
from scoremill.spec.secrecy import is_secret

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_QUERY = re.compile(r"https?://[^?#]*[?#]|(?:abfss?|az|adl|wasbs?)://.*[?&]\w+=", re.IGNORECASE | re.DOTALL)
"""URIs that could contain a signature. A question mark alone is a wildcard in URIs without queries."""
_NAMES_IN_QUERY = re.compile(r"[?&]([\w-]+)=")
_USERS_ARE_NAMES = {"abfs", "abfss", "wasb", "wasbs", "sftp", "ssh", "ftp", "smb", "hdfs", "webhdfs"}
"""Protocols that write a container or an account before the @; elsewhere it can only be a credential."""
WILDCARD = re.compile(r"[*?\[]")
_SAME = {"": "file", "local": "file", "s3a": "s3", "gcs": "gs"}


def protocol_of(uri: str) -> str:
    """`file`, `s3`, `gs`, `memory` or another protocol of fsspec's, in lower case."""
    match = _SCHEME.match(uri)
    name = match[1].lower() if match else ""
    return _SAME.get(name, name)


def is_local(uri: str) -> bool:
    """Return whether `uri` is a path on this machine."""
    return protocol_of(uri) == "file"


def normalise(uri: str) -> str:
    """Return `uri` without trailing slashes; raise UsageError if it is empty, chained, or can hold a credential."""
    if not uri.strip():
        raise UsageError(
            "a storage location is empty", "Give a path or a URI such as s3://bucket/prefix.", code="InvalidUri"
        )
    scheme, _, rest = uri.partition("://")
    if "::" in scheme:
        raise UsageError(
            f"chained locations are not read: {scheme}://…",
            "Give the location itself, such as s3://bucket/prefix.",
            code="InvalidUri",
        )
    match = _SCHEME.match(uri)
    if match and (
        _holds_user(protocol_of(uri), re.split(r"[/?#]", rest, maxsplit=1)[0])
        or _QUERY.match(uri)
        or any(map(is_secret, _NAMES_IN_QUERY.findall(uri)))
    ):
        raise UsageError(
            f"a {scheme}:// location holds a user, a password or a query, which would be logged",
            "Put credentials in `spec.storage.optionsFile`, or in the environment.",
            code="SecretExposed",
        )
    start = match.end() if match else 0
    return uri[:start] + (uri[start:].rstrip("/") or ("/" if uri[start : start + 1] == "/" else ""))


def _holds_user(protocol: str, authority: str) -> bool:
    user, found, _ = authority.rpartition("@")
    if protocol in {"s3", "gs"} and ":" in authority and not authority.startswith("arn:"):
        # A slash in the secret can end the authority too early; no bucket's name has a colon.
        return True
    return bool(found) and (":" in user or protocol not in _USERS_ARE_NAMES)


def local_path(uri: str) -> str:
    """The absolute path of a local `uri`."""
    return os.path.abspath(Path(_SCHEME.sub("", uri, count=1)).expanduser())  # noqa: PTH100 - links stay


def join(root: str, name: str) -> str:
    """The URI of the object `name` below `root`, for people."""
    return f"{root.rstrip('/')}/{name}" if name else root


def absolute(uri: str) -> str:
    """Return `uri` with an absolute path if it is local."""
    return local_path(uri) if protocol_of(uri) == "file" and uri.strip() else uri


def has_wildcard(uri: str) -> bool:
    """Return whether `uri` is a glob."""
    return WILDCARD.search(uri) is not None


def canonical(uri: str) -> str:
    """Return the canonical spelling of a URI: `s3a://b` is `s3://b`, paths are absolute."""
    protocol = protocol_of(uri)
    if protocol == "file":
        return local_path(uri)
    return f"{protocol}://{uri.partition('://')[2]}"
