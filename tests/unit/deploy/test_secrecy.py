"""The look of a variable's name says whether its value is a secret."""

from __future__ import annotations

import pytest

from scoremill.deploy import refuse_secrets
from scoremill.errors import UsageError


@pytest.mark.parametrize(
    "name",
    [
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_ACCESS_KEY_ID",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_CONNECTION_STRING",
        "DB_PASSWORD",
        "apiKey",
    ],
)
def test_a_secret_is_refused_by_its_name_alone(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        refuse_secrets(["AWS_REGION", name])


@pytest.mark.parametrize(
    "name",
    [
        "AWS_REGION",
        "AWS_ENDPOINT_URL",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "OMP_NUM_THREADS",
    ],
)
def test_anything_else_passes(name: str) -> None:
    refuse_secrets([name])
