"""An error of a store taken apart: what messages about it are made of."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property

from scoremill.spec import Storage

from ..uri import protocol_of
from .faults import GaveUpError, chain, code_of, errno_of, types_of

_ENDPOINTS = {"s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"), "gs": ("STORAGE_EMULATOR_HOST",)}
LONGEST = 200
"""Characters of a store's own words."""


@dataclass(frozen=True)
class Refusal:
    """One error at one place."""

    error: Exception
    uri: str
    settings: Storage

    @cached_property
    def code(self) -> str:
        """The service's code, or the HTTP status as text, or nothing."""
        return code_of(self.error)

    @cached_property
    def types(self) -> set[str]:
        """Names of the error's classes and those of its causes."""
        return types_of(self.error)

    @cached_property
    def errno(self) -> int | None:
        """The number of the operating system's error."""
        return errno_of(self.error)

    @cached_property
    def fields(self) -> dict[str, str]:
        """The elements of the service's error, such as `Message`, `Region` or `StorageClass`."""
        for one in chain(self.error):
            response = getattr(one, "response", None)
            if isinstance(response, dict):
                return {name: str(value) for name, value in response.get("Error", {}).items() if value is not None}
        return {}

    @cached_property
    def words(self) -> str:
        """The service's own words in one line; queries are struck out, for they can hold signatures."""
        text = self.fields.get("Message") or str(self._last)
        lines = re.sub(r"(https?://[^\s?]+)\?\S+", r"\1", text).strip().splitlines()
        return lines[0][:LONGEST].rstrip(". ") if lines else type(self._last).__name__

    @property
    def said(self) -> str:
        """The code and the words, for the end of a message."""
        code = "" if not self.code or self.code in self.words else self.code
        return ": ".join(part for part in (code, self.words) if part)

    @property
    def attempts(self) -> str:
        """How often it was tried, such as `5 attempts in 17 s`; empty after one attempt."""
        gave_up = next((one for one in chain(self.error) if isinstance(one, GaveUpError)), None)
        return str(gave_up or "")

    @property
    def protocol(self) -> str:
        """`file`, `s3`, `gs` or another."""
        return protocol_of(self.uri)

    @property
    def bucket(self) -> str:
        """The name of the bucket."""
        return self.uri.partition("://")[2].partition("/")[0]

    @property
    def endpoint(self) -> str:
        """URL of the service, if it is not the cloud's own; empty otherwise."""
        variables = (os.environ.get(name, "") for name in _ENDPOINTS.get(self.protocol, ()))
        return self.settings.endpoint or next(filter(None, variables), "")

    @property
    def region(self) -> str:
        """The bucket's region, if the answer names it."""
        if "Region" in self.fields:
            return self.fields["Region"]
        for one in chain(self.error):
            response = getattr(one, "response", None)
            if isinstance(response, dict):
                return str(response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region", ""))
        return ""

    @property
    def _last(self) -> BaseException:
        """The error itself, after those that only count attempts."""
        return next(one for one in chain(self.error) if not isinstance(one, GaveUpError))
