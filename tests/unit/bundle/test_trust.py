from __future__ import annotations

import pytest

from scoremill.bundle.trust import TRUSTED_PREFIXES, check_trust, is_below
from scoremill.errors import TrustError
from scoremill.spec import Model

FOUND = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def test_a_local_path_that_the_user_names_is_trusted():
    check_trust(Model(uri="models/tip"), FOUND, named_by_user=True)
    check_trust(Model(uri="file:///models/tip"), FOUND, named_by_user=True)


def test_a_local_path_that_somebody_else_names_is_not():
    with pytest.raises(TrustError):
        check_trust(Model(uri="/models/tip"), FOUND, named_by_user=False)
    check_trust(Model(uri="/models/tip", trusted_prefixes=("/models",)), FOUND, named_by_user=False)


def test_a_remote_bundle_without_digest_or_prefix_is_refused_and_the_hint_names_its_digest():
    with pytest.raises(TrustError) as caught:
        check_trust(Model(uri="s3://models/tip"), FOUND, named_by_user=True)
    assert FOUND in str(caught.value)


def test_a_remote_bundle_runs_with_the_digest_that_was_asked_for():
    check_trust(Model(uri="s3://models/tip", digest=FOUND), FOUND, named_by_user=False)


@pytest.mark.parametrize("uri", ["s3://models/tip", "models/tip"])
def test_another_digest_than_asked_for_is_refused_wherever_it_lies(uri):
    model = Model(uri=uri, digest=OTHER, trusted_prefixes=("s3://models",))
    with pytest.raises(TrustError, match="not sha256:bbb"):
        check_trust(model, FOUND, named_by_user=True)


def test_prefixes_come_from_the_environment_too(monkeypatch):
    monkeypatch.setenv(TRUSTED_PREFIXES, "gs://other, s3://models/approved")
    check_trust(Model(uri="s3://models/approved/tip"), FOUND, named_by_user=True)


@pytest.mark.parametrize(
    "uri", ["s3://models", "s3://models/", "s3://models/tip/1.4.0", "S3://models/tip", "s3a://models/tip"]
)
def test_a_prefix_covers_what_lies_below_it(uri):
    assert is_below(uri, ["s3://models/"])


@pytest.mark.parametrize(
    "uri",
    [
        "s3://models-evil/tip",
        "gs://models/tip",
        "s3://other/s3://models/tip",
        "s3://models/../evil/tip",
        "s3://models/./tip",
        "s3://models//tip",
        "s3://models/%2e%2e/evil",
        "s3://models\\..\\evil",
        "models/tip",
        "s3://",
    ],
)
def test_a_prefix_covers_nothing_else(uri):
    assert not is_below(uri, ["s3://models"])


def test_an_empty_prefix_covers_nothing():
    assert not is_below("s3://models/tip", ["", "s3://", "/"])
