"""Settings of an object store. They hold no secrets: those come from the environment, a profile, or a file."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from scoremill.units import quoted

from .base import Spec
from .secrecy import is_secret

Option = str | int | float | bool


class Storage(Spec):
    """Settings of an object store. Settings not given here come from the environment, as the cloud's own tools read it."""

    endpoint: str | None = None
    """URL of the storage service, if it is not the cloud provider's, such as `http://minio:9000`."""
    anonymous: bool = False
    """Read public data without credentials."""
    profile: str | None = None
    """Name of the profile in the AWS configuration files to use."""
    requester_pays: bool = False
    """Pay for reading from a requester-pays bucket."""
    kms_key: str | None = None
    """Name of the KMS key that the store encrypts new objects with."""
    ca_bundle: str | None = None
    """Path of a file with the certificate authorities to trust for the endpoint."""
    options_file: str | None = None
    """Path of a JSON or YAML file with additional fsspec options, including secrets. Only its owner can have access to it."""
    options: dict[str, Option] = {}
    """Additional fsspec options without secrets, such as `region`."""

    @field_validator("options")
    @classmethod
    def _has_no_secret(cls, options: dict[str, Option]) -> dict[str, Option]:
        for name in options:
            if is_secret(name):
                raise ValueError(
                    f"{quoted(name)} looks like a credential; a job never holds one. "
                    "Use the environment, `profile`, or `optionsFile`"
                )
        return options

    # Of the whole model: a wrong field's own value would be printed.
    @model_validator(mode="after")
    def _has_plain_urls(self) -> Self:
        for name, value in {"endpoint": self.endpoint, **self.options}.items():
            if isinstance(value, str) and "://" in value and ("@" in urlsplit(value).netloc or urlsplit(value).query):
                raise ValueError(
                    f"{quoted(name)} is a URL with a user, a password or a query; a job never holds a credential. "
                    "Use the environment, `profile`, or `optionsFile`"
                )
        return self
