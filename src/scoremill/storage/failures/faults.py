"""Classify errors of stores: transient, caused by expired credentials, or final.

Errors are distinguished by their codes, statuses and class names, so that no client library is loaded
to classify the errors of another. Messages for users are in `explain.py`.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

THROTTLED = ("SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests")
"""Codes of a store that gets more requests than it takes."""
_OVERLOADED = ("BandwidthLimitExceeded", "KMS.ThrottlingException")
_FAILED = ("RequestTimeout", "InternalError", "ServiceUnavailable", "OperationAborted", "ConditionalRequestConflict")
_TRANSIENT_CODES = {*THROTTLED, *_OVERLOADED, *_FAILED}
_TRANSIENT_STATUSES = {408, 425, 429, 500, 502, 503, 504}
_OF_FILES = {errno.EAGAIN, errno.EBUSY, errno.ETIMEDOUT, errno.ESTALE, errno.EPIPE}
_OF_CONNECTIONS = {errno.ECONNRESET, errno.ECONNABORTED, errno.ECONNREFUSED}
_OF_NETWORKS = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETRESET}
_TRANSIENT_ERRNOS = _OF_FILES | _OF_CONNECTIONS | _OF_NETWORKS
_OF_BOTOCORE = ("HTTPClientError", "ResponseStreamingError", "ResponseParserError", "IncompleteReadError")
_OF_AIOHTTP = ("ClientConnectionError", "ClientPayloadError")
_OF_GOOGLE = ("RequestException", "TransportError", "ChecksumError")
_OF_OTHERS = ("IncompleteRead", "ConnectionError", "TimeoutError", "ServiceRequestError", "ServiceResponseError")
_TRANSIENT_TYPES = {*_OF_BOTOCORE, *_OF_AIOHTTP, *_OF_GOOGLE, *_OF_OTHERS}
_CUT_SHORT_TYPES = {"ClientPayloadError", "ContentLengthError", "TransferEncodingError", "IncompleteRead"}
UNTRUSTED_TYPES = {"SSLError", "ClientSSLError", "SSLCertVerificationError", "ClientConnectorCertificateError"}
EXPIRED_CODES = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired", "InvalidToken"}
UNKNOWN_KEY_CODES = {"InvalidAccessKeyId", "401"}


class VersionChanged(Exception):
    """The object is not the version that was asked for."""


class GaveUpError(Exception):
    """The last of several attempts failed like all others; its error is the cause."""

    def __init__(self, attempts: int, seconds: float) -> None:
        super().__init__(f"{attempts} attempts in {seconds:.0f} s")
        self.attempts = attempts
        self.seconds = seconds


def code_of(error: BaseException) -> str:
    """The service's own code (`NoSuchBucket`, `SlowDown`), else the HTTP status as text, else nothing."""
    for one in chain(error):
        response = getattr(one, "response", None)
        if isinstance(response, dict) and (code := response.get("Error", {}).get("Code") or _status_of(one)):
            return str(code)
        for name in ("code", "status", "status_code"):
            value = getattr(one, name, None)
            if isinstance(value, int | str) and re.fullmatch(r"[1-5]\d\d", str(value)):
                return str(value)
    return ""


def is_transient(error: BaseException) -> bool:
    """Return whether the same request can succeed a little later."""
    types = types_of(error)
    if types & UNTRUSTED_TYPES:
        return False
    if types & _CUT_SHORT_TYPES:
        # aiohttp gives such errors a 400 of its own.
        return True
    code, status = code_of(error), _status_of(error)
    if code or status:
        return (
            code in _TRANSIENT_CODES
            or status in _TRANSIENT_STATUSES
            or (code.isdigit() and int(code) in _TRANSIENT_STATUSES)
        )
    return bool(types & _TRANSIENT_TYPES) or errno_of(error) in _TRANSIENT_ERRNOS


def is_expired(error: BaseException) -> bool:
    """Return whether newer credentials can help. S3 answers an expired HEAD with a bare 400."""
    return code_of(error) in EXPIRED_CODES | UNKNOWN_KEY_CODES | {"400"} or "RefreshError" in types_of(error)


def is_absent(error: BaseException) -> bool:
    """Return whether the store says that the object does not exist; a 404 with another code means something else."""
    code = code_of(error)
    return code in _ABSENT_CODES or (not code and "FileNotFoundError" in types_of(error))


_ABSENT_CODES = {"404", "NoSuchKey", "NotFound", "NoSuchVersion", "NoSuchUpload"}


def refuses_object(error: BaseException) -> bool:
    """Return whether the store always refuses this one object: it is archived, or access to it is denied."""
    if isinstance(error, GaveUpError) or is_transient(error):
        return False
    return code_of(error) in _REFUSALS or errno_of(error) in {errno.EACCES, errno.EPERM, errno.EIO}


_REFUSALS = {"AccessDenied", "403", "InvalidObjectState", "KMS.DisabledException", "KMS.NotFoundException"}


def errno_of(error: BaseException) -> int | None:
    """The number of the operating system's error, if it is one."""
    return next((one.errno for one in chain(error) if isinstance(one, OSError) and one.errno), None)


def types_of(error: BaseException) -> set[str]:
    """Names of the error's classes and those of its causes."""
    return {cls.__name__ for one in chain(error) for cls in type(one).__mro__}


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__


def _status_of(error: BaseException) -> int:
    for one in chain(error):
        response = getattr(one, "response", None)
        if isinstance(response, dict):
            return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return 0
