"""Credentials and settings of stores, as the servers receive them."""

from __future__ import annotations

import json
import pickle
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from scoremill.errors import StorageError, UsageError
from scoremill.spec import Storage
from scoremill.storage import retry
from scoremill.storage.filesystem import Store
from scoremill.units import MIB
from tests.support import gcs as gcs_support
from tests.support import s3 as s3_support
from tests.support.proxy import LOST, Answer, Fault, Proxy, Request, Rule, proxy

EXPIRED = Answer(400, "ExpiredToken", "The provided token has expired.")
Through = Callable[..., Proxy]


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Iterator[Through]:
    """A function that starts a proxy with a rule in front of the server of a bucket."""
    monkeypatch.setattr(retry, "PATIENCE", retry.Patience(first_pause=0.002))
    with ExitStack() as stack:

        def start(bucket: s3_support.Bucket | gcs_support.Bucket, rule: Rule, drop: tuple[str, ...] = ()) -> Proxy:
            state = stack.enter_context(proxy(bucket.endpoint, rule, drop))
            variable = "AWS_ENDPOINT_URL" if isinstance(bucket, s3_support.Bucket) else "STORAGE_EMULATOR_HOST"
            monkeypatch.setenv(variable, state.endpoint)
            return state

        yield start


def key_of(request: Request) -> str:
    """Return the access key that signed a request to S3."""
    return request.headers.get("authorization", "").partition("Credential=")[2].partition("/")[0]


def refuses(key: str) -> Rule:
    """Return a rule by which `key` has expired. The answer to a HEAD has no body, as on S3."""

    def rule(request: Request) -> Fault:
        return EXPIRED if key_of(request) == key else None

    return rule


def write_credentials(path: Path, key: str) -> None:
    path.write_text(f"[default]\naws_access_key_id={key}\naws_secret_access_key=s\naws_session_token=t\n")


# --- temporary credentials --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["info", "read", "list", "write", "publish", "open file"])
def test_expired_credentials_are_read_again_from_the_credentials_file(
    s3: s3_support.Bucket, through: Through, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    write_credentials(tmp_path / "credentials", "FIRST")
    server = through(s3, lambda request: None)
    store = Store(s3.uri())
    store.write("a", b"0123456789" * MIB)
    file = store.open("a")

    write_credentials(tmp_path / "credentials", "SECOND")
    server.rule = refuses("FIRST")
    server.requests.clear()
    match call:
        case "info":
            assert store.info("a") is not None
        case "read":
            assert store.read("a", 0, 3) == b"012"
        case "list":
            assert [one.name for one in store.list()] == ["a"]
        case "write":
            store.write("b", b"1")
        case "publish":
            with store.publish("b") as publication:
                publication.write(bytes(9 * MIB))
        case _:
            assert file.read(3) == b"012"
    # botocore asks for the bucket's region when a HEAD is refused, with the old key too.
    keys = [key_of(request) for request in server.requests]
    assert keys[0] == "FIRST" and keys[-1] == "SECOND" and keys == sorted(keys) and keys.count("FIRST") <= 2


def test_multipart_upload_continues_with_new_credentials(
    s3: s3_support.Bucket, through: Through, tmp_path: Path
) -> None:
    options = tmp_path / "options.yaml"
    options.touch(0o600)
    options.write_text("{key: FIRST, secret: s}")
    server = through(s3, lambda request: None)
    store = Store(s3.uri(), Storage(options_file=str(options)))
    with store.publish("a") as publication:
        publication.write(bytes(9 * MIB))
        options.write_text("{key: SECOND, secret: s}")
        server.rule = refuses("FIRST")
        publication.write(bytes(9 * MIB))
    assert store.list()[0].size == 18 * MIB


def test_credentials_of_a_credential_process_are_renewed_before_they_expire(
    s3: s3_support.Bucket, through: Through, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "issue.py"
    script.write_text(
        "import datetime, json, pathlib\n"
        f"issued = pathlib.Path({str(tmp_path / 'issued')!r})\n"
        "number = len(issued.read_text()) if issued.exists() else 0\n"
        "issued.write_text('.' * (number + 1))\n"
        "until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=60)\n"
        "print(json.dumps({'Version': 1, 'AccessKeyId': f'KEY{number}', 'SecretAccessKey': 's',"
        " 'SessionToken': 't', 'Expiration': until.isoformat()}))\n"
    )
    (tmp_path / "config").write_text(f"[profile short]\ncredential_process = {sys.executable} {script}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    server = through(s3, lambda request: None)
    store = Store(s3.uri(), Storage(profile="short"))
    store.write("a", b"1")
    first = key_of(server.requests[-1])
    # A minute is less than botocore's margin, so it renews before each call.
    assert store.read("a") == b"1"
    assert key_of(server.requests[-1]) > first


def test_credentials_that_stay_expired_are_an_error_with_a_hint(s3: s3_support.Bucket, through: Through) -> None:
    server = through(s3, lambda request: EXPIRED)
    with pytest.raises(StorageError, match="expired") as raised:
        Store(s3.uri()).read("a")
    assert raised.value.hint and "Log in again" in raised.value.hint
    assert len(server.requests) == 2


def test_corrected_environment_takes_effect_immediately(s3: s3_support.Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(s3.uri())
    with monkeypatch.context() as without:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            without.delenv(name)
        with pytest.raises(StorageError, match="no credentials") as raised:
            store.list()
        assert raised.value.hint and "AWS_ACCESS_KEY_ID" in raised.value.hint
    assert store.list() == []


# --- errors (test_refusals.py has each kind) --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "requests"),
    [(Answer(403, "AccessDenied"), 1), (Answer(403, "InvalidAccessKeyId"), 2), (Answer(503, "SlowDown"), 5)],
)
def test_failed_request_is_repeated_only_if_that_can_help(
    s3: s3_support.Bucket, through: Through, answer: Answer, requests: int
) -> None:
    server = through(s3, lambda request: answer)
    with pytest.raises(StorageError):
        Store(s3.uri()).list()
    assert len(server.requests) == requests


def test_unrecognized_profile_is_reported(s3: s3_support.Bucket) -> None:
    with pytest.raises(StorageError, match="profile"):
        Store(s3.uri(), Storage(profile="nobody")).list()


def test_unrecognized_option_is_named_without_its_value(s3: s3_support.Bucket) -> None:
    with pytest.raises(UsageError, match="no_such_option") as raised:
        Store(s3.uri(), Storage(options={"no_such_option": "val-ue"})).list()
    assert "val-ue" not in str(raised.value)


# --- settings ---------------------------------------------------------------------------------------------------------


def test_kms_key_and_requester_pays_are_in_each_s3_request_that_supports_them(
    s3: s3_support.Bucket, through: Through
) -> None:
    server = through(s3, lambda request: None)
    store = Store(s3.uri(), Storage(kms_key="alias/k", requester_pays=True))
    store.write("a", b"1")
    store.create("b", b"1")
    with store.publish("c") as publication:
        publication.write(bytes(9 * MIB))
    started = [
        one
        for one in server.requests
        if (one.method == "PUT" and "partNumber" not in one.path) or "?uploads" in one.path
    ]
    assert len(started) == 3
    assert {one.headers["x-amz-server-side-encryption-aws-kms-key-id"] for one in started} == {"alias/k"}
    store.read("a")
    store.list()
    assert {one.headers["x-amz-request-payer"] for one in server.requests} == {"requester"}


def test_anonymous_reader_does_not_sign_requests(s3: s3_support.Bucket, through: Through) -> None:
    server = through(s3, lambda request: None)
    public = urllib.request.Request(f"{s3.endpoint}/{s3.bucket}/a", b"1", method="PUT")
    public.headers |= {"X-amz-acl": "public-read", "Content-type": "text/csv"}
    urllib.request.urlopen(public).close()
    assert Store(s3.uri(), Storage(anonymous=True)).read("a") == b"1"
    assert all("authorization" not in request.headers for request in server.requests)


def test_kms_key_and_requester_are_in_gcs_requests(gcs: gcs_support.Bucket, through: Through) -> None:
    server = through(gcs, lambda request: None)
    store = Store(gcs.uri(), Storage(kms_key="projects/p/key", options={"project": "payer"}, requester_pays=True))
    store.write("a", b"1")
    with store.publish("b") as publication:
        publication.write(bytes(9 * MIB))
    started = [
        request.path for request in server.requests if "uploadType" in request.path and "upload_id" not in request.path
    ]
    assert len(started) == 2 and all("kmsKeyName=projects/p/key" in path for path in started)
    assert all("userProject=payer" in request.path for request in server.requests)


def test_requests_are_signed_for_the_given_region(s3: s3_support.Bucket, through: Through) -> None:
    server = through(s3, lambda request: None)
    Store(s3.uri(), Storage(options={"region": "eu-north-1"})).list()
    assert "/eu-north-1/s3/" in server.requests[-1].headers["authorization"]


def test_secrets_of_an_options_file_do_not_leave_the_process(
    s3: s3_support.Bucket, through: Through, tmp_path: Path
) -> None:
    options = tmp_path / "options.json"
    options.touch(0o600)
    options.write_text(json.dumps({"key": "AKIDEXAMPLE", "secret": "s3cr3t", "token": "t0k3n"}))
    server = through(s3, lambda request: None)
    store = Store(s3.uri(), Storage(options_file=str(options)))
    store.write("a", b"1")
    assert key_of(server.requests[-1]) == "AKIDEXAMPLE"
    server.rule = lambda request: Answer(403, "AccessDenied")
    with pytest.raises(StorageError) as raised:
        store.read("a")
    printed = f"{raised.value!r} {raised.value} {store!r} {vars(store)} {pickle.dumps(store)!r} {pickle.dumps(raised.value)!r}"
    assert not [secret for secret in ("AKIDEXAMPLE", "s3cr3t", "t0k3n") if secret in printed]


# --- lost answers and servers without conditional requests ------------------------------------------------------------


def first(method: str, *parts: str) -> Rule:
    """Return a rule that drops the answer to the first request of this kind."""
    done: list[Request] = []

    def rule(request: Request) -> Fault:
        if request.method == method and all(part in request.path for part in parts) and not done:
            done.append(request)
            return LOST
        return None

    return rule


def test_s3_create_succeeds_if_its_answer_was_lost(s3: s3_support.Bucket, through: Through) -> None:
    through(s3, first("PUT"))
    store = Store(s3.uri())
    assert store.create("lease", b"x") and not store.create("lease", b"x")


def test_gcs_create_succeeds_if_its_answer_was_lost(gcs: gcs_support.Bucket, through: Through) -> None:
    through(gcs, first("POST"))
    store = Store(gcs.uri())
    assert store.create("lease", b"x") and not store.create("lease", b"x")


def test_completed_upload_succeeds_if_its_answer_was_lost(s3: s3_support.Bucket, through: Through) -> None:
    through(s3, first("POST", "uploadId="))
    with Store(s3.uri()).publish("a") as publication:
        publication.write(bytes(9 * MIB))
    assert Store(s3.uri()).list()[0].size == 9 * MIB


def test_server_that_ignores_conditions_is_detected(s3: s3_support.Bucket, through: Through) -> None:
    server = through(s3, lambda request: None, drop=("if-none-match",))
    store = Store(s3.uri())
    assert not store.has_conditional_create
    count = len(server.requests)
    assert not store.has_conditional_create and len(server.requests) == count
    assert store.list() == []
