"""Locations: what they mean, and that none holds a credential."""

from __future__ import annotations

import pytest

from scoremill.errors import UsageError
from scoremill.storage.uri import normalise


@pytest.mark.parametrize(
    "uri",
    [
        "s3://b/a@b.csv",
        "s3://b/part-?.csv",
        "s3://b/k=v/?=1.csv",
        "gs://b/x:y@z.csv",
        "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/trips/a.csv",
        "abfs://container@account.dfs.core.windows.net/trips/part-?.csv",
        "sftp://loader@host/trips",
        "https://host/trips/a@b.csv",
        "file:///tmp/a:b@c?d=e",
        "a:b@c?d=e",
        "memory://a",
    ],
)
def test_plain_locations_stay_as_they_are(uri):
    assert normalise(uri) == uri
    assert normalise(f"{uri}/") == uri


@pytest.mark.parametrize(
    "uri",
    [
        "s3://AKIA:hush@bucket/key",
        "s3://hush@bucket/key",
        "s3://AKIA:hu/sh@bucket/hush",
        "https://hush@host/a.csv",
        "https://me:hu@hush@host/a.csv",
        "https://me:hush@host",
        "sftp://me:hush@host/a.csv",
        "abfs://c:hush@account/a.csv",
        "https://account.blob.core.windows.net/c/a.csv?sv=2024&sig=hush",
        "HTTP://host?hush",
        "abfss://c@account/a.csv?sig=hush",
        "az://c/part-?.csv?sv=1&sig=hush",
        "s3://b/k.csv?X-Amz-Credential=me&X-Amz-Signature=hush",
        "gs://b/k.csv?X-Goog-Signature=hush",
        "memory://b/k.csv?a=1&token=hush",
        "simplecache::s3://me:hush@bucket/key",
    ],
)
def test_a_location_that_can_hold_a_credential_is_refused_and_not_quoted(uri):
    with pytest.raises(UsageError) as raised:
        normalise(uri)
    assert raised.value.hint
    assert "hush" not in f"{raised.value}{raised.value.hint}"
