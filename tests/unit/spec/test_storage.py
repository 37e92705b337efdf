"""How a store is reached is said without a secret, and what looks like one is refused and not quoted."""

from __future__ import annotations

import pytest

from scoremill.errors import UsageError
from scoremill.spec import Storage, parse_job


def parse(**storage: object) -> Storage:
    job = {"model": {"uri": "m"}, "input": {"uris": ["i"]}, "output": {"uri": "o"}, "storage": storage}
    return parse_job({"spec": job}).spec.storage


@pytest.mark.parametrize("url", ["https://me:hush@host", "https://hush@host:9000", "https://host/?sig=hush"])
@pytest.mark.parametrize("field", ["endpoint", "options"])
def test_a_url_with_a_credential_is_refused_and_not_quoted(field, url):
    with pytest.raises(UsageError, match="optionsFile") as raised:
        parse(**{field: url if field == "endpoint" else {"proxy": url}})
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://minio:9000", "https://s3.example.com/path@v1", "http://[::1]:9000"])
def test_a_plain_endpoint_is_kept(url):
    assert parse(endpoint=url).endpoint == url


@pytest.mark.parametrize(
    "name",
    [
        "key",
        "secret",
        "token",
        "password",
        "account_key",
        "sas_token",
        "connection_string",
        "conn_str",
        "passphrase",
        "pwd",
        "pass",
        "ssh_pass",
        "auth",
        "http_auth",
        "authorization",
        "sse_customer_key",
        "SSECustomerKey",
        "SSECustomerKeyMD5",
        "encryption_key",
        "pkey",
        "cookie",
        "cookies",
        "headers",
        "extra_headers",
        "client_secret",
        "aws_session_token",
        "bearer",
        "private_key_path",
    ],
)
def test_options_that_hold_credentials_are_refused_and_not_quoted(name):
    with pytest.raises(UsageError, match=name) as raised:
        parse(options={name: "hush"})
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    "name",
    [
        "region",
        "addressing_style",
        "signature_version",
        "default_block_size",
        "default_cache_type",
        "consistency",
        "project",
        "access",
        "location",
        "use_ssl",
        "version_aware",
        "max_concurrency",
        "requester_pays",
        "account_name",
        "block_size",
        "host",
        "port",
        "username",
        "kms_key_name",
        "authority_host",
        "bypass_proxy",
        "compass",
        "monkeys",
        "timeout",
    ],
)
def test_other_options_are_taken(name):
    assert parse(options={name: "x"}).options == {name: "x"}
