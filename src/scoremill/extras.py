"""What is installed only by those who need it: `pip install 'scoremill[s3]'`."""

from __future__ import annotations

from importlib.util import find_spec

from .errors import UsageError

LIBRARIES = {"s3": "s3fs", "gcs": "gcsfs", "kubernetes": "kubernetes", "operator": "cronsim", "skops": "skops"}
"""The library of each extra whose absence says that the extra is not installed."""


def is_installed(extra: str) -> bool:
    """Return whether the library of `extra` is installed."""
    return find_spec(LIBRARIES[extra]) is not None


def command(extra: str) -> str:
    """Return the command that installs `extra`."""
    return f"pip install 'scoremill[{extra}]'"


def require(extra: str, what: str) -> None:
    """Raise UsageError if `what` needs `extra`, which is not installed; its hint is the command that installs it.

    Examples
    --------
    >>> require("s3", "s3://")

    """
    if not is_installed(extra):
        raise UsageError(
            f"{what} needs libraries that are not installed", f"Install them: {command(extra)}", code="PackageMissing"
        )
