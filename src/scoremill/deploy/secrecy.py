"""Secrets do not belong into an object that everybody may read."""

from __future__ import annotations

import re
from collections.abc import Iterable

from scoremill.errors import UsageError

_SECRET = re.compile(
    r"SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIAL|CONNECTION_?STRING|(ACCESS|PRIVATE|ACCOUNT|API|SIGNING)_?KEY",
    re.IGNORECASE,
)
_FILES = re.compile(r"_(FILE|PATH|URI|URL)$|^GOOGLE_APPLICATION_CREDENTIALS$", re.IGNORECASE)
"""Where a secret is, is none."""


def is_secret(name: str) -> bool:
    """Whether the value of a variable is a secret, by the look of its name."""
    return _SECRET.search(name) is not None and not _FILES.search(name)


def refuse_secrets(names: Iterable[str]) -> None:
    """UsageError that names the first variable whose value is a secret, by the look of its name."""
    for name in names:
        if is_secret(name):
            raise UsageError(
                f"{name} looks like a secret, and would stand in the DaskCluster for all to read",
                "Put it into a Secret (kubectl create secret generic NAME …) and give --secret NAME.",
            )
