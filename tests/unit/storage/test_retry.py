from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from scoremill.spec import Storage
from scoremill.storage import retry
from scoremill.storage.failures.explain import explain
from scoremill.storage.failures.faults import GaveUpError, code_of, is_absent, is_expired, is_transient
from scoremill.storage.retry import Patience, persist


class ServiceError(OSError):
    """An error as botocore's clients describe it."""

    def __init__(self, code: str, status: int = 0) -> None:
        super().__init__("said the service")
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


class HttpError(Exception):
    """An error as gcsfs describes it."""

    def __init__(self, code: int | str) -> None:
        super().__init__("said the service")
        self.code = code


class SSLError(ConnectionError):
    """An untrusted certificate, under the name that botocore and requests use."""


def failing(*faults: Exception) -> Callable[[], str]:
    left = list(faults)

    def action() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return action


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "PATIENCE", Patience(first_pause=0.0))


@pytest.mark.parametrize(
    "fault",
    [
        ServiceError("SlowDown", 503),
        ServiceError("InternalError"),
        ServiceError("429", 429),
        ServiceError("X", 502),
        HttpError(503),
        HttpError("429"),
        ConnectionResetError(),
        TimeoutError(),
        OSError(errno.EBUSY, "busy"),
        OSError(errno.ESTALE, "stale"),
        ServiceError("ConditionalRequestConflict", 409),
    ],
    ids=repr,
)
def test_faults_that_pass_are_tried_again(fault: Exception) -> None:
    assert is_transient(fault)
    assert persist(failing(*[fault] * 4)) == "done"
    with pytest.raises(GaveUpError, match="5 attempts in 0 s") as raised:
        persist(failing(*[fault] * 5))
    assert raised.value.__cause__ is fault and is_transient(raised.value)


@pytest.mark.parametrize(
    "fault",
    [
        FileNotFoundError(),
        PermissionError(),
        FileExistsError(),
        ValueError(),
        ServiceError("AccessDenied", 403),
        ServiceError("NoSuchKey", 404),
        HttpError(404),
        SSLError(),
        OSError(errno.ENOSPC, "full"),
    ],
    ids=repr,
)
def test_faults_that_stay_are_not(fault: Exception) -> None:
    with pytest.raises(type(fault)):
        persist(failing(fault))


def test_no_attempt_begins_after_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "PATIENCE", Patience(first_pause=0.0, limit=-1.0))
    with pytest.raises(GaveUpError) as raised:
        persist(failing(TimeoutError()))
    assert raised.value.attempts == 1


def test_each_wait_is_announced_with_its_error_and_attempt() -> None:
    waits: list[tuple[Exception, int]] = []
    fault = TimeoutError()
    assert persist(failing(fault, fault), waiting=lambda error, attempt, _: waits.append((error, attempt))) == "done"
    assert waits == [(fault, 1), (fault, 2)]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FileNotFoundError(), True),
        (ServiceError("NoSuchKey", 404), True),
        (ServiceError("404", 404), True),
        (ServiceError("NotFound", 404), True),
        (HttpError(404), True),
        (ServiceError("XAdminUserNotFound", 404), False),
        (ServiceError("NoSuchBucket", 404), False),
        (ServiceError("AccessDenied", 403), False),
    ],
    ids=repr,
)
def test_absent_is_only_what_the_store_calls_absent(error: Exception, expected: bool) -> None:
    assert is_absent(error) == expected


def test_old_credentials_are_renewed_once() -> None:
    renewals: list[int] = []

    def renew() -> None:
        renewals.append(1)

    expired = ServiceError("ExpiredToken", 400)
    assert is_expired(expired) and persist(failing(expired), renew) == "done"
    with pytest.raises(ServiceError):
        persist(failing(expired, expired), renew)
    assert len(renewals) == 2


def test_pauses_grow_and_differ_between_workers() -> None:
    patience = Patience()
    for attempt, longest in ((1, 0.2), (2, 0.8), (3, 3.2), (4, 12.8)):
        pauses = {patience.pause(attempt) for _ in range(50)}
        assert longest / 2 <= min(pauses) < max(pauses) <= longest
    assert sum(0.2 * 4**number for number in range(patience.tries - 1)) < patience.limit


def test_the_services_own_code_is_found_behind_a_translated_error() -> None:
    error = OSError(errno.EIO, "translated")
    error.__cause__ = ServiceError("KMS.DisabledException")
    assert code_of(error) == "KMS.DisabledException" and code_of(OSError()) == ""


def test_messages_hold_no_signed_queries() -> None:
    error = OSError("GET https://host/o?upload_id=SECRET&sig=SECRET failed\nand more")
    explained = explain(error, "s3://b/x", Storage())
    assert "SECRET" not in str(explained) and "and more" not in explained.message
    assert "https://host/o failed" in explained.message


def test_an_answer_that_was_cut_short_is_transient_whatever_code_the_library_gives_it() -> None:
    from aiohttp import ClientPayloadError
    from aiohttp.http_exceptions import ContentLengthError

    error = ClientPayloadError("Response payload is not completed")
    error.__cause__ = ContentLengthError("Not enough data")
    assert error.__cause__.code == 400
    assert is_transient(error)
