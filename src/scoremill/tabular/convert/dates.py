"""Text and numbers to points in time: by the formats given for a column, else as ISO 8601."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from scoremill.errors import UsageError
from scoremill.spec import EPOCHS, ISO, Csv
from scoremill.units import quoted

from .instants import PER_SECOND, Integers, Ticks, as_timestamps, ticks_at, ticks_of
from .iso8601 import parse_iso
from .numbers import Mask, Parsed, parse_int

_FRACTION = r"^(?P<sign>[+-]?)(?P<whole>\d{1,18})\.(?P<fraction>\d{0,9})0*$"


def parse_date(text: pa.Array, formats: Sequence[str], kind: pa.DataType, dialect: Csv) -> Parsed:
    """Timestamps of the type `kind`; null, and in the mask, where the text is not a time or out of range.

    A time with an offset is converted to UTC; one without is taken to be in UTC. With several formats, a value that
    two of them read as different times is none.
    """
    found = [_by_format(text, form, kind.unit, dialect) for form in formats or (ISO,)]
    return as_timestamps(_agreed(found), text.is_valid(), kind)


def date_of_integers(numbers: pa.Array, formats: Sequence[str], kind: pa.DataType) -> Parsed:
    """Integers of a typed input by the epoch formats of their column; ArrowInvalid if it has none."""
    units = [EPOCHS[form] for form in formats if form in EPOCHS]
    if not units:
        raise pa.ArrowInvalid("a number without a unit is not a time")
    whole = pc.cast(numbers, pa.int64())
    found = [ticks_of(whole.cast(pa.timestamp(unit)), kind.unit) for unit in units]
    return as_timestamps(_agreed(found), numbers.is_valid(), kind)


def cast_date(stamps: pa.Array, kind: pa.DataType, is_given: pa.Array) -> Parsed:
    """Timestamps without a zone, in UTC, as `kind`; in the mask those that are given but null or out of its range."""
    return as_timestamps(ticks_of(stamps, kind.unit), is_given, kind)


def _by_format(text: pa.Array, form: str, unit: str, dialect: Csv) -> Ticks:
    if form == ISO:
        return parse_iso(text, unit)
    if form in EPOCHS:
        return _parse_epoch(text, EPOCHS[form], unit, dialect)
    return _parse_strptime(text, form, unit)


def _agreed(found: Sequence[Ticks]) -> Ticks:
    values, good = found[0]
    clash = np.zeros(len(values), np.bool_)
    for others, read in found[1:]:
        clash |= good & read & (values != others)
        values, good = np.where(good, values, others), good | read
    return values, good & ~clash


def _parse_epoch(text: pa.Array, source: str, unit: str, dialect: Csv) -> Ticks:
    """Counts of `source` units since 1970 in UTC, with or without a fraction."""
    whole, bad = parse_int(text, dialect, pa.int64())
    values, good = ticks_of(whole.cast(pa.timestamp(source)), unit)
    if bad is not None:
        values = values.copy()
        values[bad], good[bad] = _parse_fractions(text.filter(pa.array(bad)), source, unit)
    return values, good


def _parse_fractions(text: pa.Array, source: str, unit: str) -> Ticks:
    parts = pc.extract_regex(pc.ascii_trim_whitespace(text), _FRACTION)
    sign, whole, fraction = (pc.fill_null(pc.struct_field(parts, name), "") for name in ("sign", "whole", "fraction"))
    is_negative, per = pc.equal(sign, "-").to_numpy(zero_copy_only=False), PER_SECOND[source]
    count, billionths = (
        np.where(is_negative, -1, 1) * pc.cast(digits, pa.int64()).to_numpy()
        for digits in (pc.utf8_lpad(whole, 1, "0"), pc.utf8_rpad(fraction, 9, "0"))
    )
    seconds, rest = np.divmod(count, per)
    carried, nanos = np.divmod(rest * (10**9 // per) + billionths // per, 10**9)
    values, fits = ticks_at(seconds + carried, nanos, unit)
    return values, fits & parts.is_valid().to_numpy(zero_copy_only=False)


def _parse_strptime(text: pa.Array, form: str, unit: str) -> Ticks:
    # pandas takes `now` and `today` in any format.
    text = pc.if_else(pc.is_in(text, pa.array(["now", "today"])), pa.scalar(None, pa.string()), text)
    try:
        times = pd.to_datetime(text.to_pandas(), format=form, errors="coerce", utc=True).dt.tz_localize(None)
    except (ValueError, re.error) as error:
        raise UsageError(
            f"{quoted(form)} is not a date format: {error}", "Correct it in `spec.input.csv.dateFormats`."
        ) from None
    stamps = pa.array(times)
    values, good = ticks_of(stamps, unit)
    if stamps.type.unit == "ns" and unit != "ns" and len(text) > 1:
        # One nanosecond in a batch narrows the years that pandas reads in all of it.
        for these in _retried(text, good):
            values[these], good[these] = _parse_strptime(text.take(pa.array(these)), form, unit)
    return values, good


def _retried(text: pa.Array, good: Mask) -> list[Integers]:
    """Positions of values that failed, to be read without the others; one at a time if none succeeded."""
    failed = np.flatnonzero(~good & text.is_valid().to_numpy(zero_copy_only=False))
    return [failed] if 0 < len(failed) < len(text) else list(failed[:, None])
