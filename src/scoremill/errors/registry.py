"""The registry of error codes: cause, example, fix, and exit code of each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from scoremill.naming import nearest
from scoremill.units import quoted

from . import UsageError


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """What is known about all errors with one code."""

    code: str
    exit_code: int
    cause: str
    """When this error occurs."""
    example: str
    """A message of such an error."""
    fix: str
    """What to do about it."""
    reason: str | None = None
    """`status.failure.reason` of a job that fails with it, if it differs from that of the exit code."""


@cache
def error_codes() -> dict[str, ErrorCode]:
    """Return all error codes by name, in the order of the documentation."""
    entries = tomllib.loads(files(__package__).joinpath("codes.toml").read_text(encoding="utf-8"))
    return {code: ErrorCode(code=code, exit_code=fields.pop("exit"), **fields) for code, fields in entries.items()}


def explain(code: str) -> ErrorCode:
    """Return what is known about an error code.

    Parameters
    ----------
    code
        Name of the code, in upper or lower case.

    Raises
    ------
    scoremill.errors.UsageError
        If there is no such code.

    Examples
    --------
    >>> import scoremill
    >>> scoremill.explain("OutputExists").exit_code
    2

    """
    by_lower = {name.lower(): entry for name, entry in error_codes().items()}
    if found := by_lower.get(code.lower()):
        return found
    close = nearest(code, (entry.code for entry in by_lower.values()))
    hint = f"The nearest is {close[0]}. " if close else ""
    raise UsageError(f"no error code {quoted(code)}", f"{hint}`scoremill explain` lists all codes.")
