"""The registry of error codes: cause, example, fix, and exit code of each."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


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


def find(name: str) -> ErrorCode | None:
    """Return the code of that name in any case, or None."""
    return next((entry for code, entry in error_codes().items() if code.lower() == name.lower()), None)


def nearest(name: str) -> str | None:
    """Return the code whose name is most similar to `name`, if one is."""
    by_lower = {code.lower(): code for code in error_codes()}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[close[0]] if close else None
