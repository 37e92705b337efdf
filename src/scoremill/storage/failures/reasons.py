"""What a user reads about each kind of refusal: one message and one hint a function, tried in order."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from scoremill.errors import StorageError
from scoremill.units import format_seconds, quoted

from ..uri import local_path
from .faults import EXPIRED_CODES, THROTTLED, UNKNOWN_KEY_CODES, UNTRUSTED_TYPES, is_absent, is_transient
from .refusal import Refusal

Reason = tuple[str, str]
"""Message and hint."""

_OPTIONS = "`spec.storage.optionsFile`"
_PROFILE = "`spec.storage.profile`"
_ENDPOINT = "`spec.storage.endpoint`"
_PAYS = "`spec.storage.requesterPays: true`"
_RESUME = "then run the same command again; it resumes where it stopped."


def reason_of(refusal: Refusal) -> tuple[str, str, str]:
    """Return message, hint, and code of the first kind that fits."""
    for code, kind in _KINDS:
        if reason := kind(refusal):
            return *reason, code
    return *_other(refusal), StorageError.code


# --- identity ---------------------------------------------------------------------------------------------------------


def _no_credentials(r: Refusal) -> Reason | None:
    if not r.types & {"NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError"}:
        return None
    sources = {
        "s3": f"Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with {_PROFILE}.",
        "gs": "Set GOOGLE_APPLICATION_CREDENTIALS, or run `gcloud auth application-default login`.",
    }
    public = "For public data give `spec.storage.anonymous: true`."
    return f"no credentials found for {r.uri}", f"{sources.get(r.protocol, f'Give them in {_OPTIONS}.')} {public}"


def _unknown_profile(r: Refusal) -> Reason | None:
    if "ProfileNotFound" not in r.types:
        return None
    name = r.settings.profile or os.environ.get("AWS_PROFILE", "")
    return (
        f"no AWS profile named {quoted(name)}",
        f"`aws configure list-profiles` lists the profiles; name one with {_PROFILE} or AWS_PROFILE.",
    )


def _skewed_clock(r: Refusal) -> Reason | None:
    is_old_token = "RefreshError" in r.types and "reasonable timeframe" in r.words
    if r.code != "RequestTimeTooSkewed" and not is_old_token:
        return None
    return (
        f"this machine's clock is {_skew(r)}, so requests for {r.uri} are refused",
        "Set the clock, for example by enabling NTP (`timedatectl set-ntp true`), and run the command again.",
    )


def _skew(r: Refusal) -> str:
    try:
        ours, theirs = (_time(r.fields[name]) for name in ("RequestTime", "ServerTime"))
    except (KeyError, ValueError):
        return "wrong"
    seconds = (ours - theirs).total_seconds()
    return f"{format_seconds(abs(seconds))} {'ahead' if seconds > 0 else 'behind'}"


def _time(text: str) -> datetime:
    """A time as S3 writes it: 20261129T080000Z or 2026-11-29T08:00:00Z."""
    return datetime.fromisoformat(text)


def _expired(r: Refusal) -> Reason | None:
    types = {"RefreshError", "CredentialRetrievalError", "TokenRetrievalError", "SSOTokenLoadError"}
    if r.code not in EXPIRED_CODES and not r.types & types:
        return None
    return (
        f"the credentials for {r.uri} have expired or could not be renewed ({r.said})",
        f"Log in again, or renew them where they come from: the environment, the profile, or {_OPTIONS}.",
    )


def _unknown_key(r: Refusal) -> Reason | None:
    if r.code not in UNKNOWN_KEY_CODES or r.settings.anonymous:
        return None
    key = {"s3": f"AWS_ACCESS_KEY_ID or {_PROFILE}", "gs": "GOOGLE_APPLICATION_CREDENTIALS"}
    return (
        f"the store does not know the credentials for {r.uri} ({r.said})",
        f"Check {key.get(r.protocol, _OPTIONS)}, and that {_ENDPOINT} is the service that issued them.",
    )


def _wrong_secret(r: Refusal) -> Reason | None:
    if r.code != "SignatureDoesNotMatch":
        return None
    return (
        f"the secret access key for {r.uri} does not belong to its access key ID (SignatureDoesNotMatch)",
        f"Check AWS_SECRET_ACCESS_KEY or {_PROFILE}; a proxy that alters requests has the same effect.",
    )


def _account(r: Refusal) -> Reason | None:
    if r.code not in {"AccountProblem", "NotSignedUp", "AllAccessDisabled", "InvalidPayer"}:
        return None
    return (
        f"the account that serves {r.uri} is disabled or has a billing problem ({r.said})",
        "Ask the owner of the bucket or the cloud provider's support; no setting here helps.",
    )


# --- what the object or the bucket is -------------------------------------------------------------------------------


def _archived(r: Refusal) -> Reason | None:
    if r.code != "InvalidObjectState":
        return None
    storage_class = r.fields.get("StorageClass") or r.fields.get("AccessTier")
    return (
        f"{r.uri} is archived{f' ({storage_class})' if storage_class else ''} and cannot be read before it is restored",
        "Restore it (`aws s3api restore-object`), which takes minutes to hours, and run the command again; or leave it "
        "out of the input.",
    )


def _encrypted(r: Refusal) -> Reason | None:
    is_kms = r.code.startswith("KMS") or (r.code in _DENIED_CODES and "kms:" in r.words)
    if not is_kms:
        return None
    return (
        f"the encryption key (KMS) of {r.uri} cannot be used ({r.said})",
        "Enable the key, and allow the identity to use it: to decrypt for reading, to generate data keys for writing. "
        "New objects are encrypted with the bucket's default key, or with `spec.storage.kmsKey`.",
    )


def _requester_pays(r: Refusal) -> Reason | None:
    if r.code != "RequesterPays" and "requester pays" not in r.words.lower():
        return None
    project = ", and the project that pays in `spec.storage.options.project`" if r.protocol == "gs" else ""
    return f"bucket {quoted(r.bucket)} is requester-pays ({r.said})", f"Accept the cost: give {_PAYS}{project}."


def _wrong_region(r: Refusal) -> Reason | None:
    codes = {"PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraintException", "301", "302", "307", "308"}
    if r.code not in codes and not (r.code == "AuthorizationHeaderMalformed" and "Region" in r.fields):
        return None
    if r.endpoint and not r.region:
        return (
            f"the service at {r.endpoint} redirects requests for {r.uri} ({r.code})",
            f"Give the address to which it redirects with {_ENDPOINT}, such as https://… instead of http://….",
        )
    where = f"region {quoted(r.region)}" if r.region else "another region"
    served = f"; {_ENDPOINT} must serve that region" if r.endpoint else ""
    return (
        f"bucket {quoted(r.bucket)} is in {where}, and this request went elsewhere ({r.code})",
        f"Set AWS_REGION={r.region or 'REGION'} in the environment, or storage.options.region in a job file{served}.",
    )


def _no_bucket(r: Refusal) -> Reason | None:
    if r.code != "NoSuchBucket":
        return None
    at = f" at {r.endpoint}" if r.endpoint else ""
    variable = "STORAGE_EMULATOR_HOST" if r.protocol == "gs" else "AWS_ENDPOINT_URL"
    return (
        f"no bucket named {quoted(r.bucket)}{at}",
        f"Check the spelling, and which service is asked: {_ENDPOINT} or {variable}. scoremill does not create buckets.",
    )


def _bucket_name(r: Refusal) -> Reason | None:
    if r.code != "InvalidBucketName" and "ParamValidationError" not in r.types:
        return None
    return (
        f"{quoted(r.bucket)} cannot be the name of a bucket",
        "Names have 3 to 63 lower-case letters, digits, dots and hyphens, such as s3://my-bucket/prefix.",
    )


def _unsupported(r: Refusal) -> Reason | None:
    if r.code not in {"MethodNotAllowed", "NotImplemented", "InvalidBucketState", "405", "501"}:
        return None
    return (
        f"bucket {quoted(r.bucket)} does not support the operation that {r.uri} needs ({r.said})",
        "Use a general purpose bucket with plain object storage, or a service that supports it.",
    )


def _locked(r: Refusal) -> Reason | None:
    if r.code != "ObjectLocked" and "object lock" not in r.words.lower():
        return None
    return (
        f"{r.uri} is under a retention policy or hold and cannot be replaced or deleted ({r.said})",
        "Choose an output in a bucket without a retention policy.",
    )


def _full(r: Refusal) -> Reason | None:
    codes = {"QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "507"}
    if r.code not in codes and r.errno not in {errno.ENOSPC, errno.EDQUOT}:
        return None
    return f"no space or quota left for {r.uri}{f' ({r.said})' if r.code else ''}", f"Free some, {_RESUME}"


# --- absent, denied -------------------------------------------------------------------------------------------------


def _file_system(r: Refusal) -> Reason | None:
    if r.protocol != "file":
        return None
    path = r.uri
    match r.errno:
        case errno.EROFS:
            return f"cannot write {path}: the file system is read-only", "Choose a folder on a writable file system."
        case errno.ENOTDIR | errno.EEXIST:
            return f"cannot use {_file_above(path)} as a folder: it is a file", "Name a folder."
        case errno.EISDIR:
            return f"{path} is a folder, not a file", "Name a file."
        case errno.EACCES | errno.EPERM:
            return f"permission denied: {path}", "Check the owner and the permissions of the path."
        case errno.EOPNOTSUPP:
            return f"cannot create {path}: no files can be created there", "Choose a folder on a disk."
    return None


def _file_above(path: str) -> str:
    """The first part of `path` that is a file."""
    whole = Path(local_path(path))
    return next((str(one) for one in (*reversed(whole.parents), whole) if one.is_file()), path)


def _missing(r: Refusal) -> Reason | None:
    if not is_absent(r.error):
        return None
    kind = "file" if r.protocol == "file" else "object"
    return f"no such {kind}: {r.uri}", "Check the name, and that nothing removed it in the meantime."


_DENIED_CODES = {"AccessDenied", "403"}


def _denied(r: Refusal) -> Reason | None:
    is_refused_anonymous = r.settings.anonymous and r.code == "401"
    if not isinstance(r.error, PermissionError) and r.code not in _DENIED_CODES and not is_refused_anonymous:
        return None
    if r.settings.anonymous:
        hint = "The data are not public: leave out `spec.storage.anonymous: true`, so that your credentials are used."
    else:
        pays = "" if r.settings.requester_pays else f" If the bucket is requester-pays, give {_PAYS}."
        hint = f"Check what the identity (profile, key or service account) is allowed to do there.{pays}"
    return f"permission denied: {r.uri} ({r.said})", hint


# --- the way to the store ---------------------------------------------------------------------------------------------


def _untrusted(r: Refusal) -> Reason | None:
    if not r.types & UNTRUSTED_TYPES:
        return None
    return (
        f"the certificate of the service behind {r.uri} is not trusted ({r.words})",
        "Name the file of its certificate authority with `spec.storage.caBundle` or AWS_CA_BUNDLE.",
    )


_NOT_CONNECTED = {"EndpointConnectionError", "ClientConnectorError", "ConnectionRefusedError", "NewConnectionError"}
_TIMED_OUT = {"ConnectTimeoutError", "ServerTimeoutError", "ConnectionTimeoutError"}
_UNREACHED = {"ProxyConnectionError", *_NOT_CONNECTED, *_TIMED_OUT}
_THROTTLED = {"429", "BandwidthLimitExceeded", "KMS.ThrottlingException", *THROTTLED}


def _unreachable(r: Refusal) -> Reason | None:
    if not r.types & _UNREACHED:
        return None
    variable = "STORAGE_EMULATOR_HOST" if r.protocol == "gs" else "AWS_ENDPOINT_URL"
    if r.endpoint:
        check = f"Check that {_ENDPOINT} or {variable} names a running service; {_RESUME}"
        return f"could not connect to {r.endpoint} for {r.uri}{_after(r)}", check
    region = " and the region (AWS_REGION)" if r.protocol == "s3" else ""
    check = f"Check the network{region}; for a service other than the cloud's own give {_ENDPOINT}; {_RESUME}"
    return f"could not connect to the store of {r.uri}{_after(r)}: {r.words}", check


def _throttled(r: Refusal) -> Reason | None:
    if r.code not in _THROTTLED:
        return None
    return (
        f"the store throttled requests for {r.uri}{_after(r)}: {r.said}",
        f"Give fewer workers (`spec.cluster.workers`), or wait; {_RESUME}",
    )


def _failing(r: Refusal) -> Reason | None:
    if not is_transient(r.error):
        return None
    return f"the store kept failing for {r.uri}{_after(r)}: {r.said}", f"Check the network and the service; {_RESUME}"


def _after(r: Refusal) -> str:
    return f" after {r.attempts}" if r.attempts else ""


def _other(r: Refusal) -> Reason:
    return (
        f"the store refused {r.uri}: {r.said}",
        f"Check the location, the credentials and {_ENDPOINT}.",
    )


_KINDS: tuple[tuple[str, Callable[[Refusal], Reason | None]], ...] = (
    ("NoCredentials", _no_credentials),
    ("ProfileNotFound", _unknown_profile),
    ("ClockSkew", _skewed_clock),
    ("CredentialsExpired", _expired),
    ("CredentialsRejected", _unknown_key),
    ("CredentialsRejected", _wrong_secret),
    ("AccountDisabled", _account),
    ("ObjectArchived", _archived),
    ("StoreThrottled", _throttled),
    ("EncryptionKeyUnavailable", _encrypted),
    ("RequesterPays", _requester_pays),
    ("WrongRegion", _wrong_region),
    ("BucketNotFound", _no_bucket),
    ("InvalidBucketName", _bucket_name),
    ("OperationNotSupported", _unsupported),
    ("ObjectLocked", _locked),
    ("NoSpace", _full),
    ("FileSystemFailed", _file_system),
    ("ObjectNotFound", _missing),
    ("AccessDenied", _denied),
    ("CertificateUntrusted", _untrusted),
    ("StoreUnreachable", _unreachable),
    ("StoreFailing", _failing),
)
"""Code of each kind of refusal. The first kind that fits counts."""
