"""What an error of a store means: worth another try, old credentials, or something the user has to mend.

Errors are told apart by what they carry (codes, statuses, class names), so that no client library is
loaded to judge the errors of another.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from scoremill.errors import InputChanged, ScoremillError, StorageError

_TRANSIENT_CODES = {
    "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "BandwidthLimitExceeded",
    "RequestTimeout", "InternalError", "ServiceUnavailable", "OperationAborted", "ConditionalRequestConflict",
}  # fmt: skip
_TRANSIENT_STATUSES = {408, 425, 429, 500, 502, 503, 504}
_TRANSIENT_ERRNOS = {
    errno.EAGAIN, errno.EBUSY, errno.ETIMEDOUT, errno.ESTALE, errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED,
    errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETRESET,
}  # fmt: skip
_TRANSIENT_TYPES = {
    "HTTPClientError", "ResponseStreamingError", "ResponseParserError", "IncompleteReadError",  # botocore
    "ClientConnectionError", "ClientPayloadError",  # aiohttp
    "RequestException", "TransportError", "ChecksumError",  # requests, google-auth, gcsfs
    "IncompleteRead", "ConnectionError", "TimeoutError", "ServiceRequestError", "ServiceResponseError",  # others
}  # fmt: skip
_CUT_SHORT_TYPES = {"ClientPayloadError", "ContentLengthError", "TransferEncodingError", "IncompleteRead"}
_UNTRUSTED_TYPES = {"SSLError", "ClientSSLError", "SSLCertVerificationError", "ClientConnectorCertificateError"}
_EXPIRED_CODES = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired", "InvalidToken"}
_ROTATED_CODES = {"InvalidAccessKeyId", "401"}
_DENIED_CODES = {"AccessDenied", "AllAccessDisabled", "AccountProblem", "SignatureDoesNotMatch", "403"}


class VersionChanged(Exception):
    """The object is not the version that was asked for."""


def code_of(error: BaseException) -> str:
    """The service's own code (`NoSuchBucket`, `SlowDown`), else the HTTP status as text, else nothing."""
    for one in _chain(error):
        response = getattr(one, "response", None)
        if isinstance(response, dict) and response.get("Error", {}).get("Code"):
            return str(response["Error"]["Code"])
        for name in ("code", "status", "status_code"):
            value = getattr(one, name, None)
            if isinstance(value, int | str) and re.fullmatch(r"[1-5]\d\d", str(value)):
                return str(value)
    return ""


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed a little later."""
    types = _types(error)
    if types & _UNTRUSTED_TYPES:
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
    return bool(types & _TRANSIENT_TYPES) or (isinstance(error, OSError) and error.errno in _TRANSIENT_ERRNOS)


def is_expired(error: BaseException) -> bool:
    """Whether newer credentials may help. S3 answers an expired HEAD with a bare 400."""
    return code_of(error) in _EXPIRED_CODES | _ROTATED_CODES | {"400"} or "RefreshError" in _types(error)


def explain(error: Exception, uri: str) -> ScoremillError:
    """The StorageError that tells a user what failed at `uri`, and what to check."""
    return StorageError(*_reason(error, uri))


@contextmanager
def explained(uri: str, version: str | None = None) -> Iterator[None]:
    """Turns errors of client libraries into StorageError, without their tracebacks.

    Where an object's `version` was asked for, one that is not there was there before: that is InputChanged.
    """
    try:
        yield
    except ScoremillError:
        raise
    except VersionChanged:
        raise InputChanged(
            f"{uri} was replaced after the run was planned",
            "Keep inputs unchanged while they are scored; plan again to score the new content.",
        ) from None
    except Exception as error:
        if not _is_of_a_store(error):
            raise
        if version is not None and _is_missing(error):
            raise InputChanged(
                f"{uri} was removed after the run was planned",
                "Restore it, and the same command goes on; or score what is there: --mode Overwrite, or another output.",
            ) from None
        raise explain(error, uri) from None


def _reason(error: Exception, uri: str) -> tuple[str, str]:
    code, types = code_of(error), _types(error)
    if types & {"NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError"}:
        return f"no credentials for {uri}", (
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (Google: GOOGLE_APPLICATION_CREDENTIALS), name a profile "
            "with storage.profile or AWS_PROFILE, or set storage.anonymous for public data."
        )
    if "ProfileNotFound" in types:
        return (
            f"the profile for {uri} does not exist",
            "`aws configure list-profiles` lists those that do; see storage.profile and AWS_PROFILE.",
        )
    if code in _EXPIRED_CODES or types & {
        "RefreshError",
        "CredentialRetrievalError",
        "TokenRetrievalError",
        "SSOTokenLoadError",
    }:
        return (
            f"the credentials for {uri} have expired or could not be renewed",
            "Log in again, or renew them where they come from: environment, profile, storage.optionsFile.",
        )
    if code in _ROTATED_CODES:
        return (
            f"the store does not know the credentials for {uri}",
            "Check AWS_ACCESS_KEY_ID or the profile, and that storage.endpoint is the store they belong to.",
        )
    if code == "NoSuchBucket":
        return (
            f"there is no such bucket: {uri}",
            "Check its name, and storage.endpoint (or AWS_ENDPOINT_URL, STORAGE_EMULATOR_HOST).",
        )
    if _is_missing(error):
        return f"{uri} is not there", "Check the name, and that nothing removed it meanwhile."
    if isinstance(error, PermissionError) or code in _DENIED_CODES or str(error).startswith("Forbidden"):
        return f"permission denied: {uri}{_detail(error)}", (
            "Check what the identity (profile, key or service account) may do there, and for encrypted or "
            "requester-pays buckets storage.kmsKey and storage.requesterPays."
        )
    if types & _UNTRUSTED_TYPES:
        return (
            f"the certificate of the store of {uri} is not trusted",
            "Name its authority's file in storage.caBundle or AWS_CA_BUNDLE.",
        )
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return (
            f"no space left for {uri}",
            "Make room there, then run the same command again; it goes on where it stopped.",
        )
    if is_transient(error):
        return f"the store of {uri} could not be reached, or was too busy, several times in a row{_detail(error)}", (
            "Check the network and storage.endpoint (or AWS_ENDPOINT_URL, STORAGE_EMULATOR_HOST); "
            "then run the same command again, it goes on where it stopped."
        )
    return f"the store refused {uri}{_detail(error)}", "Check the location and the storage settings."


def _is_missing(error: Exception) -> bool:
    return isinstance(error, FileNotFoundError) or code_of(error) in {"404", "NoSuchKey"}


def _detail(error: Exception) -> str:
    """The store's own words in one line; queries are struck out, for they may hold signatures."""
    text = re.sub(r"(https?://[^\s?]+)\?\S+", r"\1", str(error)).strip()
    return f": {text.splitlines()[0][:200]}" if text else f": {type(error).__name__}"


def _status_of(error: BaseException) -> int:
    for one in _chain(error):
        response = getattr(one, "response", None)
        if isinstance(response, dict):
            return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return 0


def _is_of_a_store(error: Exception) -> bool:
    libraries = {
        "botocore",
        "aiobotocore",
        "aiohttp",
        "s3fs",
        "gcsfs",
        "google",
        "requests",
        "urllib3",
        "azure",
        "fsspec",
    }
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in libraries


def _types(error: BaseException) -> set[str]:
    return {cls.__name__ for one in _chain(error) for cls in type(one).__mro__}


def _chain(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__
