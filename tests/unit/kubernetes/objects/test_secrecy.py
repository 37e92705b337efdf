"""The look of a variable's name says whether its value is a secret."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from scoremill.errors import UsageError
from scoremill.kubernetes.objects import refuse_secrets
from scoremill.spec import Cluster


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
        "DB_PWD",
        "dbPin",
        "LOGIN_OTP",
        "sig",
        "X-Amz-Signature",
        "SIGNING_KEY",
        "SENTRY_DSN",
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
        "AUTHOR",
        "PINNED_VERSION",
        "DESIGN",
        "PASSENGERS",
        "AWS_SECRET_NAME",
    ],
)
def test_anything_else_passes(name: str) -> None:
    refuse_secrets([name])


@pytest.mark.parametrize(
    "cluster",
    [
        {"env": {"DB_PWD": "hunter2"}},
        {"template": {"spec": {"worker": {"spec": {"containers": [{"env": [{"name": "otp", "value": "hunter2"}]}]}}}}},
    ],
)
def test_a_job_with_a_secret_in_its_cluster_is_refused_without_showing_it(cluster: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="looks like a secret") as raised:
        Cluster.model_validate(cluster)
    assert "hunter2" not in "".join(problem["msg"] for problem in raised.value.errors())


def test_a_reference_to_a_secret_is_none() -> None:
    source = {"secretKeyRef": {"name": "database", "key": "password"}}
    Cluster.model_validate({"template": {"containers": [{"env": [{"name": "DB_PWD", "valueFrom": source}]}]}})
