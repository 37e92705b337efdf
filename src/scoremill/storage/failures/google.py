"""Errors of Google Cloud Storage, with what its JSON says about them; gcsfs drops most of that."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_CODES = {
    "accountDisabled": "AccountProblem",
    "quotaExceeded": "QuotaExceeded",
    "rateLimitExceeded": "TooManyRequests",
    "userRateLimitExceeded": "TooManyRequests",
    "userProjectMissing": "RequesterPays",
    "AuthenticationRequiredRequesterPays": "RequesterPays",
    "methodNotAllowed": "MethodNotAllowed",
    "retentionPolicyNotMet": "ObjectLocked",
    "objectUnderActiveHold": "ObjectLocked",
}
"""Google's reasons, and the codes by which they are known here: S3's, if it has one for the same."""
_PHRASES = {
    "requester pays": "RequesterPays",
    "bucket does not exist": "NoSuchBucket",
    "bucket name": "InvalidBucketName",
    "appendable objects": "InvalidBucketState",
    "cloud kms": "KMS",
    "billing account": "AccountProblem",
}
"""Texts that distinguish errors that share a reason such as `invalid`, `required`, `forbidden` or `notFound`."""


class GoogleError(OSError):
    """A request that Google refused; `response` has the shape of botocore's."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message or f"HTTP status {status}")
        self.status = status
        self.response = {
            "Error": {"Code": _code(status, reason, message), "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }


class _NotFoundError(GoogleError, FileNotFoundError):
    pass


class _ExistsError(GoogleError, FileExistsError):
    pass


_CLASSES = {404: _NotFoundError, 412: _ExistsError}


@contextmanager
def in_bucket() -> Iterator[None]:
    """What is missing to a listing or an upload is the bucket, however the answer puts it."""
    try:
        yield
    except _NotFoundError:
        raise _NotFoundError(404, "notFound", "The specified bucket does not exist.") from None


async def raise_for_status(response: Any) -> None:
    """Raise a GoogleError for an aiohttp response that is an error."""
    if response.status >= 400 and response.status != _CANCELED:
        body = await response.read()
        raise google_error(response.status, gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body)


_CANCELED = 499
"""The answer to the end of an upload that was asked for."""


def google_error(status: int, body: bytes) -> GoogleError:
    """The error in a response of that status and body."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        error = body.decode("utf-8", errors="replace")
    details = error if isinstance(error, dict) else {"message": error}
    reason = next((str(one.get("reason", "")) for one in details.get("errors", ())), "")
    return _CLASSES.get(status, GoogleError)(status, reason, str(details.get("message", "")))


def _code(status: int, reason: str, message: str) -> str:
    if reason in _CODES:
        return _CODES[reason]
    words = message.lower()
    return next((code for phrase, code in _PHRASES.items() if phrase in words), str(status))
