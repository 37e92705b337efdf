"""Errors for each kind of failure of S3 and Google Cloud Storage, with real answers from a proxy."""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from scoremill.bundle import inspect
from scoremill.errors import InputChanged, StorageError, UsageError
from scoremill.spec import Storage
from scoremill.storage import retry
from scoremill.storage.filesystem import Store
from tests.support import gcs as gcs_support
from tests.support import s3 as s3_support
from tests.support.proxy import Answer, GoogleAnswer, Proxy, Rule, proxy

Through = Callable[..., Proxy]
NOW = datetime(2026, 11, 29, 8, 0, tzinfo=UTC)


CALLS: dict[str, Callable[[Store], object]] = {
    "read": lambda store: store.read("a"),
    "info": lambda store: store.info("a"),
    "list": lambda store: store.list(),
    "write": lambda store: store.write("a", b"1"),
    "create": lambda store: store.create("a", b"1"),
}


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Iterator[Through]:
    """A function that starts a proxy with a rule in front of the server of a bucket."""
    monkeypatch.setattr(retry, "PATIENCE", retry.Patience(first_pause=0.002))
    with ExitStack() as stack:

        def start(bucket: s3_support.Bucket | gcs_support.Bucket, rule: Rule) -> Proxy:
            state = stack.enter_context(proxy(bucket.endpoint, rule))
            variable = "AWS_ENDPOINT_URL" if isinstance(bucket, s3_support.Bucket) else "STORAGE_EMULATOR_HOST"
            monkeypatch.setenv(variable, state.endpoint)
            return state

        yield start


S3 = {
    "archived": (
        Answer(
            403,
            "InvalidObjectState",
            "The operation is not valid for the object's storage class",
            {"StorageClass": "GLACIER"},
        ),
        r"/a is archived \(GLACIER\) and cannot be read before it is restored$",
        "aws s3api restore-object",
    ),
    "key denied": (
        Answer(
            403,
            "AccessDenied",
            "User: arn:aws:iam::1:user/ana is not authorized to perform: kms:Decrypt on resource: "
            "arn:aws:kms:eu-west-1:2:key/k because no identity-based policy allows the kms:Decrypt action",
        ),
        r"the encryption key \(KMS\) of \S+/a cannot be used .*kms:Decrypt on resource",
        "`spec.storage.kmsKey`",
    ),
    "key disabled": (
        Answer(400, "KMS.DisabledException", "arn:aws:kms:eu-west-1:2:key/k is disabled."),
        r"the encryption key \(KMS\) of \S+/a cannot be used \(KMS.DisabledException: arn:.* is disabled\)$",
        "Enable the key",
    ),
    "requester pays": (
        Answer(403, "AccessDenied", "Access Denied"),
        r"permission denied: \S+/a \(AccessDenied: Access Denied\)$",
        "`spec.storage.requesterPays: true`",
    ),
    "wrong region": (
        Answer(
            301,
            "PermanentRedirect",
            "The bucket you are attempting to access must be addressed using the specified "
            "endpoint. Please send all future requests to this endpoint.",
            {"Endpoint": "b.s3.eu-west-1.amazonaws.com"},
            {"x-amz-bucket-region": "eu-west-1"},
        ),
        r'^bucket "{bucket}" is in region "eu-west-1", and this request went elsewhere \((PermanentRedirect|301)\)$',
        "Set AWS_REGION=eu-west-1",
    ),
    "wrong region, named": (
        Answer(
            400,
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'",
            {"Region": "eu-west-1"},
        ),
        r'^bucket "{bucket}" is in region "eu-west-1", and this request went elsewhere',
        "Set AWS_REGION=eu-west-1",
    ),
    "endpoint that redirects": (
        Answer(301, "", ""),
        r"^the service at http://127.0.0.1:[0-9]+ redirects requests for .*/a \(301\)$",
        "https://",
    ),
    "expired token": (
        Answer(400, "ExpiredToken", "The provided token has expired."),
        "the credentials for .* have expired",
        "Log in again",
    ),
    "clock behind": (
        Answer(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            {
                "RequestTime": f"{NOW - timedelta(hours=2):%Y%m%dT%H%M%SZ}",
                "ServerTime": f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
                "MaxAllowedSkewMilliseconds": "900000",
            },
        ),
        "^this machine's clock is 2 h 0 min behind, so requests for .* are refused$",
        "Set the clock",
    ),
    "unknown key": (
        Answer(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
        r"the store does not know the credentials for .* \(InvalidAccessKeyId: The AWS Access Key Id",
        "`spec.storage.profile`",
    ),
    "wrong secret": (
        Answer(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        ),
        "the secret access key for .* does not belong to its access key ID",
        "AWS_SECRET_ACCESS_KEY",
    ),
    "account": (
        Answer(403, "AllAccessDisabled", "All access to this object has been disabled"),
        "the account that serves .* is disabled or has a billing problem",
        "Ask the owner of the bucket",
    ),
    "no bucket": (
        Answer(404, "NoSuchBucket", "The specified bucket does not exist", {"BucketName": "b"}),
        '^no bucket named "{bucket}" at http://127.0.0.1:[0-9]+$',
        "`spec.storage.endpoint` or AWS_ENDPOINT_URL.",
    ),
    "another kind of bucket": (
        Answer(405, "MethodNotAllowed", "The specified method is not allowed against this resource."),
        'bucket "{bucket}" does not support the operation',
        "general purpose bucket",
    ),
    "object lock": (
        Answer(403, "AccessDenied", "Access Denied because object protected by object lock."),
        "is under a retention policy or hold",
        "without a retention policy",
    ),
    "quota": (
        Answer(403, "QuotaExceeded", "quota"),
        "no space or quota left for",
        "Free some",
    ),
    "full": (
        Answer(507, "XMinioStorageFull", "Storage backend has reached its minimum free drive threshold."),
        r"no space or quota left for .* \(XMinioStorageFull: Storage backend",
        "Free some",
    ),
    "code of its own": (
        Answer(404, "XAdminUserNotFound", "No user exists with the provided access key ID"),
        "the store refused .*: XAdminUserNotFound: No user exists",
        "the credentials",
    ),
}


@pytest.mark.parametrize("call", ["read", "info"])
@pytest.mark.parametrize("kind", S3)
def test_s3_failure_has_its_own_error(s3: s3_support.Bucket, through: Through, kind: str, call: str) -> None:
    answer, message, hint = S3[kind]
    through(s3, lambda request: answer)
    with pytest.raises(StorageError) as raised:
        # The answer to a HEAD has no body, so `info` needs another request.
        CALLS[call](Store(s3.uri()))
    assert re.search(message.replace("{bucket}", s3.bucket), raised.value.message)
    assert raised.value.hint and hint in raised.value.hint
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    ("answer", "message", "hint"),
    [
        (
            Answer(503, "SlowDown", "Please reduce your request rate."),
            r"the store throttled requests for .*/a after 5 attempts in \d s: SlowDown: Please reduce",
            "spec.cluster.workers",
        ),
        (
            Answer(500, "InternalError", "We encountered an internal error. Please try again."),
            r"the store kept failing for .*/a after 5 attempts in \d s: InternalError",
            "Check the network",
        ),
    ],
)
def test_permanent_fault_is_reported_with_attempts_and_seconds(
    s3: s3_support.Bucket, through: Through, answer: Answer, message: str, hint: str
) -> None:
    server = through(s3, lambda request: answer)
    with pytest.raises(StorageError) as raised:
        Store(s3.uri()).read("a")
    assert re.search(message, raised.value.message)
    assert raised.value.hint and hint in raised.value.hint
    assert len(server.requests) == 5


GOOGLE = {
    "no bucket": (
        GoogleAnswer(404, "notFound", "The specified bucket does not exist."),
        '^no bucket named "{bucket}" at http://127.0.0.1:[0-9]+$',
        "STORAGE_EMULATOR_HOST",
    ),
    "requester pays": (
        GoogleAnswer(400, "required", "Bucket is a requester pays bucket but no user project provided."),
        'bucket "{bucket}" is requester-pays',
        "storage.options.project",
    ),
    "denied": (
        GoogleAnswer(
            403,
            "forbidden",
            "ana@x.iam.gserviceaccount.com does not have storage.objects.get access to the "
            "Google Cloud Storage object.",
        ),
        r"permission denied: \S+ \(403: ana@x.iam.gserviceaccount.com does not have storage.objects.get",
        "service account",
    ),
    "unknown": (
        GoogleAnswer(401, "authError", "Invalid Credentials"),
        "does not know the credentials",
        "GOOGLE_APPLICATION_CREDENTIALS",
    ),
    "key": (
        GoogleAnswer(
            403,
            "forbidden",
            "Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service "
            "account has been authorized to use this key.",
        ),
        r"the encryption key \(KMS\) of \S+ cannot be used",
        "allow the identity to use it",
    ),
    "billing": (
        GoogleAnswer(403, "accountDisabled", "The billing account for the owning project is disabled in state absent"),
        "disabled or has a billing problem",
        "Ask the owner of the bucket",
    ),
    "quota": (
        GoogleAnswer(403, "quotaExceeded", "The quota for this project has been exceeded."),
        "no space or quota left",
        "Free some",
    ),
    "rate": (
        GoogleAnswer(403, "rateLimitExceeded", "The object exceeded the rate limit for object mutation operations."),
        "throttled requests for .* after 5 attempts",
        "spec.cluster.workers",
    ),
    "name": (
        GoogleAnswer(400, "invalid", "Invalid bucket name: 'B_'"),
        "cannot be the name of a bucket",
        "lower-case",
    ),
    "zonal bucket": (
        GoogleAnswer(400, "invalid", "This bucket requires appendable objects."),
        'bucket "{bucket}" does not support the operation',
        "general purpose bucket",
    ),
    "retention": (
        GoogleAnswer(403, "retentionPolicyNotMet", "Object is subject to bucket's retention policy."),
        "is under a retention policy or hold",
        "without a retention policy",
    ),
    "unforeseen": (
        GoogleAnswer(400, "invalid", "The value is invalid in a new way."),
        "the store refused .*: 400: The value is invalid in a new way",
        "Check the location",
    ),
}


@pytest.mark.parametrize("call", ["read", "info", "list"])
@pytest.mark.parametrize("kind", GOOGLE)
def test_gcs_failure_has_its_own_error(gcs: gcs_support.Bucket, through: Through, kind: str, call: str) -> None:
    answer, message, hint = GOOGLE[kind]
    through(gcs, lambda request: answer)
    with pytest.raises(StorageError) as raised:
        CALLS[call](Store(gcs.uri()))
    assert re.search(message.replace("{bucket}", gcs.bucket), raised.value.message)
    assert raised.value.hint and hint in raised.value.hint


@pytest.mark.parametrize("call", ["list", "write", "create", "info"])
def test_missing_bucket_is_named_without_the_pattern(
    request: pytest.FixtureRequest, through: Through, call: str
) -> None:
    for fixture, protocol in (("s3", "s3"), ("gcs", "gs")):
        bucket = request.getfixturevalue(fixture)
        through(bucket, lambda request: None)
        if (fixture, call) == ("gcs", "info"):
            # The emulator answers as for an object.
            continue
        with pytest.raises(StorageError, match=r'^no bucket named "bucket-that-nobody-made" at http'):
            CALLS[call](Store(f"{protocol}://bucket-that-nobody-made/x"))


@pytest.mark.parametrize("call", ["read", "info"])
def test_missing_object_is_not_an_error(request: pytest.FixtureRequest, call: str) -> None:
    for fixture in ("s3", "gcs"):
        store = Store(request.getfixturevalue(fixture).uri())
        if call == "info":
            assert store.info("none") is None
        else:
            with pytest.raises(StorageError, match=r"^no such object: .*/none\n"):
                store.read("none")


def test_object_that_only_a_get_finds_is_described(s3: s3_support.Bucket, through: Through) -> None:
    server = through(s3, lambda request: None)
    store = Store(s3.uri())
    store.write("a", b"12345")
    expected = store.info("a")
    server.rule = lambda request: Answer(404, "") if request.method == "HEAD" else None
    assert store.info("a") == expected


def test_wrong_access_key_is_not_a_missing_bundle(s3: s3_support.Bucket, through: Through) -> None:
    """Versitygw answers 404 to an unrecognized key."""
    through(s3, lambda request: Answer(404, "XAdminUserNotFound", "No user exists with the provided access key ID"))
    with pytest.raises(StorageError, match="XAdminUserNotFound"):
        inspect(s3.uri("bundle"), Storage())


def test_missing_bundle_in_a_bucket_is_reported_as_missing(s3: s3_support.Bucket) -> None:
    with pytest.raises(UsageError, match="bundle"):
        inspect(s3.uri("bundle"), Storage())


def test_input_in_a_deleted_bucket_is_not_reported_as_changed(s3: s3_support.Bucket, through: Through) -> None:
    server = through(s3, lambda request: None)
    store = Store(s3.uri())
    store.write("a", b"1")
    info = store.info("a")
    assert info is not None
    store.delete(["a"])
    with pytest.raises(InputChanged, match="was removed"):
        store.read("a", version=info.version)
    server.rule = lambda request: S3["no bucket"][0]
    with pytest.raises(StorageError, match="no bucket named"):
        store.read("a", version=info.version)


def test_error_for_anonymous_access_to_private_data_recommends_credentials(
    s3: s3_support.Bucket, gcs: gcs_support.Bucket, through: Through
) -> None:
    anonymous = "Anonymous caller does not have storage.objects.get access to the Google Cloud Storage object."
    for bucket, answer in (
        (s3, Answer(403, "AccessDenied", "Access Denied")),
        (gcs, GoogleAnswer(401, "required", anonymous)),
    ):
        through(bucket, lambda request, answer=answer: answer)
        with pytest.raises(StorageError, match="permission denied") as raised:
            Store(bucket.uri(), Storage(anonymous=True)).read("a")
        assert raised.value.hint and "leave out `spec.storage.anonymous: true`" in raised.value.hint


def test_unreachable_endpoint_is_named_with_attempts_and_seconds(
    s3: s3_support.Bucket, through: Through, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    through(s3, lambda request: None)
    monkeypatch.setattr("scoremill.storage.connection._TELLING_PAUSE", 0.1)
    monkeypatch.setattr(retry, "PATIENCE", retry.Patience(first_pause=0.003))
    with caplog.at_level(logging.WARNING), pytest.raises(StorageError) as raised:
        Store(s3.uri(), Storage(endpoint="http://127.0.0.1:9")).list()
    assert re.fullmatch(
        r"could not connect to http://127.0.0.1:9 for s3://\S+ after 5 attempts in \d s", raised.value.message
    )
    assert raised.value.hint and "`spec.storage.endpoint`" in raised.value.hint
    # Only pauses that a user notices.
    waits = [record.getMessage() for record in caplog.records if record.name == "scoremill.storage"]
    assert len(waits) == 1 and "attempt 5 of 5 follows in" in waits[0]


def test_signed_queries_are_not_in_error_messages(s3: s3_support.Bucket, through: Through) -> None:
    signed = dataclasses.replace(S3["quota"][0], message="https://b.example/x?X-Amz-Signature=SECRET was refused")
    through(s3, lambda request: signed)
    with pytest.raises(StorageError) as raised:
        Store(s3.uri()).read("a")
    assert "SECRET" not in str(raised.value)
