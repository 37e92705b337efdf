"""Names of date formats."""

from __future__ import annotations

from scoremill.units import quoted

ISO = "ISO8601"
"""The format of date columns for which none is given."""
EPOCHS = {"epoch_s": "s", "epoch_ms": "ms", "epoch_us": "us", "epoch_ns": "ns"}
"""Formats that count units of time since 1970 in UTC, and their units."""


def split_formats(text: str) -> tuple[str, ...]:
    """The formats in `%d.%m.%Y|epoch_s`; ValueError naming one that cannot be a format."""
    formats = tuple(text.split("|"))
    for each in formats:
        if each not in (ISO, *EPOCHS) and "%" not in each:
            raise ValueError(
                f"{quoted(each)} is not a date format; give one of strptime such as %d.%m.%Y, or {', '.join((*EPOCHS, ISO))}"
            )
    return formats
