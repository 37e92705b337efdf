"""Secrets do not belong into an object that everybody may read."""

from __future__ import annotations

from collections.abc import Iterable

from scoremill.errors import UsageError
from scoremill.spec.secrecy import is_secret


def refuse_secrets(names: Iterable[str]) -> None:
    """UsageError that names the first variable whose value is a secret, by the look of its name."""
    for name in names:
        if is_secret(name):
            raise UsageError(
                f"{name} looks like a secret, and would stand in the DaskCluster for all to read",
                "Put it into a Secret (kubectl create secret generic NAME …) and give --secret NAME.",
            )
